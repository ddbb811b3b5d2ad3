"""What work costs: measured use times a price list with its date, beside an instance that is always on. Pure.

It measures nothing and estimates nothing: a use that nobody measured is not in the sum, and the sum says which those
are. Free tiers and agreements of an account are left out, so a bill is at most this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
Amount = Annotated[float | None, Field(ge=0)]
_HOUR, _MONTH = timedelta(hours=1), timedelta(days=30)


class Prices(BaseModel):
    """US dollars in us-east-1 on Linux/x86, as AWS's price pages had them on `on`.

    aws.amazon.com/lambda/pricing, /fargate/pricing, /s3/pricing, /ec2/pricing/on-demand (t3.medium: 2 vCPU, 4 GB, the
    smallest that holds a service and its orchestration).
    """

    model_config = _CLOSED

    on: date = date(2026, 3, 1)
    lambda_gb_second: float = 0.0000166667
    lambda_request: float = 0.0000002
    fargate_vcpu_hour: float = 0.04048
    fargate_gb_hour: float = 0.004445
    storage_gb_month: float = 0.023
    instance_hour: float = 0.0416


PRICES = Prices()


class Usage(BaseModel):
    """What a stage used, as measured; None: not measured.

    `gb_seconds` and `requests` of functions, `vcpu_seconds` and `memory_gb_seconds` of tasks, `stored_gb` on average.
    """

    model_config = _CLOSED

    stage: str
    gb_seconds: Amount = None
    requests: Amount = None
    vcpu_seconds: Amount = None
    memory_gb_seconds: Amount = None
    stored_gb: Amount = None


class Bill(BaseModel):
    """What stages cost over a time, in US dollars. `unknown`: uses nobody measured, as `stage.use`.

    `per_thousand`: predictions; None without any. `always_on`: what an instance would have cost that was never off.
    """

    model_config = _CLOSED

    prices: Prices
    stages: dict[str, float]
    total: float
    per_thousand: float | None
    always_on: float
    unknown: tuple[str, ...]


def bill(usage: Sequence[Usage], over: timedelta, predictions: int, prices: Prices = PRICES) -> Bill:
    """Price what was used over a time. Raises ValueError when a stage is listed twice or no time passed."""
    names = [one.stage for one in usage]
    if len(set(names)) != len(names):
        raise ValueError(f"stages {names}: each once")
    if over <= timedelta(0):
        raise ValueError(f"{over}: expected some time")
    stages = {one.stage: sum(_priced(one, over, prices).values()) for one in usage}
    total = sum(stages.values())
    return Bill(
        prices=prices,
        stages=stages,
        total=total,
        per_thousand=total / predictions * 1_000 if predictions else None,
        always_on=over / _HOUR * prices.instance_hour,
        unknown=tuple(f"{one.stage}.{name}" for one in usage for name in _unmeasured(one)),
    )


def _priced(one: Usage, over: timedelta, prices: Prices) -> Mapping[str, float]:
    seconds = _HOUR.total_seconds()
    rates = {
        "gb_seconds": prices.lambda_gb_second,
        "requests": prices.lambda_request,
        "vcpu_seconds": prices.fargate_vcpu_hour / seconds,
        "memory_gb_seconds": prices.fargate_gb_hour / seconds,
        "stored_gb": prices.storage_gb_month * (over / _MONTH),
    }
    return {name: (getattr(one, name) or 0.0) * rate for name, rate in rates.items()}


def _unmeasured(one: Usage) -> Sequence[str]:
    return [name for name in type(one).model_fields if getattr(one, name) is None]
