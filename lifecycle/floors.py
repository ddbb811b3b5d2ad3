"""The worst a first model may be: better than luck by more than luck allows, on as many rows as will judge it.

A floor is derived, never chosen: for a model that knows nothing of the target, each metric has a known mean and
spread on a holdout of a known size, and the floor lies four spreads above. A model of shuffled labels passes once
in thirty thousand, so such a floor can fail, and does for every model that has learned nothing.
"""

from __future__ import annotations

import numpy as np

from lifecycle.metrics import Floats, Metric, TaskKind, value

# Four standard deviations: 3 in 100,000 by luck. At 3 it were 1 in 740, too many for gates that are run daily.
SPREADS = 4.0
# AP has no closed form; its mean and spread settle to a per cent in so many draws.
_DRAWS, _SEED = 400, 17
# Below such a share of positives an AUC says little about the few that matter.
RARE = 0.05
_DIGITS = 3


def deciding_metric(task: TaskKind, labels: Floats) -> Metric:
    """Return the metric that decides between models of a task."""
    if task == "binary":
        share = float(labels.mean())
        return "average_precision" if min(share, 1 - share) < RARE else "auc"
    metrics: dict[TaskKind, Metric] = {
        "multiclass": "log_loss",
        "regression": "rmse",
        "counts": "poisson_deviance",
    }
    return metrics[task]


def floors(task: TaskKind, labels: Floats, judging: int) -> dict[Metric, float]:
    """Return the floors for known labels (n,), of which about `judging` rows will judge. Codes for classes.

    A number is held to a share of the variance, since a loss in its own unit is luck as well: of 800 skewed numbers
    the deviation alone differs by a tenth. By luck a guess correlates with n outcomes by 1/sqrt(n), and explains at
    most the square of that.
    """
    if task == "binary":
        found: dict[Metric, float] = {"auc": _auc(float(labels.mean()), judging)}
        if deciding_metric(task, labels) == "average_precision":
            found = {"average_precision": _average_precision(float(labels.mean()), judging), **found}
        return found
    if task == "multiclass":
        return {"auc": _auc_of_classes(labels, judging)}
    return {"r2": _up(SPREADS**2 / max(judging, 1))}


def _auc(share: float, judging: int) -> float:
    """0.5 and four times sqrt((p + n + 1) / (12 p n)), the spread of Mann and Whitney's statistic."""
    positives, negatives = max(share * judging, 1.0), max((1 - share) * judging, 1.0)
    spread = np.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    return _up(0.5 + SPREADS * float(spread))


def _auc_of_classes(labels: Floats, judging: int) -> float:
    """Return the floor of the weighted mean, as if the classes' luck came together: rather too high than too low."""
    shares = np.bincount(labels.astype(np.int64)) / len(labels)
    return _up(float(sum(share * _auc(float(share), judging) for share in shares if share)))


def _average_precision(share: float, judging: int) -> float:
    """Return four spreads above the mean of random orders, drawn with a fixed seed."""
    positives = max(round(share * judging), 1)
    labels = np.zeros(max(judging, positives + 1))
    labels[:positives] = 1
    random = np.random.default_rng(_SEED)
    drawn = [value("average_precision", labels, random.random(len(labels))) for _ in range(_DRAWS)]
    return _up(float(np.mean(drawn) + SPREADS * np.std(drawn)))


def _up(number: float) -> float:
    return min(float(np.ceil(number * 10**_DIGITS) / 10**_DIGITS), 0.999)
