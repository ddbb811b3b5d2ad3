"""The metrics, each as one function of row weights, so that a point value and its bootstrap share the code.

A metric that cannot be computed is NaN, never a sentinel. Nothing is decided here.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Metric = Literal["auc", "average_precision", "log_loss", "brier", "accuracy", "rmse", "mae", "poisson_deviance", "r2"]
# `counts`: how often something happens, 0 or more, told as the expected number.
TaskKind = Literal["binary", "multiclass", "regression", "counts"]
Floats = NDArray[np.float64]
Weights = NDArray[np.int64] | NDArray[np.float64]
Statistic = Callable[[Weights], float]

METRICS: tuple[Metric, ...] = get_args(Metric)
_OF_TASK: dict[TaskKind, tuple[Metric, ...]] = {
    "binary": ("auc", "average_precision", "log_loss", "brier"),
    "multiclass": ("auc", "log_loss", "accuracy"),
    "regression": ("rmse", "mae", "r2"),
    "counts": ("poisson_deviance", "rmse", "mae", "r2"),
}
_HIGHER: frozenset[Metric] = frozenset({"auc", "average_precision", "accuracy", "r2"})
# These say nothing about rows of one class.
_RANKS: frozenset[Metric] = frozenset({"auc", "average_precision"})
# Scores are float32, whose distance to one is 6e-8: a nearer probability is rounding, not certainty.
_CLIP = 1e-7
# Ten bins of equal count: the usual number, and at 1,000 rows a bin still holds a hundred.
CALIBRATION_BINS = 10


def metrics_of(task: TaskKind) -> tuple[Metric, ...]:
    """Return the metrics that mean something for a task."""
    return _OF_TASK[task]


def higher_is_better(metric: Metric) -> bool:
    """Say in which direction a metric improves."""
    return metric in _HIGHER


def needs_two_classes(metric: Metric) -> bool:
    """Say whether a metric only ranks rows of different classes, so that rows of one class have no value."""
    return metric in _RANKS


def statistic(metric: Metric, labels: Floats, scores: Floats) -> Statistic:
    """Return the metric of fixed labels (n,) and scores as a function of row weights (n,), 0 or more.

    Scores are (n,), or (n, classes) with labels that are the codes of the classes.
    """
    if metric == "auc":
        return _auc(labels, scores) if scores.ndim == 1 else _auc_of_classes(labels, scores)
    if metric == "average_precision":
        return _average_precision(labels, scores)
    if metric == "r2":
        return _explained(labels, scores)
    losses = _losses(metric, labels, scores)

    def mean(weights: Weights) -> float:
        total = float(weights.sum())
        if total == 0:
            return float("nan")
        value = float(weights @ losses) / total
        return float(np.sqrt(value)) if metric == "rmse" else value

    return mean


def value(metric: Metric, labels: Floats, scores: Floats, weights: Floats | None = None) -> float:
    """Return one metric of labels and scores (n,), each row counting once or by its weight; NaN when not computable."""
    return statistic(metric, labels, scores)(np.ones(len(labels), dtype=np.int64) if weights is None else weights)


def improvement(metric: Metric, champion: float, challenger: float) -> float:
    """Return by how much the challenger is better, positive when it is.

    For AUC the difference; for a loss the share of the champion's loss that is gone, so that one threshold
    fits any unit. NaN when either is NaN, or when the champion's loss is zero.
    """
    if higher_is_better(metric):
        return challenger - champion
    return (champion - challenger) / champion if champion > 0 else float("nan")


def confidence(labels: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return outcomes and scores (n,): as they are, or of many classes whether the likeliest came, and its chance."""
    if scores.ndim == 1:
        return labels, scores
    return (scores.argmax(axis=1) == labels).astype(np.float64), scores.max(axis=1)


def calibration_error(labels: Floats, scores: Floats, weights: Floats | None = None) -> float:
    """Return the mean distance between score and outcome over bins of equal count, in the label's unit."""
    counted = np.ones(len(labels)) if weights is None else weights
    total = float(counted.sum())
    if total == 0 or not np.isfinite(scores).all():
        return float("nan")
    happened, said = confidence(labels, scores)
    gaps = counted * (said - happened)
    parts = np.array_split(np.argsort(said, kind="stable"), CALIBRATION_BINS)
    return sum(abs(float(gaps[part].sum())) for part in parts) / total


