"""Whether so few requests come that a release could never be judged in time. Pure."""

from __future__ import annotations

import math
from datetime import timedelta

from lifecycle.batch import Reason
from lifecycle.findings import Finding
from lifecycle.release_plan import ReleasePlan

# Longer ago says little about who asks next.
_LONGEST_LOOK_BACK = timedelta(hours=1)


def look_back(plan: ReleasePlan) -> timedelta:
    """Return over which time the requests of late are counted: as long as a step may take, an hour at most."""
    return min(plan.deadline, _LONGEST_LOOK_BACK)


def enough(plan: ReleasePlan) -> int:
    """Return how many requests within the look-back are enough: at this rate the first step sees its least in time."""
    return math.ceil(_wanted(plan) * (look_back(plan) / plan.deadline))


def too_thin(plan: ReleasePlan, requests: int | None) -> Reason | None:
    """Say, in words and numbers, that the first step would not see enough requests before its deadline; else None.

    `requests` came within the look-back; None is not known: then nothing says that a judgement is impossible, and
    the first step waits for its evidence.
    """
    if requests is None or requests >= enough(plan):
        return None
    within = look_back(plan)
    found = f"{requests:,} requests in the last {within}"
    if within < plan.deadline:
        found = f"{found}, so {requests * (plan.deadline / within):,.0f} within {plan.deadline}"
    expected = f"at least {_wanted(plan):,}, for {plan.min_requests} to the challenger at {plan.weight(0):.0%}"
    return Reason(Finding.TRAFFIC_TOO_THIN, "requests", found, expected)


def _wanted(plan: ReleasePlan) -> int:
    return math.ceil(plan.min_requests / plan.weight(0))
