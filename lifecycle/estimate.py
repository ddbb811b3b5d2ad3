"""What a model's performance probably is before labels come: confidence-based estimation. Pure.

A calibrated score is a chance, so the scores of a window alone say which performance to expect of them, as long as
the same score still means the same chance. It is therefore blind to concept drift, shown with its own past error,
and withheld where calibration was never known or was found broken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lifecycle.measurement import Gap, Limits, Measurement, Metric, Sample, blind, dropped
from lifecycle.metrics import Floats, improvement
from lifecycle.metrics import Metric as Score
from lifecycle.profiles import Reference
from lifecycle.sketch import Sketch
from lifecycle.sketching import UNIT

# Expected of a row's chance and score alone; a rank metric of the rarest rows is not.
ESTIMATED: tuple[Score, ...] = ("auc", "log_loss", "brier", "accuracy")
# A hundred redraws settle a standard error to a fourteenth, and cost milliseconds on twenty bins.
_REDRAWS = 100
_EVEN = 0.5
_CLIP = 1e-7


@dataclass(frozen=True)
class Calibration:
    """A monotone map from score to chance: straight lines between points, flat beyond them."""

    scores: Floats
    likely: Floats

    def __call__(self, scores: Floats) -> Floats:
        """Return the chances (n,) of scores (n,)."""
        return np.asarray(np.interp(scores, self.scores, self.likely), dtype=np.float64)


class Past(NamedTuple):
    """What was estimated of a window and what its labels then said."""

    estimated: float
    realised: float


def isotonic(scores: Floats, labels: Floats, weights: Floats | None = None) -> Calibration:
    """Fit the non-decreasing map of scores (n,) to labels (n,) with the least squares, by pooling neighbours.

    Equal scores are one point. Raises ValueError without a row.
    """
    if not len(scores):
        raise ValueError("No scores to calibrate by.")
    weights = np.ones(len(scores)) if weights is None else weights
    places, where = np.unique(scores, return_inverse=True)
    heavy = np.bincount(where, weights=weights)
    means = np.bincount(where, weights=weights * labels) / heavy
    pools: list[tuple[float, float, int]] = []
    for mean, weight in zip(means.tolist(), heavy.tolist(), strict=True):
        pool = (mean, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            before = pools.pop()
            total = before[1] + pool[1]
            pool = ((before[0] * before[1] + pool[0] * pool[1]) / total, total, before[2] + pool[2])
        pools.append(pool)
    likely = np.repeat([mean for mean, _, _ in pools], [points for _, _, points in pools])
    return Calibration(places, np.asarray(likely, dtype=np.float64))


def expected(metric: Score, likely: Floats, scores: Floats, weights: Floats | None = None) -> float:
    """Return the metric that rows with these chances (n,) and scores (n,) are expected to have; NaN if none is.

    `weights`: how many rows each stands for.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    if not len(scores):
        return math.nan
    if metric == "auc":
        places, where = np.unique(scores, return_inverse=True)
        ups, heavy = _summed(where, weights * likely), _summed(where, weights)
        likely = np.divide(ups, heavy, out=np.zeros_like(ups), where=heavy > 0)
        scores, weights = places, heavy
    return float(_expected(metric, likely, scores, weights[None, :])[0])


def _expected(metric: Score, likely: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the metric per row of weights (m, n); for AUC the scores must ascend."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "auc":
            ups, downs = weights * likely, weights * (1 - likely)
            below = np.cumsum(downs, axis=1) - downs
            pairs = ups.sum(axis=1) * downs.sum(axis=1)
            return np.asarray((ups * (below + downs / 2)).sum(axis=1) / pairs, dtype=np.float64)
        return np.asarray(weights @ _each(metric, likely, scores) / weights.sum(axis=1), dtype=np.float64)


def _summed(where: NDArray[np.intp], weights: Floats) -> Floats:
    return np.asarray(np.bincount(where, weights=weights), dtype=np.float64)


def _each(metric: Score, likely: Floats, scores: Floats) -> Floats:
    """Return what each row is expected to add (n,)."""
    if metric == "accuracy":
        return np.where(scores >= _EVEN, likely, 1 - likely)
    if metric == "brier":
        return likely * np.square(1 - scores) + (1 - likely) * np.square(scores)
    if metric == "log_loss":
        sure = np.clip(scores, _CLIP, 1 - _CLIP)
        return np.asarray(-(likely * np.log(sure) + (1 - likely) * np.log1p(-sure)), dtype=np.float64)
    return np.full(len(scores), np.nan)


@dataclass(frozen=True)
class Estimate:
    """The expected metric of a window, of the holdout by the same bins, and how far estimates were off before.

    `noise`: standard error of their difference. `past_error`: root mean square over `windows` of the past, None
    without any.
    """

    metric: Score
    value: float
    holdout: float
    noise: float
    past_error: float | None
    windows: int


def estimate(metric: Score, reference: Reference, window: Sketch, past: Sequence[Past], seed: int) -> Estimate:
    """Estimate the metric of a window from its scores, with the holdout's labels as calibration."""
    counts = np.asarray(reference.scores.counts, dtype=np.float64)
    now = np.asarray(window.scored.counts, dtype=np.float64)
    used, places = counts > 0, np.arange(len(counts), dtype=np.float64)
    rates = np.divide(np.asarray(reference.holdout.labels), counts, out=np.zeros_like(counts), where=used)
    likely = isotonic(places[used], rates[used], counts[used])(places)
    means = np.asarray(window.score_sums, dtype=np.float64) / UNIT
    scores = np.divide(means, now, out=likely.copy(), where=now > 0)
    # Where a loss wants the scores themselves, both sides get those of the window: only how often each comes differs.
    shown = places if metric == "auc" else scores
    drops = _drops(metric, (likely, shown), (counts, now), seed)
    errors = [one.estimated - one.realised for one in past if math.isfinite(one.estimated - one.realised)]
    return Estimate(
        metric=metric,
        value=expected(metric, likely, shown, now),
        holdout=expected(metric, likely, shown, counts),
        noise=float(np.std(drops)) if len(drops) else math.nan,
        past_error=math.sqrt(sum(error**2 for error in errors) / len(errors)) if errors else None,
        windows=len(errors),
    )


def _drops(metric: Score, rows: tuple[Floats, Floats], counts: tuple[Floats, Floats], seed: int) -> Floats:
    """Redraw both samples and return how much worse the second came out; nothing without rows on both sides."""
    if not all(one.sum() for one in counts):
        return np.empty(0)
    random = np.random.default_rng(seed)
    redrawn = [random.multinomial(int(one.sum()), one / one.sum(), size=_REDRAWS).astype(np.float64) for one in counts]
    before, after = (_expected(metric, *rows, one) for one in redrawn)
    return np.array([-improvement(metric, *pair) for pair in zip(before.tolist(), after.tolist(), strict=True)])


def sample(found: Estimate, rows: int, limits: Limits, *, calibrated: bool) -> Sample | Measurement:
    """Measure by how much the model is expected to be worse than on the holdout.

    p: of the normal curve. Its spread holds the past error, so an estimate that used to be off says nothing soon.
    """
    if not calibrated:
        return blind(Metric.ESTIMATE, None, rows, Gap.NOT_CALIBRATED)
    if rows == 0:
        return blind(Metric.ESTIMATE, None, rows, Gap.NO_TRAFFIC)
    drop = -improvement(found.metric, found.holdout, found.value)
    spread = math.hypot(found.noise, found.past_error or 0.0)
    return dropped(Metric.ESTIMATE, drop, spread, rows, limits)
