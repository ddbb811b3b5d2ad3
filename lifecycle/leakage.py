"""Columns that alone predict the label: a leak, named before anybody believes the model.

Each feature is cut into bins on the training rows, each bin predicts its mean label, and that guess is judged
on later rows. So a threshold, a U shape, a category or a missing value that gives the label away all show. Of two
classes the plain order of the values is judged as well: bins blur a column that runs along with the label. It finds
no leak that needs two columns together.

On few rows a good feature may look like a leak: named is what lies above the threshold by two standard errors.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.metrics import Floats, TaskKind, value

Matrix = NDArray[np.float32]
# One good feature in forty is named by chance at the threshold itself, none far below it.
_STANDARD_ERRORS = 2.0
# A bin needs some rows for its mean to be an estimate; 256 bins leave the threshold's own bin 1/256 of the rows.
_MAX_BINS, _MIN_BIN_ROWS = 256, 20


@dataclass(frozen=True)
class Leak:
    """A feature that alone reaches `strength`.

    AUC for a binary task, the share of wrong guesses it does away with for classes, correlation for numbers.
    """

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
    sure = [leak for leak in found if leak.strength >= threshold and _at_least(task, leak, later.labels) >= threshold]
    return tuple(sorted(sure, key=lambda leak: -leak.strength))


def subjects(grain: Collection[str], time: str | None, levels: Collection[str]) -> frozenset[str]:
    """Return the columns of levels that say, beside the time, whom a row is about: a shop, of shop and day.

    Known before anything happens, so none is a leak, though shops of very different sizes tell the target nearly alone.
    """
    return frozenset(grain) & frozenset(levels) if time in grain else frozenset()


def _at_least(task: TaskKind, leak: Leak, labels: Floats) -> float:
    """Return a strength less two standard errors: of an AUC by Hanley and McNeil (1982), of a correlation by Fisher."""
    strength, rows = leak.strength, len(labels)
    if task == "binary":
        positives = int(labels.sum())
        negatives = max(rows - positives, 1)
        one, two = strength / (2 - strength) - strength**2, 2 * strength**2 / (1 + strength) - strength**2
        variance = (strength * (1 - strength) + (positives - 1) * one + (negatives - 1) * two) / (positives * negatives)
        return strength - _STANDARD_ERRORS * float(np.sqrt(max(variance, 0.0)))
    if task == "multiclass":
        errors = int(rows - np.bincount(labels.astype(np.int64)).max())
        left = (1 - strength) * errors
        return 1 - (left + _STANDARD_ERRORS * float(np.sqrt(left))) / errors if errors else 0.0
    if rows <= 3 or strength >= 1:  # noqa: PLR2004  the formula divides by rows - 3
        return strength
    return float(np.tanh(np.arctanh(strength) - _STANDARD_ERRORS / np.sqrt(rows - 3)))


def _strength(task: TaskKind, train: Part, later: Part, index: int) -> float:
    column, unseen = train.matrix[:, index], later.matrix[:, index]
    edges = _edges(column)
    bins, places = _bins(column, edges), _bins(unseen, edges)
    if task == "multiclass":
        return _errors_gone(bins, train.labels, places, later.labels, len(edges) + 2)
    guess = _means(bins, train.labels, len(edges) + 2)[places]
    if task == "binary":
        return max(value("auc", later.labels, guess), _in_order(train, later, index))
    if np.ptp(guess) == 0 or np.ptp(later.labels) == 0:
        return 0.0
    return float(np.corrcoef(guess, later.labels)[0, 1])


def _in_order(train: Part, later: Part, index: int) -> float:
    """Return the AUC of the values themselves, missing ones first, in the direction that the training rows show."""
    lowest = np.nan_to_num(train.matrix[:, index]).min() - 1
    first, then = (
        np.where(np.isnan(one), lowest, one).astype(np.float64)
        for one in (train.matrix[:, index], later.matrix[:, index])
    )
    rises = value("auc", train.labels, first) >= 0.5  # noqa: PLR2004  # a coin
    return value("auc", later.labels, then if rises else -then)


def _means(bins: NDArray[np.int64], labels: Floats, count: int) -> Floats:
    """Return the mean label of each bin, of all rows where a bin has none."""
    means = np.full(count, labels.mean())
    counts = np.bincount(bins, minlength=count)
    sums = np.bincount(bins, weights=labels, minlength=count)
    means[counts > 0] = sums[counts > 0] / counts[counts > 0]
    return means


def _errors_gone(
    bins: NDArray[np.int64], labels: Floats, places: NDArray[np.int64], later: Floats, count: int
) -> float:
    """Return the share of the errors of always guessing the most frequent class that each bin's own class avoids."""
    codes = labels.astype(np.int64)
    table = np.zeros((count, int(max(codes.max(), later.max())) + 1), dtype=np.int64)
    np.add.at(table, (bins, codes), 1)
    usual = int(table.sum(axis=0).argmax())
    guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), usual)[places]
    before = int(np.count_nonzero(later != usual))
    return 1 - int(np.count_nonzero(later != guess)) / before if before else 0.0


def _edges(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the inner bin edges of a column: every value when there are few, else quantiles.

    A value of many rows has a bin to itself: 0 where nothing was refunded says another thing than a little.
    """
    present = column[~np.isnan(column)]
    distinct = np.unique(present)
    if len(distinct) <= _MAX_BINS:
        return distinct[1:]
    bins = int(np.clip(len(present) // _MIN_BIN_ROWS, 2, _MAX_BINS))
    cuts = np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1]).astype(np.float32)
    common = cuts[1:][np.diff(cuts) == 0]
    return np.unique(np.concatenate((cuts, np.nextafter(common, np.float32(np.inf)))))


def _bins(column: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the bin of each value; missing values have the last one to themselves."""
    placed = np.searchsorted(edges, column, side="right")
    placed[np.isnan(column)] = len(edges) + 1
    return placed.astype(np.int64)
