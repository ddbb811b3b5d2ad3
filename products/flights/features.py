"""What the flights model looks at and no column says outright. Each value comes from its own row alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Sakamoto's month offsets for the day of the week in the Gregorian calendar.
_MONTH_OFFSETS = np.array([0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4])
_MARCH, _DECEMBER, _LAST_DAY = 3, 12, 31


def derive(columns: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return minutes since midnight of both scheduled times, the day of the week and the plane's age in years."""
    return {
        "departure_minutes": _minutes(columns["sched_dep_time"]),
        "arrival_minutes": _minutes(columns["sched_arr_time"]),
        "day_of_week": _day_of_week(columns["year"], columns["month"], columns["day"]),
        "plane_age": columns["year"] - columns["plane_year"],
    }


def _minutes(clock: Array) -> Array:
    """Turn hhmm into minutes since midnight: 1759 and 1800 are one minute apart, not 41."""
    return clock // 100 * 60 + clock % 100


def _day_of_week(year: Array, month: Array, day: Array) -> Array:
    """Return 0 for Sunday to 6 for Saturday; NaN where a part of the date is missing or impossible."""
    possible = (month >= 1) & (month <= _DECEMBER) & (day >= 1) & (day <= _LAST_DAY)
    offset = _MONTH_OFFSETS[np.where(possible, month, 1).astype(int) - 1]
    counted = year - (month < _MARCH)
    days = counted + counted // 4 - counted // 100 + counted // 400 + offset + day
    return np.where(possible, days % 7, np.nan)
