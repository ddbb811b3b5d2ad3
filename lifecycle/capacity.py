"""How many environments of the predict function are kept ready: more when traffic leaps, fewer once it is calm. Pure.

The stack says how many there are at least (`PredictProvisionedConcurrency`); a product may allow more for a time. Up
at once, by the busiest of the last minutes; down only after all of a calm time would have needed clearly fewer, so
that a rate which swings does not swing the setting. What is not known moves nothing. Setting it is `tasks/capacity.py`;
what excludes what is `lifecycle/startup.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.durations import Duration
from lifecycle.startup import Startup, contradictions

_MINUTE = timedelta(minutes=1)


class CapacityPolicy(BaseModel):
    """When traffic raises how many environments are kept ready, which are paid for as long as they are.

    Headroom 1.4: the utilisation of .7 that AWS's own example of scaling aims at. Lambda adds environments by itself,
    so a step of one or two waiting requests is not worth any. An hour of calm is twelve times what a raise looks at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    most: Annotated[int, Field(ge=0, le=1_000, description="For each version; 0: traffic raises nothing.")] = 0
    spike: Annotated[float, Field(gt=0, description="Requests at once, over a minute, that make it a spike.")] = 2.0
    headroom: Annotated[float, Field(ge=1, le=10)] = 1.4
    recent: Annotated[Duration, Field(ge=_MINUTE, description="What a raise looks at.")] = timedelta(minutes=5)
    calm: Annotated[Duration, Field(ge=_MINUTE, description="What lowering looks at.")] = timedelta(hours=1)
    fall: Annotated[float, Field(gt=0, lt=1, description="Lowered below this share only.")] = 0.75

    @model_validator(mode="after")
    def _calm_is_longer(self) -> Self:
        if self.recent > self.calm:
            raise ValueError(f"recent {self.recent}, calm {self.calm}; expected recent <= calm")
        return self


Verdict = Literal["raise", "lower", "keep", "excluded", "cannot_judge", "off"]


@dataclass(frozen=True)
class Minute:
    """Requests that were worked on at once, on average over the minute that began at `at`."""

    at: datetime
    at_once: float


@dataclass(frozen=True)
class Fit:
    """How many environments there are to be, and why. `wanted` is the present number unless raised or lowered."""

    verdict: Verdict
    wanted: int
    reason: str


def fit(policy: CapacityPolicy, startup: Startup, current: int, minutes: Sequence[Minute] | None, now: datetime) -> Fit:
    """Decide from the minutes of the calm time; one without a request may be missing. None: nobody could count.

    `startup.provisioned` is the least, `current` what is kept ready now. The same minutes give the same answer again,
    and once it is carried out, `keep`.
    """
    least = startup.provisioned
    most = max(policy.most, least)
    if policy.most == 0:
        reason = "traffic raises nothing: capacity.most is 0"
        return Fit("lower", least, reason) if current > least else Fit("off", current, reason)
    clash = contradictions(Startup(startup.snap_start, max(1, least), startup.runtime, startup.storage_mb))
    if startup.snap_start:
        return Fit("excluded", current, " ".join(clash))
    if minutes is None:
        return Fit("cannot_judge", current, "the function's metrics cannot be read")
    lately, calm = (_peak(minutes, now - span) for span in (policy.recent, policy.calm))
    need, rest = (min(most, max(least, _needed(policy, peak))) for peak in (lately, calm))
    told = f"at most {lately:.3g} requests at once in {policy.recent}, {calm:.3g} in {policy.calm}"
    if need > current:
        return Fit("raise", need, f"{told}: {need} environments instead of {current}")
    if rest < current and (current > most or rest == least or rest <= policy.fall * current):
        return Fit("lower", rest, f"{told}: {rest} environments instead of {current}")
    return Fit("keep", current, told)


def rise(policy: CapacityPolicy, startup: Startup, current: int) -> float | None:
    """Return from how many requests at once on more environments are needed than there are; None: no more than there.

    The other side of `fit`: a minute above it raises. None too where nothing is ever raised.
    """
    if startup.snap_start or current >= policy.most:
        return None
    return max(policy.spike, current / policy.headroom)


def _needed(policy: CapacityPolicy, at_once: float) -> int:
    """Return how many environments a rate needs; below a spike none is worth being kept."""
    return math.ceil(at_once * policy.headroom) if at_once >= policy.spike else 0


def _peak(minutes: Sequence[Minute], since: datetime) -> float:
    return max((one.at_once for one in minutes if one.at >= since), default=0.0)
