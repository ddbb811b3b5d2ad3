from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from lifecycle.period import PeriodPolicy

MONTHS = PeriodPolicy(every="month", name="%Y-%m", zone="America/New_York")
UTC_MONTHS = PeriodPolicy(every="month", name="%Y-%m")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("landing/flights/flights-2013-07.csv", "2013-07"),
        ("landing/flights/2013-07/a.csv", None),  # a folder is no name
        ("landing/flights/flights-2013-07-corrected.csv.gz", "2013-07"),
        ("landing/flights/2013-07 of 2013-07.csv", "2013-07"),
        ("landing/flights/2013-06 to 2013-07.csv", None),
        ("landing/flights/2013-13.csv", None),
        ("landing/flights/12013-07.csv", None),
        ("landing/flights/2013-071.csv", None),
        ("landing/flights/july.csv", None),
        ("landing/flights/0000-07.csv", None),
    ],
)
def test_a_name_tells_one_period_or_none(key: str, label: str | None) -> None:
    found = MONTHS.of_name(key)
    assert (found.label if found else None) == label


def test_a_month_begins_and_ends_at_the_producers_midnight() -> None:
    july = MONTHS.of_name("flights-2013-07.csv")
    assert july is not None
    assert (july.begin, july.end) == (at(2013, 7, 1, 4), at(2013, 8, 1, 4))
    instants = np.array(["2013-07-01T03:59", "2013-07-01T04:00", "2013-08-01T03:59", "NaT"], dtype="datetime64[us]")
    assert july.outside(instants).tolist() == [True, False, False, False]
    assert MONTHS.label(at(2013, 8, 1, 3, 59)) == "2013-07"
    assert UTC_MONTHS.label(at(2013, 7, 31, 23, 59)) == "2013-07"
    assert UTC_MONTHS.label(datetime(2013, 8, 1)) == "2013-08"  # noqa: DTZ001  without a zone it is UTC


@pytest.mark.parametrize(
    ("name", "hours"), [("2013-03-10", 23), ("2013-11-03", 25), ("2013-07-04", 24), ("2013-12-31", 24)]
)
def test_the_days_the_clocks_change_are_as_long_as_they_are(name: str, hours: int) -> None:
    day = PeriodPolicy(every="day", name="%Y-%m-%d", zone="America/New_York").of_name(name)
    assert day is not None
    assert (day.end - day.begin).total_seconds() == hours * 3600


@pytest.mark.parametrize(("name", "hours"), [("20131103T01", 2), ("20130310T02", 0), ("20131231T23", 1)])
def test_the_hour_that_repeats_is_one_period_and_the_one_that_is_skipped_is_empty(name: str, hours: int) -> None:
    hour = PeriodPolicy(every="hour", name="%Y%m%dT%H", zone="America/New_York").of_name(name)
    assert hour is not None
    assert (hour.end - hour.begin).total_seconds() == hours * 3600


def test_every_month_ends_where_the_next_begins() -> None:
    spans = [UTC_MONTHS.of_name(f"{2012 + n // 12}-{n % 12 + 1:02d}") for n in range(36)]
    assert all(one and two and one.end == two.begin for one, two in pairwise(spans))
    year = PeriodPolicy(every="year", name="%Y").of_name("a-2012.csv")
    assert year is not None
    assert (year.begin, year.end) == (at(2012, 1, 1), at(2013, 1, 1))


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ({"every": "month", "name": "%Y"}, "a month is told by %Y %m, each once"),
        ({"every": "month", "name": "%Y-%m-%d"}, "a month is told by %Y %m, each once"),
        ({"every": "month", "name": "%Y-%m", "zone": "Atlantis"}, "there is no time zone 'Atlantis'"),
        ({"every": "month", "name": "%Y-%m", "zone": "../etc"}, "there is no time zone"),
    ],
)
def test_a_policy_that_tells_no_period_is_refused(policy: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        PeriodPolicy.model_validate(policy)
