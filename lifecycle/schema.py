"""Whether the columns of a delivery are the product's, by their names alone.

Columns may come in any order and with others among them; the others are remarked and left out. A missing, a
renamed or a repeated column refuses the whole file: guessing which is which would train on the wrong one.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lifecycle.batch import Reason
from lifecycle.codes import Code

_SHOWN_NAMES = 5
_SHOWN_CHARACTERS = 64


@dataclass(frozen=True)
class Fit:
    """How delivered columns fit: where each expected one is, and what is remarked about the others.

    A position is None for a column that is not there and may come later.
    """

    positions: tuple[int | None, ...]
    notes: tuple[Reason, ...]


@dataclass(frozen=True)
class Difference:
    """Which names differ: `added` are places of delivered columns nobody declared, `removed` declared ones not there.

    `renamed`: declared ones with the name they came under; such a name is not counted as added.
    """

    added: tuple[int, ...]
    removed: tuple[str, ...]
    renamed: Mapping[str, str]


def known_as(delivered: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """Return delivered names as the product calls them. `aliases`: other name to name; the name itself comes first."""
    return [aliases[name] if aliases.get(name, name) not in delivered else name for name in delivered]


def differences(delivered: Sequence[str], expected: Sequence[str], later: str | None = None) -> Difference | None:
    """Return how the names differ; None when they tell nothing: no name is shared, or one is there twice."""
    if not set(_folded(delivered)) & set(_folded(expected)) or len(set(delivered)) < len(delivered):
        return None
    unknown = [name for name in delivered if name not in expected]
    gone = [name for name in expected if name not in delivered]
    near = {name: _nearest(name, unknown) for name in gone}
    taken: dict[str, str] = {}
    for name, other in near.items():
        if other is not None and other not in taken.values():
            taken[name] = other
    added = tuple(at for at, name in enumerate(delivered) if name in unknown and name not in taken.values())
    return Difference(added, tuple(name for name in gone if name not in taken and name != later), taken)


def fit_columns(
    delivered: Sequence[str], expected: Sequence[str], later: str | None = None
) -> Fit | tuple[Reason, ...]:
    """Return where the expected columns are among the delivered ones, or every reason why they do not fit.

    `later` may be missing, unless another column looks like it under a wrong name.
    """
    if not set(_folded(delivered)) & set(_folded(expected)):
        found = f"none of the {len(expected)} names among the {len(delivered)} fields of the first line"
        return (Reason(Code.NO_HEADER, None, found, f"a header with {listed(expected)}"),)
    extra = [name for name in delivered if name not in expected]
    waits = later in expected and later not in delivered and _nearest(str(later), extra) is None
    wanted = [name for name in expected if not (waits and name == later)]
    reasons = (*_missing(delivered, wanted), *_repeated(delivered, wanted))
    if reasons:
        return reasons
    notes = (Reason(Code.EXTRA_COLUMN, None, f"{len(extra)} more: {listed(extra)}", "left out"),) if extra else ()
    if waits:
        notes = (*notes, Reason(Code.NO_LABELS, later, "no such column", "labels, which may come later with the rows"))
    at = {name: place for place, name in reversed(list(enumerate(delivered)))}
    return Fit(tuple(at.get(name) for name in expected), notes)


def _missing(delivered: Sequence[str], expected: Sequence[str]) -> list[Reason]:
    unknown = [name for name in delivered if name not in expected]
    reasons = []
    for name in expected:
        if name not in delivered:
            near = _nearest(name, unknown)
            found = "no such column" if near is None else f"no such column, but {_short(near)!r}"
            reasons.append(Reason(Code.MISSING_COLUMN, name, found, f"a column called {name!r}"))
    return reasons


def _nearest(name: str, unknown: Sequence[str]) -> str | None:
    """Return the delivered name that was probably meant: the same but for case and blanks, or nearly the same."""
    folded = dict(zip(_folded(unknown), unknown, strict=True))
    (key,) = _folded([name])
    near = difflib.get_close_matches(key, list(folded), n=1, cutoff=0.7)
    extended = [other for other in folded if other and (other.startswith(key) or key.startswith(other))]
    return next((folded[other] for other in (key, *near, *extended) if other in folded), None)


def _repeated(delivered: Sequence[str], expected: Sequence[str]) -> list[Reason]:
    times = Counter(delivered)
    return [
        Reason(Code.DUPLICATE_COLUMN, name, f"{times[name]} columns of this name", "one")
        for name in expected
        if times[name] > 1
    ]


def _folded(names: Sequence[str]) -> list[str]:
    return ["".join(name.casefold().split()) for name in names]


def listed(names: Sequence[str]) -> str:
    """Return some names as people read them: the first few, shortened, and how many more there are."""
    more = len(names) - _SHOWN_NAMES
    first = ", ".join(repr(_short(name)) for name in names[:_SHOWN_NAMES])
    return f"{first} and {more} more" if more > 0 else first


def _short(name: str) -> str:
    return name if len(name) <= _SHOWN_CHARACTERS else name[:_SHOWN_CHARACTERS] + "…"
