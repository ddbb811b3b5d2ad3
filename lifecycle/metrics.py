"""The metrics, each as one function of row weights, so that a point value and its bootstrap share the code.

A metric that cannot be computed is NaN, never a sentinel. Nothing is decided here.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Metric = Literal["auc", "log_loss", "brier", "rmse", "mae"]
TaskKind = Literal["binary", "regression"]
Floats = NDArray[np.float64]
Weights = NDArray[np.int64]
Statistic = Callable[[Weights], float]

METRICS: tuple[Metric, ...] = get_args(Metric)
# Scores are float32, whose distance to one is 6e-8: a nearer probability is rounding, not certainty.
_CLIP = 1e-7
# Ten bins of equal count: the usual number, and at 1,000 rows a bin still holds a hundred.
CALIBRATION_BINS = 10


def metrics_of(task: TaskKind) -> tuple[Metric, ...]:
    """Return the metrics that mean something for a task."""
    return ("auc", "log_loss", "brier") if task == "binary" else ("rmse", "mae")


def higher_is_better(metric: Metric) -> bool:
    """Say in which direction a metric improves."""
    return metric == "auc"


def statistic(metric: Metric, labels: Floats, scores: Floats) -> Statistic:
    """Return the metric of fixed labels and scores (n,) as a function of integer row weights (n,)."""
    if metric == "auc":
        return _auc(labels, scores)
    losses = _losses(metric, labels, scores)

    def mean(weights: Weights) -> float:
        total = int(weights.sum())
        if total == 0:
            return float("nan")
        value = float(weights @ losses) / total
        return float(np.sqrt(value)) if metric == "rmse" else value

    return mean


def value(metric: Metric, labels: Floats, scores: Floats) -> float:
    """Return one metric of labels and scores (n,); NaN when it cannot be computed."""
    return statistic(metric, labels, scores)(np.ones(len(labels), dtype=np.int64))


def improvement(metric: Metric, champion: float, challenger: float) -> float:
    """Return by how much the challenger is better, positive when it is.

    For AUC the difference; for a loss the share of the champion's loss that is gone, so that one threshold
    fits any unit. NaN when either is NaN, or when the champion's loss is zero.
    """
    if higher_is_better(metric):
        return challenger - champion
    return (champion - challenger) / champion if champion > 0 else float("nan")


def calibration_error(labels: Floats, scores: Floats, bins: int = CALIBRATION_BINS) -> float:
    """Return the mean distance between score and outcome over bins of equal count, in the label's unit."""
    if not len(labels) or not np.isfinite(scores).all():
        return float("nan")
    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), bins) if len(part)]
    return float(sum(abs(float(scores[part].sum() - labels[part].sum())) for part in parts) / len(labels))


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
        pairs = int(cumulative[-1]) * int(weight.sum())
        if pairs == 0:
            return float("nan")
        wins = int(weight @ (cumulative[below] + cumulative[through]))
        return wins / (2 * pairs)

    return area


def _losses(metric: Metric, labels: Floats, scores: Floats) -> Floats:
    if metric == "log_loss":
        likely = np.clip(scores, _CLIP, 1 - _CLIP)
        return np.asarray(-(labels * np.log(likely) + (1 - labels) * np.log1p(-likely)), dtype=np.float64)
    if metric == "mae":
        return np.abs(labels - scores)
    return np.square(labels - scores)
