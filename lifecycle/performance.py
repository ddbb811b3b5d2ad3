"""How well a model did on rows whose labels came, compared with its own holdout. Pure.

Only windows whose labels had time to come are looked at: rows labelled early are not like the others. p-values: of
the normal curve around the bootstrap's spread for performance, of the folded normal for calibration, of the binomial
tail for labels that are missing or late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle import chance
from lifecycle.chance import Hits
from lifecycle.measurement import Gap, Limits, Measurement, Metric, Sample, blind, dropped, shared
from lifecycle.metrics import Floats, higher_is_better, improvement, statistic
from lifecycle.metrics import Metric as Score
from lifecycle.monitoring import OutcomePolicy
from lifecycle.profiles import Reference
from lifecycle.watched import watched_labels, watched_scores

# More resampled rows than this take half a minute and settle nothing further.
_RESAMPLED = 30_000_000
_NORMAL = NormalDist()
# Mean and variance of the distance of a standard normal number from zero.
_FOLDED, _FOLDED_SPREAD = math.sqrt(2 / math.pi), 1 - 2 / math.pi


class Realised(BaseModel):
    """A metric of the predictions made from `since` to `until`, with its bootstrap interval; None: not computable.

    `provisional`: more labels may still come. `final`: the window is matured and enough of it is labelled.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: Score
    since: AwareDatetime
    until: AwareDatetime
    state: Literal["provisional", "final"]
    predictions: int
    labels: int
    value: float | None
    lower: float | None
    upper: float | None
    spread: float | None
    holdout: float | None

    @property
    def coverage(self) -> float:
        """Return the share of predictions with a label, within 0 and 1."""
        return self.labels / self.predictions if self.predictions else 0.0


@dataclass(frozen=True)
class Outcomes:
    """Predictions made in [since, until), and of those that have a label: labels (n,), scores (n,) or (n, classes)."""

    since: datetime
    until: datetime
    predictions: int
    labels: Floats
    scores: Floats


class Bootstrap(NamedTuple):
    """A metric, its percentile interval and its standard error."""

    value: float
    lower: float
    upper: float
    spread: float


def matures_at(until: datetime, policy: OutcomePolicy) -> datetime | None:
    """Return when the labels of a window are due; None where none are expected."""
    return None if policy.due is None else until + policy.due


