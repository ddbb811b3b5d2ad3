"""Which window of predictions has its labels by now: stretches of equal length that follow one another. Pure.

Stretches are counted from a fixed day, so everybody cuts time at the same places and a window's numbers are told once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from lifecycle.monitoring import MonitorPolicy

# A Monday: weeks then begin on Mondays.
_FIRST = datetime(2000, 1, 3, tzinfo=UTC)


class Stretch(NamedTuple):
    """Predictions made in [since, until)."""

    since: datetime
    until: datetime


def newest_due(policy: MonitorPolicy, now: datetime) -> Stretch | None:
    """Return the newest stretch whose labels are due; None where none are expected."""
    return None if policy.outcomes.due is None else _ended(policy.window, now - policy.outcomes.due)


def newest_ended(policy: MonitorPolicy, now: datetime) -> Stretch:
    """Return the newest stretch that is over, whose labels may still come."""
    return _ended(policy.window, now)


def _ended(length: timedelta, by: datetime) -> Stretch:
    until = _FIRST + (by - _FIRST) // length * length
    return Stretch(until - length, until)
