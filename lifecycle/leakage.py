"""Columns that alone predict the label: a leak, named before anybody believes the model.

Each feature is cut into bins on the training rows, each bin predicts its mean label, and that guess is judged
on later rows. So a threshold, a U shape, a category or a missing value that gives the label away all show. It
finds no leak that needs two columns together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.metrics import Floats, TaskKind, value

Matrix = NDArray[np.float32]
# A bin needs some rows for its mean to be an estimate; 256 bins leave the threshold's own bin 1/256 of the rows.
_MAX_BINS, _MIN_BIN_ROWS = 256, 20


@dataclass(frozen=True)
class Leak:
    """A feature that alone reaches `strength`: AUC for a binary task, correlation for a regression."""

    feature: str
    strength: float


@dataclass(frozen=True)
class Part:
    """The feature matrix (n, k) of some rows, and their labels (n,)."""

    matrix: Matrix
    labels: Floats


def leaks(names: Sequence[str], task: TaskKind, train: Part, later: Part, threshold: float) -> tuple[Leak, ...]:
    """Return the features that alone reach the threshold on the later rows, strongest first."""
    found = [Leak(name, _strength(task, train, later, index)) for index, name in enumerate(names)]
    return tuple(sorted((leak for leak in found if leak.strength >= threshold), key=lambda leak: -leak.strength))


def _strength(task: TaskKind, train: Part, later: Part, index: int) -> float:
    column, unseen = train.matrix[:, index], later.matrix[:, index]
    edges = _edges(column)
    bins, means = _bins(column, edges), np.full(len(edges) + 2, train.labels.mean())
    counts = np.bincount(bins, minlength=len(means))
    sums = np.bincount(bins, weights=train.labels, minlength=len(means))
    means[counts > 0] = sums[counts > 0] / counts[counts > 0]
    guess = means[_bins(unseen, edges)]
    if task == "binary":
        return value("auc", later.labels, guess)
    if np.ptp(guess) == 0 or np.ptp(later.labels) == 0:
        return 0.0
    return float(np.corrcoef(guess, later.labels)[0, 1])


def _edges(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the inner bin edges of a column: every value when there are few, else quantiles."""
    present = column[~np.isnan(column)]
    distinct = np.unique(present)
    if len(distinct) <= _MAX_BINS:
        return distinct[1:]
    bins = int(np.clip(len(present) // _MIN_BIN_ROWS, 2, _MAX_BINS))
    return np.unique(np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1]).astype(np.float32))


def _bins(column: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the bin of each value; missing values have the last one to themselves."""
    placed = np.searchsorted(edges, column, side="right")
    placed[np.isnan(column)] = len(edges) + 1
    return placed.astype(np.int64)
