"""Whether two arms' scores differ in distribution by more than chance: PSI of binned counts. Pure.

Both arms answer at the same time, so the hour of the day and the season cannot pass for a difference between
models. Comparing with a training profile is another question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

# Added to each bin, so that an empty one cannot make the sum infinite.
_SMOOTHING = 0.5
# Chance exceeds the level once in a hundred looks.
_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Shift:
    """How far two distributions lie apart, and how far chance alone puts samples of these sizes."""

    psi: float
    chance: float

    def beyond(self, limit: float) -> bool:
        """Say whether the distance exceeds a limit, which is never taken below the chance level."""
        return self.psi > max(limit, self.chance)


def shift(champion: Sequence[int], challenger: Sequence[int]) -> Shift | None:
    """Return the population stability index of counts over the same bins (k,) and (k,); None: nothing to compare.

    The chance level is the 99 % quantile of chi-square over k - 1, times 1/n + 1/m; bins that both arms left
    empty do not count. Raises ValueError when the bins are not the same.
    """
    if len(champion) != len(challenger):
        raise ValueError(f"{len(champion)} bins of scores against {len(challenger)}: both arms use the same edges.")
    counts = np.asarray([champion, challenger], dtype=np.float64)
    sizes = counts.sum(axis=1)
    if not counts.size or not sizes.all():
        return None
    used = counts[:, counts.any(axis=0)] + _SMOOTHING
    shares = used / used.sum(axis=1, keepdims=True)
    psi = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    return Shift(psi, chi_square_quantile(_CONFIDENCE, used.shape[1] - 1) * float((1 / sizes).sum()))


def chi_square_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of chi-square: within 1 % at .99, within 4 % from .9 to .999; 0 for no degrees.

    The cube-root approximation of Wilson and Hilferty (1931), which needs no special functions.
    """
    if degrees == 0:
        return 0.0
    spread = 2 / (9 * degrees)
    return degrees * float(max(0.0, 1 - spread + NormalDist().inv_cdf(probability) * spread**0.5)) ** 3
