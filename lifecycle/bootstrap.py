"""The paired bootstrap: how sure the difference between two models on the same rows is.

Both models see the same resampled rows each time, so what is hard for both cancels. Rows are taken as
independent; where they come in clusters (one storm delays a hundred flights) the interval is too narrow, which
is one reason why a minimum effect is asked for as well.
"""

from dataclasses import dataclass

import numpy as np

from lifecycle.metrics import Floats, Metric, improvement, statistic


@dataclass(frozen=True)
class Paired:
    """Labels and the scores of two models on the same rows, each (n,)."""

    labels: Floats
    champion: Floats
    challenger: Floats


@dataclass(frozen=True)
class Interval:
    """The improvement with its percentile interval; NaN bounds say that some resample could not be judged."""

    estimate: float
    lower: float
    upper: float
    confidence: float
    resamples: int


def interval(metric: Metric, paired: Paired, *, confidence: float, resamples: int, seed: int) -> Interval:
    """Return the challenger's improvement over the champion with its interval, the same for the same seed.

    28,000 rows and 1,000 resamples of AUC take half a second: drawing the rows costs as much as the metric.
    """
    champion = statistic(metric, paired.labels, paired.champion)
    challenger = statistic(metric, paired.labels, paired.challenger)
    rows = len(paired.labels)
    once = np.ones(rows, dtype=np.int64)
    estimate = improvement(metric, champion(once), challenger(once))
    if rows == 0 or np.isnan(estimate):
        return Interval(float("nan"), float("nan"), float("nan"), confidence, resamples)
    rng = np.random.default_rng(seed)
    found = np.empty(resamples)
    for index in range(resamples):
        weights = np.bincount(rng.integers(0, rows, rows), minlength=rows)
        found[index] = improvement(metric, champion(weights), challenger(weights))
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(found, [tail, 1 - tail])
    return Interval(estimate, float(lower), float(upper), confidence, resamples)
