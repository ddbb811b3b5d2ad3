"""How a release proceeds, as `product.yaml` may say it, and what it is able to notice. Pure.

The plan knows no model and no moment; `lifecycle/rollout.py` applies it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from statistics import NormalDist
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.durations import Duration
from lifecycle.evidence import GUARDS, Guard, budget
from lifecycle.sequential import GRID, tolerated_share

_CLOSED = ConfigDict(frozen=True, extra="forbid")
_FULL_PERCENT = 100.0
# Live requests are not the holdout's rows: a shift that the gate saw and passed may be so many times as large.
_SEEN_BY_GATE = 2.0
# Each guard is tested against the champion and, at full weight, against its ceiling; then the split and the labels.
TESTS = 2 * len(GUARDS) + 2
# As sure as the usual design of an experiment; the power table of the tests uses it too.
_POWER = 0.9
_PRECISION = 1e-3
Share = Annotated[float, Field(gt=0, lt=1)]


class Ceilings(BaseModel):
    """The largest tolerated share of requests at full weight, where nobody is left to compare with.

    A budget on the 95th percentile lets 5 % be slow: twice that breaks it. Failing and invalid answers get the
    5 % of that budget. A product with a stricter promise says so.
    """

    model_config = _CLOSED

    errors: Share = 0.05
    slow: Share = 0.10
    invalid: Share = 0.05

    def of(self, guard: Guard) -> float:
        """Return the ceiling of one guard."""
        return {"errors": self.errors, "slow": self.slow, "invalid": self.invalid}[guard]


class ReleasePlan(BaseModel):
    """Steps, patience and tolerances of a release.

    `alpha` 1 % is the chance to take back a healthy model over the whole release. A ratio of 1.1 is what the
    research simulated as harmless. 200 requests a step put the chance level of a PSI over ten bins near .12, half
    of the limit of .25 that is the custom for an acting threshold. Ten minutes hold two of an alarm's usual periods
    of five; a day holds every hour that a service knows. A minute is the shortest period of AWS' own metrics. Ten
    versions are two working weeks of daily releases, 90 days the quarter within which somebody asks.
    """

    model_config = _CLOSED

    steps: Annotated[tuple[float, ...], Field(min_length=1, description="Percent of requests, growing, to 100.")] = (
        5.0,
        25.0,
        50.0,
        100.0,
    )
    bake_time: Annotated[Duration, Field(ge=timedelta(0), description="Least time at a step.")] = timedelta(minutes=10)
    deadline: Annotated[Duration, Field(description="Longest time at a step without enough evidence.")] = timedelta(
        days=1
    )
    tick: Annotated[Duration, Field(ge=timedelta(seconds=1), description="Time between two looks.")] = timedelta(
        minutes=1
    )
    min_requests: Annotated[int, Field(ge=1, description="Least requests the challenger answers at a step.")] = 200
    alpha: Annotated[float, Field(gt=0, le=0.1)] = 0.01
    margin: Annotated[float, Field(ge=1, le=3, description="Tolerated ratio of rates of bad requests.")] = 1.1
    ceilings: Ceilings = Ceilings()
    slow_after: Annotated[Duration, Field(gt=timedelta(0), description="A later answer is slow.")] = timedelta(
        milliseconds=300
    )
    max_score_psi: Annotated[float, Field(gt=0, description="Between the arms; above it a person looks.")] = 0.25
    act_above: Annotated[
        float | None, Field(allow_inf_nan=False, description="Scores from here on make the business act; compared.")
    ] = None
    max_flipped: Annotated[
        float | None,
        Field(ge=0, lt=1, description="Share of rows that both models may decide differently."),
    ] = None
    without_traffic: Annotated[
        Literal["hold", "release"], Field(description="When too few requests come to judge: wait, or go by the gate.")
    ] = "hold"
    approval: Annotated[
        Literal["none", "required"], Field(description="Whether a person, not the trainer, lets it begin.")
    ] = "none"
    keep_versions: Annotated[int, Field(ge=3, description="Newest function versions that are never deleted.")] = 10
    keep_for: Annotated[Duration, Field(ge=timedelta(0), description="One stays so long after it served.")] = timedelta(
        days=90
    )

    @model_validator(mode="after")
    def _can_be_followed(self) -> Self:
        if any(later <= earlier for earlier, later in pairwise((0.0, *self.steps))) or self.steps[-1] != _FULL_PERCENT:
            raise ValueError(f"steps: {list(self.steps)}; expected growing percentages that end at 100")
        if self.deadline <= self.bake_time:
            raise ValueError(f"deadline: {self.deadline} leaves nothing after a bake_time of {self.bake_time}")
        return self

    def knowing(self, score_psi: float | None) -> ReleasePlan:
        """Return the plan of a model whose scores lay so far from the champion's on the holdout.

        The gate saw them differ and found them better, so only what goes well beyond is news.
        """
        known = _SEEN_BY_GATE * score_psi if score_psi is not None else 0.0
        return self.model_copy(update={"max_score_psi": max(self.max_score_psi, known)})

    @property
    def last(self) -> int:
        """Return the index of the last step."""
        return len(self.steps) - 1

    @property
    def threshold(self) -> float:
        """Return the log e-value at which any one test takes the release back."""
        return -math.log(budget(self.alpha, TESTS))

    def weight(self, step: int) -> float:
        """Return the challenger's share of requests at a step, within 0 and 1."""
        return self.steps[step] / _FULL_PERCENT


