"""Which window of predictions has its labels by now: stretches of equal length that follow one another. Pure.

Stretches are counted from a fixed day, so everybody cuts time at the same places and a window's numbers are told once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lifecycle.monitoring import MonitorPolicy

# A Monday: weeks then begin on Mondays.
_FIRST = datetime(2000, 1, 3, tzinfo=UTC)


class Stretch(NamedTuple):
    """Predictions made in [since, until)."""

    since: datetime
    until: datetime


def newest_due(policy: MonitorPolicy, now: datetime) -> Stretch | None:
    """Return the newest stretch whose labels are due; None where none are expected."""
    return None if policy.outcomes.due is None else _ended(policy.judged_by, now - policy.outcomes.due)


def newest_ended(policy: MonitorPolicy, now: datetime) -> Stretch:
    """Return the newest stretch that is over, whose labels may still come."""
    return _ended(policy.judged_by, now)


def stretch_of(policy: MonitorPolicy, moment: datetime) -> Stretch:
    """Return the stretch a moment lies in."""
    return _ended(policy.judged_by, moment + policy.judged_by)


def by_stretch(policy: MonitorPolicy, at: NDArray[np.datetime64]) -> Iterator[tuple[Stretch, NDArray[np.intp]]]:
    """Yield the stretches that moments (n,), datetime64[us] in UTC, lie in, the oldest first, and which of them do."""
    first = np.datetime64(_FIRST.replace(tzinfo=None), "us")
    places = (at - first) // np.timedelta64(policy.judged_by)
    for place in np.unique(places):
        since = _FIRST + int(place) * policy.judged_by
        yield Stretch(since, since + policy.judged_by), np.flatnonzero(places == place)


def _ended(length: timedelta, by: datetime) -> Stretch:
    until = _FIRST + (by - _FIRST) // length * length
    return Stretch(until - length, until)
