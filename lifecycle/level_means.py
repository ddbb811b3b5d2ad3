"""A category of thousands of levels as numbers: the mean label that was seen with each level.

Fitted on training rows and smoothed towards the mean of all, so that a level seen once says little. A row that
trains sees means that were made without it (five folds), or it would read its own label off the feature;
everybody else, serving included, sees the means of all training rows. Unseen levels get the mean of all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array
from lifecycle.encoding import most_frequent_levels, to_codes

# A level's own mean weighs as much as the mean of all when it was seen this often; 10 to 20 is usual for target means.
SMOOTHING = 20.0
# Five folds: every row's mean is made of four fifths of the others.
FOLDS = 5
# Of many classes only the most frequent get a column each.
MOST_OUTPUTS = 8
_DIGITS = 7  # what a float32 holds; fewer bytes in features.json

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """What the means are made of: (n, outputs) with NaN where unknown, and a name per output, "" when there is one.

    `groups` (n,): a key per row; rows of one key are in one fold.
    """

    names: tuple[str, ...]
    values: Floats
    groups: NDArray[np.uint64] | None = None

    @property
    def folds(self) -> NDArray[np.intp]:
        """Return the fold of each row (n,)."""
        if self.groups is None:
            return np.arange(len(self.values)) % FOLDS
        return np.unique(self.groups, return_inverse=True)[1] % FOLDS


@dataclass(frozen=True)
class LevelMeans:
    """The fitted means: per level one number per output, and the means of all."""

    outputs: tuple[str, ...]
    overall: tuple[float, ...]
    levels: tuple[str, ...]
    means: tuple[tuple[float, ...], ...]

    def feature_names(self, name: str) -> tuple[str, ...]:
        """Return the features a category becomes."""
        return tuple(f"{name}.mean" if not output else f"{name}.mean of {output}" for output in self.outputs)

    def transform(self, name: str, values: Array) -> tuple[Floats, int]:
        """Return the features (n, outputs) of a category (n,), and how many values were unseen; missing is NaN."""
        codes, unseen = to_codes(name, values, self._codebook)
        known = ~np.isnan(codes)
        found = np.where(_missing_rows(values)[:, None], np.nan, np.array(self.overall)[None, :])
        found[known] = self._table[codes[known].astype(np.int64)]
        return found, unseen

    @cached_property
    def _codebook(self) -> Mapping[str, float]:
        return {level: float(code) for code, level in enumerate(self.levels)}

    @cached_property
    def _table(self) -> Floats:
        return np.array(self.means, dtype=np.float64).reshape(len(self.levels), len(self.outputs))


def outcomes(labels: Floats, classes: Sequence[str], groups: NDArray[np.uint64] | None = None) -> Outcomes:
    """Return what means are made of: the labels themselves, or one indicator for each of the most frequent classes."""
    if not classes:
        return Outcomes(("",), labels[:, None], groups)
    known = labels[~np.isnan(labels)].astype(np.int64)
    counts = np.bincount(known, minlength=len(classes))
    kept = sorted(np.argsort(-counts, kind="stable")[:MOST_OUTPUTS].tolist())
    columns = [np.where(np.isnan(labels), np.nan, (labels == code).astype(np.float64)) for code in kept]
    return Outcomes(tuple(classes[code] for code in kept), np.column_stack(columns), groups)


def fit(name: str, values: Array, most: int, seen: Outcomes) -> LevelMeans:
    """Fit the means of the `most` most frequent levels of a category (n,) of training rows."""
    levels = most_frequent_levels(name, values, most)
    codes, _ = to_codes(name, values, {level: float(code) for code, level in enumerate(levels)})
    overall = _overall(seen.values)
    means = _smoothed(codes, seen.values, overall, len(levels))
    return LevelMeans(seen.names, _rounded(overall), levels, tuple(_rounded(row) for row in means))


def without_own_label(fitted: LevelMeans, name: str, values: Array, seen: Outcomes) -> Floats:
    """Return the features (n, outputs) of the rows the means were fitted on, each made without its own fold."""
    found, _ = fitted.transform(name, values)
    codes, _ = to_codes(name, values, fitted._codebook)  # noqa: SLF001  of this module
    known = ~np.isnan(codes)
    fold = seen.folds
    for one in range(FOLDS):
        rest, mine = fold != one, (fold == one) & known
        if not mine.any() or not rest.any():
            continue
        overall = _overall(seen.values[rest])
        means = _smoothed(codes[rest], seen.values[rest], overall, len(fitted.levels))
        found[mine] = means[codes[mine].astype(np.int64)]
    return found


def _overall(values: Floats) -> Floats:
    labelled = ~np.isnan(values[:, 0])
    return values[labelled].mean(axis=0) if labelled.any() else np.zeros(values.shape[1])


def _smoothed(codes: Array, values: Floats, overall: Floats, levels: int) -> Floats:
    used = ~np.isnan(codes) & ~np.isnan(values[:, 0])
    at = codes[used].astype(np.int64)
    counts = np.bincount(at, minlength=levels)
    sums = np.column_stack([np.bincount(at, weights=column, minlength=levels) for column in values[used].T])
    return np.asarray((sums + SMOOTHING * overall) / (counts + SMOOTHING)[:, None], dtype=np.float64)


def _missing_rows(values: Array) -> NDArray[np.bool_]:
    """Return which rows have no value: they match no level and are not unseen either."""
    if values.dtype.kind == "O":
        return np.array([value is None for value in values.tolist()], dtype=bool)
    return np.isnan(values.astype(np.float64))


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values.tolist())