@dataclass(frozen=True)
class Expected:
    """What traffic usually is: requests per hour, and the share of them that is bad with the champion."""

    requests_per_hour: float
    bad_share: float


def detectable_ratio(plan: ReleasePlan, expected: Expected, *, power: float = _POWER) -> float | None:
    """Return the smallest ratio of bad requests that this plan takes back with the given power before full weight.

    None when none is: the plan sees too few bad requests even of a model whose every answer is bad. Counted is
    what comes while each step lasts its least time; a normal approximation of the log e-value over those counts.
    """
    if not 0 < expected.bad_share < 1 or expected.requests_per_hour <= 0:
        return None
    low, high = plan.margin, 1 / expected.bad_share
    if high <= low or not _detects(plan, expected, high, power):
        return None
    while high - low > _PRECISION * low:
        middle = (low + high) / 2
        low, high = (low, middle) if _detects(plan, expected, middle, power) else (middle, high)
    return high


def _detects(plan: ReleasePlan, expected: Expected, ratio: float, power: float) -> bool:
    """Say whether one alternative of the mixture alone reaches the threshold, with the given power."""
    needed = plan.threshold + math.log(len(GRID))
    sure = NormalDist().inv_cdf(power)
    reached = []
    for times in GRID:
        moments = [_moments(plan, expected, ratio, times, step) for step in range(plan.last)]
        mean, variance = math.fsum(one for one, _ in moments), math.fsum(one for _, one in moments)
        reached.append(mean - sure * math.sqrt(variance))
    return max(reached) >= needed


def _moments(plan: ReleasePlan, expected: Expected, ratio: float, times: float, step: int) -> tuple[float, float]:
    """Return mean and variance of one alternative's log likelihood ratio over a step, bad requests being Poisson."""
    weight = plan.weight(step)
    requests = max(expected.requests_per_hour * (plan.bake_time / timedelta(hours=1)), plan.min_requests / weight)
    null = tolerated_share(weight, plan.margin)
    miss = -math.log1p(null * (times - 1))
    hit = math.log(times) + miss
    ours = requests * weight * min(1.0, expected.bad_share * ratio)
    theirs = requests * (1 - weight) * expected.bad_share
    return ours * hit + theirs * miss, ours * hit**2 + theirs * miss**2