def _auc(labels: Floats, scores: Floats) -> Statistic:
    """Count, for each positive row, the weight of negative rows scored below it; a tie counts half.

    Exact also with ties; sorting is done once, so that a resample costs one cumulative sum.
    """
    if not np.isfinite(scores).all():
        return lambda _: float("nan")
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels != 1)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    positives = positives[np.argsort(scores[positives], kind="stable")]
    below = np.searchsorted(scores[negatives], scores[positives], side="left")
    through = np.searchsorted(scores[negatives], scores[positives], side="right")

    def area(weights: Weights) -> float:
        cumulative = np.concatenate(([0], np.cumsum(weights[negatives])))
        weight = weights[positives]
        pairs = float(cumulative[-1]) * float(weight.sum())
        if pairs == 0:
            return float("nan")
        wins = float(weight @ (cumulative[below] + cumulative[through]))
        return wins / (2 * pairs)

    return area


def _auc_of_classes(labels: Floats, scores: Floats) -> Statistic:
    """Return the mean AUC of each class against the others, weighted by how many rows each class has."""
    codes = [code for code in range(scores.shape[1]) if (labels == code).any()]
    parts = [(labels == code, _auc((labels == code).astype(np.float64), scores[:, code])) for code in codes]

    def mean(weights: Weights) -> float:
        found = [(float(weights[mine].sum()), area(weights)) for mine, area in parts]
        counted = [(rows, value) for rows, value in found if rows and not np.isnan(value)]
        total = sum(rows for rows, _ in counted)
        return sum(rows * value for rows, value in counted) / total if total else float("nan")

    return mean


def _average_precision(labels: Floats, scores: Floats) -> Statistic:
    """Sum precision over the steps of recall, as scikit-learn does; rows of one score are one step."""
    if not np.isfinite(scores).all():
        return lambda _: float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positive = (labels[order] == 1).astype(np.int64)

    def area(weights: Weights) -> float:
        drawn = weights[order]
        hits, rows = np.cumsum(drawn * positive)[ends], np.cumsum(drawn)[ends]
        if not len(ends) or hits[-1] == 0 or hits[-1] == rows[-1]:
            return float("nan")
        precision = hits / np.where(rows > 0, rows, 1)
        return float(np.diff(hits, prepend=0) @ precision) / float(hits[-1])

    return area


def _explained(labels: Floats, scores: Floats) -> Statistic:
    """Return the share of the labels' variance that the scores explain, below 0 for worse than their mean."""
    errors = np.square(labels - scores)
    labels = labels - labels.mean() if len(labels) else labels  # of large numbers squares have no digits left
    squares = np.square(labels)

    def share(weights: Weights) -> float:
        total = float(weights.sum())
        if total == 0:
            return float("nan")
        variance = float(weights @ squares) / total - (float(weights @ labels) / total) ** 2
        return 1 - float(weights @ errors) / total / variance if variance > 0 else float("nan")

    return share


def _losses(metric: Metric, labels: Floats, scores: Floats) -> Floats:
    if scores.ndim > 1:
        if metric == "accuracy" and np.isfinite(scores).all():
            return confidence(labels, scores)[0]
        mine = scores[np.arange(len(labels)), labels.astype(np.int64)]
        return np.asarray(-np.log(np.clip(mine, _CLIP, 1)), dtype=np.float64)
    if metric == "log_loss":
        likely = np.clip(scores, _CLIP, 1 - _CLIP)
        return np.asarray(-(labels * np.log(likely) + (1 - labels) * np.log1p(-likely)), dtype=np.float64)
    if metric == "mae":
        return np.abs(labels - scores)
    if metric == "poisson_deviance":
        expected = np.maximum(scores, _CLIP)
        surprise = labels * np.log(np.where(labels > 0, labels / expected, 1.0))
        return np.asarray(2 * (surprise - labels + expected), dtype=np.float64)
    return np.square(labels - scores)
