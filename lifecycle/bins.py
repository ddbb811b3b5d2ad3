"""Which bins of a profile are compared at which sample size, chosen from the profile alone. Pure.

A bin chosen by looking at the window would make chance look like drift; one that is nearly always empty makes every
test of counts say too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lifecycle.profiles import Levels

# Ten groups of equal share are the usual bins of a PSI, and what its limits were made for.
GROUPS = 10
# Pearson's own rule: expect at least five.
_FEWEST = 5
# A heap in a bin this full is no surprise, only a shift.
_RARE = 0.05
Groups = NDArray[np.intp]


def coarse(counts: Sequence[int], current: int) -> Groups:
    """Return for each bin (k,) of a number which of at most ten groups it belongs to, for `current` values.

    Neighbours go together until a group holds a tenth of the profile and is expected to hold five of the window.
    """
    total = sum(counts)
    least = max(1 / GROUPS, _FEWEST / current if current else 1.0)
    # Half of the smallest bin is no reason to take in another one.
    slack = 0.5 / max(len(counts), 1)
    found, group, share = [], 0, 0.0
    for count in counts:
        found.append(group)
        share += count / total if total else 0.0
        if share >= least - slack:
            group, share = group + 1, 0.0
    if share and share < least / 2 and group:  # a remainder joins its neighbour
        found = [min(one, group - 1) for one in found]
    return np.asarray(found, dtype=np.intp)


def totals(counts: Sequence[int], groups: Groups) -> list[int]:
    """Return the counts per group."""
    return [int(one) for one in np.bincount(groups, weights=np.asarray(counts, dtype=np.float64))]


def common(before: Levels, current: int) -> list[list[str | None]]:
    """Return groups of levels for `current` values: each level expected five times alone, all others together.

    None stands for whatever the profile does not name.
    """
    total = before.present
    expected = {name: count / total * current if total else 0.0 for name, count in before.levels.items()}
    alone: list[list[str | None]] = [[name] for name, count in expected.items() if count >= _FEWEST]
    rest: list[str | None] = [*(name for name, count in expected.items() if count < _FEWEST), None]
    left = current - sum(expected[one[0]] for one in alone if one[0] is not None)
    if left < _FEWEST and alone:
        return [*alone[:-1], [*alone[-1], *rest]]
    return [*alone, rest]


class Clump(NamedTuple):
    """The bin that rose most above its neighbours, by how much of all values, and how many bins were looked at."""

    bin: int
    rise: float
    looks: int


def clump_of(before: Sequence[int], after: Sequence[int]) -> Clump | None:
    """Return the rare bin whose share rose most beyond that of its neighbours; None with nothing to compare."""
    counts = np.asarray([before, after], dtype=np.float64)
    sizes = counts.sum(axis=1, keepdims=True)
    if not sizes.all():
        return None
    usual, now = counts / sizes
    rise = now - usual
    padded = np.concatenate([[0.0], rise, [0.0]])
    beyond = rise - np.maximum(0.0, np.maximum(padded[:-2], padded[2:]))
    rare = np.flatnonzero(usual < _RARE)
    if not len(rare):
        return Clump(int(np.argmin(usual)), 0.0, 1)
    place = int(rare[np.argmax(beyond[rare])])
    return Clump(place, float(max(0.0, beyond[place])), len(rare))
