"""Whether so few requests come that a release could never be judged in time. Pure."""

from __future__ import annotations

import math
from datetime import timedelta

from lifecycle.batch import Reason
from lifecycle.findings import Finding
from lifecycle.release_plan import ReleasePlan


def too_thin(plan: ReleasePlan, requests_per_hour: float | None) -> Reason | None:
    """Say, in words and numbers, that the first step would not see enough requests before its deadline; else None.

    `requests_per_hour` is what came lately. None is not known: then nothing says that a judgement is impossible,
    and the first step waits for its evidence.
    """
    if requests_per_hour is None:
        return None
    weight = plan.weight(0)
    wanted = math.ceil(plan.min_requests / weight)
    coming = requests_per_hour * (plan.deadline / timedelta(hours=1))
    if coming >= wanted:
        return None
    found = f"{requests_per_hour:,.0f} requests in the last hour, so {coming:,.0f} within {plan.deadline}"
    expected = f"at least {wanted:,}, for {plan.min_requests} to the challenger at {weight:.0%}"
    return Reason(Finding.TRAFFIC_TOO_THIN, "requests", found, expected)
