"""A play-back's days: rows are asked for on theirs, and nothing is told or delivered before it has come true."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.timetable import Landing, Rhythm, timetable

WEEK = timedelta(days=7)
BEGIN = np.datetime64("2026-03-01T00:00", "us")
HOUR = np.timedelta64(1, "h")


def hourly(days: int, *, after: int = 0) -> np.ndarray:
    return BEGIN + np.arange(after * 24, (after + days) * 24) * HOUR


def test_a_row_is_asked_for_on_its_day_and_in_order_of_time() -> None:
    days = timetable([hourly(3)[::-1]], Rhythm(WEEK, WEEK, 1))
    assert [day.asked.tolist() for day in days[:4]] == [
        list(range(71, 47, -1)),
        list(range(47, 23, -1)),
        list(range(23, -1, -1)),
        [],
    ]


def test_labels_are_told_once_a_week_of_what_is_a_week_old() -> None:
    days = timetable([hourly(10)], Rhythm(WEEK, WEEK, 1))
    told = {str(day.at): day.told.tolist() for day in days if len(day.told)}
    assert told == {"2026-03-15": list(range(7 * 24)), "2026-03-22": list(range(7 * 24, 240))}


def test_a_delivery_lands_in_growing_parts_the_last_as_it_is() -> None:
    days = timetable([hourly(10), hourly(10, after=10)], Rhythm(timedelta(days=2), WEEK, 2))
    landed = {str(day.at): day.landings for day in days if day.landings}
    assert landed == {
        "2026-03-08": (Landing(0, np.datetime64("2026-03-06T00:00", "us")),),
        "2026-03-13": (Landing(0, None),),
        "2026-03-18": (Landing(1, np.datetime64("2026-03-16T00:00", "us")),),
        "2026-03-23": (Landing(1, None),),
    }


def test_a_row_without_a_time_is_never_asked_for_and_holds_up_nothing() -> None:
    times = hourly(1)
    times[5] = np.datetime64("NaT")
    days = timetable([times], Rhythm(WEEK, WEEK, 1))
    assert [row for day in days for row in day.asked.tolist()] == [row for row in range(24) if row != 5]
    assert [one for day in days for one in day.landings] == [Landing(0, None)]


@given(
    hours=st.lists(st.integers(0, 900), min_size=1, max_size=60),
    cut=st.integers(0, 60),
    late=st.integers(1, 400),
    every=st.integers(1, 300),
    parts=st.integers(1, 4),
)
def test_every_row_is_asked_and_told_once_and_nothing_comes_before_its_time(
    hours: list[int], cut: int, late: int, every: int, parts: int
) -> None:
    times = BEGIN + np.array(hours) * HOUR
    files = [one for one in (times[:cut], times[cut:]) if len(one)]
    rhythm = Rhythm(timedelta(hours=late), timedelta(hours=every), parts)
    days = timetable(files, rhythm)
    assert sorted(row for day in days for row in day.asked.tolist()) == list(range(len(hours)))
    assert sorted(row for day in days for row in day.told.tolist()) == list(range(len(hours)))
    landings = [one for day in days for one in day.landings]
    assert sorted(one.delivery for one in landings) == sorted(list(range(len(files))) * parts)
    for day in days:
        due = day.at.astype("datetime64[us]") - np.timedelta64(rhythm.labels_after)
        assert (times[day.told] < due).all()
        assert all(one.until is None or one.until == due for one in day.landings)
        assert all((files[one.delivery] < due).all() for one in day.landings if one.until is None)


@pytest.mark.parametrize("every", [timedelta(hours=1), timedelta(hours=30)])
def test_part_of_a_day_is_a_day(every: timedelta) -> None:
    days = timetable([hourly(4)], Rhythm(timedelta(days=1), every, 1))
    told = [day.at for day in days if len(day.told)]
    assert set(np.diff(told).astype(int).tolist()) == ({1} if every < timedelta(days=1) else {2})
