"""What work costs: measured use times a price list with its date, beside an instance that is always on. Pure.

It measures nothing and estimates nothing: a use that nobody measured is not in the sum, and the bill names it. Free
tiers and agreements of an account are left out. The prices are `lifecycle/prices.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.prices import PRICES, Prices

_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
Amount = Annotated[float | None, Field(ge=0)]
_HOUR, _MONTH = timedelta(hours=1), timedelta(days=30)
# What costs the same whoever computes, so that an instance is compared with the rest.
_KEPT = ("stored_gb", "logged_gb", "delivered_gb")


class Usage(BaseModel):
    """What a stage used, as measured. None: it uses that and nobody measured it; 0: it uses none.

    `gb_seconds` and `requests` of functions, `vcpu_seconds` and `memory_gb_seconds` of tasks, `stored_gb` on average
    over the time, `logged_gb` taken in by CloudWatch Logs, `delivered_gb` by a delivery stream. `gaps` names in words
    what else was used and not measured.
    """

    model_config = _CLOSED

    stage: str
    gb_seconds: Amount = 0.0
    requests: Amount = 0.0
    vcpu_seconds: Amount = 0.0
    memory_gb_seconds: Amount = 0.0
    stored_gb: Amount = 0.0
    logged_gb: Amount = 0.0
    delivered_gb: Amount = 0.0
    gaps: tuple[str, ...] = ()

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """Name what was used and not measured."""
        fields = (name for name in AMOUNTS if getattr(self, name) is None)
        return (*(name.replace("_", " ") for name in fields), *self.gaps)


AMOUNTS = tuple(name for name in Usage.model_fields if name not in ("stage", "gaps"))


class Bill(BaseModel):
    """What stages cost over a time, in US dollars.

    `compute`: the total without what is stored, logged and delivered, which an instance would need as well;
    `always_on`: what that instance would have cost in the same time. `predictions` and `per_thousand`: None when nobody
    counted, or none was made. `laptop`: the seconds are an emulator's, priced as if they were AWS's. `unknown`: uses
    nobody measured, as `stage: use`.
    """

    model_config = _CLOSED

    prices: Prices
    over: timedelta
    usage: tuple[Usage, ...]
    stages: dict[str, float]
    total: float
    compute: float
    predictions: Annotated[int | None, Field(ge=0)]
    per_thousand: float | None
    always_on: float
    laptop: bool
    unknown: tuple[str, ...]


def bill(
    usage: Sequence[Usage],
    over: timedelta,
    predictions: int | None,
    prices: Prices = PRICES,
    *,
    laptop: bool = False,
) -> Bill:
    """Price what was used over a time. Raises ValueError when a stage is listed twice or no time passed."""
    names = [one.stage for one in usage]
    if len(set(names)) != len(names):
        raise ValueError(f"stages {names}: each once")
    if over <= timedelta(0):
        raise ValueError(f"{over}: expected some time")
    priced = {one.stage: _priced(one, over, prices) for one in usage}
    stages = {stage: sum(found.values()) for stage, found in priced.items()}
    total = sum(stages.values())
    kept = sum(found[name] for found in priced.values() for name in _KEPT)
    unknown = [f"{one.stage}: {name}" for one in usage for name in one.unmeasured]
    return Bill(
        prices=prices,
        over=over,
        usage=tuple(usage),
        stages=stages,
        total=total,
        compute=total - kept,
        predictions=predictions,
        per_thousand=total / predictions * 1_000 if predictions else None,
        always_on=over / _HOUR * prices.instance_hour,
        laptop=laptop,
        unknown=(*unknown, *(("predictions",) if predictions is None else ())),
    )


def _priced(one: Usage, over: timedelta, prices: Prices) -> Mapping[str, float]:
    seconds = _HOUR.total_seconds()
    rates = {
        "gb_seconds": prices.lambda_gb_second,
        "requests": prices.lambda_request,
        "vcpu_seconds": prices.fargate_vcpu_hour / seconds,
        "memory_gb_seconds": prices.fargate_gb_hour / seconds,
        "stored_gb": prices.storage_gb_month * (over / _MONTH),
        "logged_gb": prices.logs_gb,
        "delivered_gb": prices.delivery_gb,
    }
    return {name: (getattr(one, name) or 0.0) * rate for name, rate in rates.items()}