def bootstrap(metric: Score, labels: Floats, scores: Floats, policy: OutcomePolicy) -> Bootstrap:
    """Return a metric of one model with its interval: the same for the same seed, NaN when not computable.

    Rows are resampled at most thirty million times in all, so a large window gets fewer resamples.
    """
    of_weights, rows = statistic(metric, labels, scores), len(labels)
    point = of_weights(np.ones(rows, dtype=np.int64))
    if not rows or not math.isfinite(point):
        return Bootstrap(math.nan, math.nan, math.nan, math.nan)
    random = np.random.default_rng(policy.seed)
    resamples = min(policy.resamples, max(200, _RESAMPLED // rows))
    found = np.array(
        [of_weights(np.bincount(random.integers(0, rows, rows), minlength=rows)) for _ in range(resamples)]
    )
    tail = (1 - policy.confidence) / 2
    lower, upper = np.quantile(found, [tail, 1 - tail])
    return Bootstrap(point, float(lower), float(upper), float(found.std()))


def is_covered(labels: int, predictions: int, policy: OutcomePolicy) -> bool:
    """Say whether enough of a window's predictions have their label to speak for all of them."""
    return labels >= max(policy.min_labels, (1 - policy.unlabelled.warn) * predictions)


def realise(metric: Score, reference: Reference, seen: Outcomes, policy: OutcomePolicy, now: datetime) -> Realised:
    """Say how well the model did on a window so far."""
    found = bootstrap(metric, seen.labels, seen.scores, policy)
    due = matures_at(seen.until, policy)
    matured = due is not None and now >= due and is_covered(len(seen.labels), seen.predictions, policy)
    return Realised(
        metric=metric,
        since=seen.since,
        until=seen.until,
        state="final" if matured else "provisional",
        predictions=seen.predictions,
        labels=len(seen.labels),
        value=_number(found.value),
        lower=_number(found.lower),
        upper=_number(found.upper),
        spread=_number(found.spread),
        holdout=reference.metrics.get(metric),
    )


def performance(found: Realised, reference: Reference, policy: OutcomePolicy) -> Sample | Measurement:
    """Measure by how much the model did worse than on its holdout: AUC points, or a share of the holdout's loss.

    The holdout's own uncertainty counts: it is taken to spread as the window does, by its number of rows.
    """
    if found.holdout is None or not reference.holdout.rows:
        return blind(Metric.PERFORMANCE, None, found.labels, Gap.NO_REFERENCE)
    if found.state != "final":
        return blind(Metric.PERFORMANCE, None, found.labels, Gap.NOT_MATURED)
    if found.value is None or found.spread is None:
        return blind(Metric.PERFORMANCE, None, found.labels, Gap.NOT_COMPUTABLE)
    spread = found.spread * math.sqrt(1 + found.labels / reference.holdout.rows)
    if not higher_is_better(found.metric):
        spread /= found.holdout or math.nan
    drop = -improvement(found.metric, found.holdout, found.value)
    limits = policy.drop(higher_is_better=higher_is_better(found.metric))
    return dropped(Metric.PERFORMANCE, drop, spread, found.labels, limits)


def calibration(seen: Outcomes, reference: Reference, limits: Limits) -> Sample | Measurement:
    """Measure the mean distance of score and outcome over the score bins, above what the holdout had.

    Chance alone makes a distance: of each bin that of a folded normal number with the bin's own variance.
    """
    if not len(seen.labels):
        return blind(Metric.CALIBRATION, None, 0, Gap.NOT_MATURED)
    usual = reference.holdout.calibration_error
    if usual is None:
        return blind(Metric.CALIBRATION, None, len(seen.labels), Gap.NO_REFERENCE)
    scores, labels = watched_scores(seen.scores), watched_labels(seen.scores, seen.labels)
    if not ((scores >= 0) & (scores <= 1)).all():
        return blind(Metric.CALIBRATION, None, len(seen.labels), Gap.NOT_COMPUTABLE)
    rows, bins = len(labels), len(reference.scores.counts)
    where = np.searchsorted(np.asarray(reference.scores.edges), scores, side="left")
    gaps = np.abs(np.bincount(where, weights=scores - labels, minlength=bins))
    variances = np.bincount(where, weights=scores * (1 - scores), minlength=bins)
    spread = math.sqrt(_FOLDED_SPREAD * float(variances.sum())) / rows
    centre = _FOLDED * float(np.sqrt(variances).sum()) / rows
    error = float(gaps.sum()) / rows
    level = usual + centre + _NORMAL.inv_cdf(chance.CONFIDENCE) * spread
    return Sample(
        metric=Metric.CALIBRATION,
        column=None,
        n=rows,
        statistic=error,
        limits=limits,
        chance=level,
        p=1 - _NORMAL.cdf((error - usual - centre) / spread) if spread > 0 else math.nan,
        power=_NORMAL.cdf((usual + centre + limits.breach - max(usual + limits.warn, level)) / spread)
        if spread > 0
        else math.nan,
        usual=usual,
    )


def unlabelled(seen: Outcomes, limits: Limits) -> Sample | Measurement:
    """Measure which share of the predictions of a matured window has no label."""
    if not seen.predictions:
        return blind(Metric.UNLABELLED, None, 0, Gap.NO_TRAFFIC)
    return shared(Metric.UNLABELLED, Hits(seen.predictions - len(seen.labels), seen.predictions), limits)


def late(delays: Floats, due: timedelta, limits: Limits) -> Sample | Measurement:
    """Measure which share of labels came later than promised; `delays` (n,) in seconds."""
    if not len(delays):
        return blind(Metric.DELAY, None, 0, Gap.NOT_MATURED)
    return shared(Metric.DELAY, Hits(int((delays > due.total_seconds()).sum()), len(delays)), limits)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
