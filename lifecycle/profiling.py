"""What the values of a table are like, column by column: the numbers that a product's first description is made of.

Everything is a count, a quantile or a level; rows are not kept. Stretches, ten equal ones in the order of the rows,
say how much a column varies by itself from one delivery to the next. What follows from it is
`lifecycle/guessing.py` and `lifecycle/suite_writing.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array, Column
from lifecycle.transforms import Transform, apply

STRETCHES = 10
# Levels beyond these are counted and not named.
MOST_LEVELS = 10_000
# So many different numbers may be classes or ratings.
FEW_NUMBERS = 50
# A grid that tells a quantile to 1/400, finer than any bound asks for.
_GRID = np.linspace(0, 1, 401)
_WORDS_LOOKED_AT = 2_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """Quantiles at 401 even shares, and the quartiles of each stretch, shape (stretches, 3) with NaN where empty.

    `counting`: each next value is the one before plus one. `levels`: values with their counts when they are few.
    """

    grid: Floats
    quartiles: Floats
    mean: float
    deviation: float
    whole: bool
    counting: bool
    levels: Mapping[float, int] = field(default_factory=dict)

    @property
    def least(self) -> float:
        """Return the smallest value."""
        return float(self.grid[0])

    @property
    def most(self) -> float:
        """Return the largest value."""
        return float(self.grid[-1])

    def quantile(self, share: float) -> float:
        """Return the value below which a share of the values lies; shares beyond 0 and 1 are the ends."""
        return float(np.interp(share, _GRID, self.grid))


@dataclass(frozen=True)
class Texts:
    """Levels with their counts, the most frequent first; lengths in characters; words in a typical text."""

    levels: Mapping[str, int]
    others: int  # values of levels that are not named
    once: int  # levels seen a single time
    shortest: int
    longest: int
    words: float


@dataclass(frozen=True)
class Moments:
    """The first and last instant (datetime64[us]), and whether the clock time differs from row to row."""

    first: np.datetime64
    last: np.datetime64
    clock: bool


@dataclass(frozen=True)
class ColumnProfile:
    """One column of n rows: how much is missing, how many different values, and what they are like.

    `missing_by_stretch`: shares. Of `numbers`, `texts` and `moments` one is there, none for a column without values.
    """

    column: Column
    rows: int
    missing: int
    distinct: int
    missing_by_stretch: tuple[float, ...]
    numbers: Numbers | None = None
    texts: Texts | None = None
    moments: Moments | None = None

    @property
    def name(self) -> str:
        """Return the column's name."""
        return self.column.name

    @property
    def present(self) -> int:
        """Return how many values there are."""
        return self.rows - self.missing

    @property
    def missing_share(self) -> float:
        """Return the share of rows without a value."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def empty(self) -> bool:
        """Say whether there is no value at all."""
        return self.missing == self.rows


@dataclass(frozen=True)
class TableProfile:
    """A table's columns in their order, its rows, and how many of them repeat another one exactly."""

    columns: tuple[ColumnProfile, ...]
    rows: int
    repeats: int
    files: tuple[int, ...] = field(default=())  # rows per file

    def __getitem__(self, name: str) -> ColumnProfile:
        """Return the profile of a column."""
        return next(one for one in self.columns if one.name == name)


def profile_column(column: Column, values: Array, order: NDArray[np.intp]) -> ColumnProfile:
    """Profile one column (n,) in its normalised kind of array; `order` are the row numbers as the rows happened."""
    missing = apply(Transform("missing", "missing", (column.name,)), {column.name: values}).astype(bool)
    parts = [part for part in np.array_split(order, STRETCHES) if len(part)]
    shares = tuple(float(missing[part].mean()) for part in parts)
    present = values[~missing]
    numbers, texts, moments, distinct = None, None, None, 0
    if len(present) and column.type == "string":
        counts = Counter(present.tolist())
        texts, distinct = _texts(counts), len(counts)
    elif len(present) and column.type == "datetime":
        moments, distinct = _moments(present), len(np.unique(present))
    elif len(present):
        numbers, distinct = _numbers(values, present, parts), len(np.unique(present))
    return ColumnProfile(column, len(values), int(missing.sum()), distinct, shares, numbers, texts, moments)


def _numbers(values: Floats, present: Floats, parts: Sequence[NDArray[np.intp]]) -> Numbers:
    quartiles = np.full((len(parts), 3), np.nan)
    for at, part in enumerate(parts):
        mine = values[part]
        mine = mine[~np.isnan(mine)]
        if len(mine):
            quartiles[at] = np.quantile(mine, [0.25, 0.5, 0.75])
    whole = bool((present == np.trunc(present)).all())
    counting = len(present) > 1 and bool((np.diff(present) == 1).all())
    found, counts = np.unique(present, return_counts=True)
    few = len(found) <= FEW_NUMBERS
    return Numbers(
        grid=np.quantile(present, _GRID),
        quartiles=quartiles,
        mean=float(present.mean()),
        deviation=float(present.std()),
        whole=whole,
        counting=counting,
        levels=dict(zip(found.tolist(), counts.tolist(), strict=True)) if few else {},
    )


def _texts(counts: Counter[str]) -> Texts:
    kept = sorted(counts, key=lambda text: (-counts[text], text))[:MOST_LEVELS]
    lengths = [len(text) for text in counts]
    looked_at = [len(text.split()) for text in kept[:_WORDS_LOOKED_AT]]
    return Texts(
        levels={text: counts[text] for text in kept},
        others=counts.total() - sum(counts[text] for text in kept),
        once=sum(times == 1 for times in counts.values()),
        shortest=min(lengths),
        longest=max(lengths),
        words=float(np.median(looked_at)),
    )


def _moments(present: Array) -> Moments:
    times = present - present.astype("datetime64[D]")
    return Moments(present.min(), present.max(), bool((times != times[0]).any()))
