"""One measured thing of a window, and when it counts: over a limit, never below chance, and not one of many flukes.

It looks at nothing itself: drift, serving and performance do, and hand over samples. What to do about a breach is
`lifecycle/response.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.chance import CONFIDENCE, Hits, adjusted, beyond_tail, rise_level, rise_power

State = Literal["ok", "noted", "warned", "breached", "undecidable"]
# Below even odds to notice what would be a breach, "nothing found" says nothing.
LEAST_POWER = 0.5
_NORMAL = NormalDist()
_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Metric(StrEnum):
    """What is watched. Scripts and people rely on the names; a name is never reused."""

    # inputs and features, per column, against the training profile
    PSI = "psi"
    KS = "ks"
    MISSING = "missing"
    UNSEEN = "unseen"  # levels that training never saw
    CLUMP = "clump"  # values heaped where few were: a sentinel, a stuck sensor
    # scores, against those of the holdout
    SCORES = "scores"
    # serving
    ERRORS = "errors"
    REFUSED = "refused"  # requests that broke the contract
    SLOW = "slow"
    COLD = "cold"
    # outcomes
    PERFORMANCE = "performance"
    ESTIMATE = "estimate"  # of the performance, before labels come
    CALIBRATION = "calibration"
    UNLABELLED = "unlabelled"  # share of matured predictions without a label
    DELAY = "delay"  # labels that came later than promised


class Gap(StrEnum):
    """Why something cannot be judged. A code is never reused."""

    NO_TRAFFIC = "NO_TRAFFIC"
    NO_REFERENCE = "NO_REFERENCE"
    TOO_FEW = "TOO_FEW"
    NOT_LOGGED = "NOT_LOGGED"  # by policy the values are not in the log
    NOT_COMPUTABLE = "NOT_COMPUTABLE"
    NOT_CALIBRATED = "NOT_CALIBRATED"
    NOT_MATURED = "NOT_MATURED"


class Limits(BaseModel):
    """How much is worth a look, and how much is too much; both in the metric's own unit, above the usual value."""

    model_config = _CLOSED

    warn: Annotated[float, Field(ge=0)]
    breach: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.warn > self.breach:
            raise ValueError(f"warn: {self.warn} lies above breach: {self.breach}")
        return self


@dataclass(frozen=True)
class Sample:
    """What was measured, before it is judged.

    `usual`: the value of the reference, on the statistic's scale; `chance`: the level chance alone exceeds once in
    a hundred looks; `p`: of the test named in the metric's module; `power`: to notice a true change as large as
    the breach limit; `importance`: the column's share in the model, 0 for unused, None where it is no column.
    """

    metric: Metric
    column: str | None
    n: int
    statistic: float
    limits: Limits
    chance: float
    p: float
    power: float
    usual: float = 0.0
    importance: float | None = None

    @property
    def warn_at(self) -> float:
        """Return the least value worth a look: never below what chance explains."""
        return max(self.usual + self.limits.warn, self.chance)

    @property
    def breach_at(self) -> float:
        """Return the least value that is too much: never below what chance explains."""
        return max(self.usual + self.limits.breach, self.chance)

    @property
    def computable(self) -> bool:
        """Say whether there is a number to judge."""
        return all(map(math.isfinite, (self.statistic, self.usual, self.chance, self.p, self.power)))


class Measurement(BaseModel):
    """A judged sample. `threshold`: what the statistic must not exceed; `breach_at`: where it is too much."""

    model_config = _CLOSED

    metric: Metric
    column: str | None = None
    state: State
    n: Annotated[int, Field(ge=0, description="Rows or requests of the window.")]
    statistic: float | None = None
    usual: float | None = None
    threshold: float | None = None
    breach_at: float | None = None
    chance: float | None = None
    power: float | None = None
    p: float | None = None
    adjusted_p: float | None = None
    importance: float | None = None
    gap: Gap | None = None

    @property
    def name(self) -> str:
        """Return what was measured, for people: `missing carrier`."""
        return f"{self.metric} {self.column}" if self.column else str(self.metric)

    @property
    def alerts(self) -> bool:
        """Say whether somebody should look."""
        return self.state in ("warned", "breached")

    def __str__(self) -> str:
        """Say it in one sentence."""
        if self.statistic is None or self.threshold is None:
            return f"{self.name} cannot be judged: {self.gap} (n = {self.n:,})."
        found = f"{self.name} {self.state}: found {self.statistic:.3g}, expected at most {self.threshold:.3g}"
        return f"{found} (n = {self.n:,}, by chance up to {self.chance:.3g}, power {self.power:.2f})."


def blind(metric: Metric, column: str | None, n: int, gap: Gap, importance: float | None = None) -> Measurement:
    """Return what cannot be measured at all, with the reason."""
    return Measurement(metric=metric, column=column, state="undecidable", n=n, gap=gap, importance=importance)


def dropped(metric: Metric, drop: float, spread: float, n: int, limits: Limits) -> Sample:
    """Measure a change for the worse with a standard error. p: of the normal curve, no change being the hypothesis."""
    level = _NORMAL.inv_cdf(CONFIDENCE) * spread
    known = math.isfinite(spread) and spread > 0
    p = 1 - _NORMAL.cdf(drop / spread) if known else math.nan
    power = _NORMAL.cdf((limits.breach - max(limits.warn, level)) / spread) if known else math.nan
    return Sample(metric, None, n, drop, limits, level, p, power)


def shared(metric: Metric, found: Hits, limits: Limits) -> Sample:
    """Measure a share that has a limit and no usual value. p: of the binomial tail, the hypothesis at the limit."""
    level = rise_level(limits.warn, found.of)
    p, power = beyond_tail(found, limits.warn), rise_power(limits.breach, level, found.of)
    return Sample(metric, None, found.of, found.share, limits, level, p, power)


def judge(samples: Sequence[Sample], false_discovery: float) -> tuple[Measurement, ...]:
    """Judge everything that was measured in one window together.

    Something alerts when its statistic is above its threshold and its p-value, adjusted for all of the window's
    by Benjamini and Hochberg, is at most `false_discovery`. Columns that the model does not use are noted apart:
    they neither alert nor count among the many.
    """
    family = [at for at, one in enumerate(samples) if one.computable and one.importance != 0]
    ps = dict(zip(family, adjusted([samples[at].p for at in family]), strict=True))
    return tuple(_judged(one, ps.get(at), false_discovery) for at, one in enumerate(samples))


def _judged(sample: Sample, adjusted_p: float | None, false_discovery: float) -> Measurement:
    if not sample.computable:
        return blind(sample.metric, sample.column, sample.n, Gap.NOT_COMPUTABLE, sample.importance)
    state = _state(sample, sample.p if adjusted_p is None else adjusted_p, false_discovery)
    return Measurement(
        metric=sample.metric,
        column=sample.column,
        state=state,
        n=sample.n,
        statistic=sample.statistic,
        usual=sample.usual,
        threshold=sample.warn_at,
        breach_at=sample.breach_at,
        chance=sample.chance,
        power=sample.power,
        p=sample.p,
        adjusted_p=adjusted_p,
        importance=sample.importance,
        gap=Gap.TOO_FEW if state == "undecidable" else None,
    )


def _state(sample: Sample, p: float, false_discovery: float) -> State:
    if p <= false_discovery and sample.statistic > sample.warn_at:
        if sample.importance == 0:
            return "noted"
        return "breached" if sample.statistic > sample.breach_at else "warned"
    return "undecidable" if sample.power < LEAST_POWER else "ok"
