"""Which batches count: by name, by period, in whatever order they came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.succession import Placed, remarks, replaced, replaces


def batch(name: str, period: str | None = None, rows: int = 100, at: int = 1, key: str = "") -> Placed:
    first, last = (f"{period}-{day}T00:00:00+00:00" if period else None for day in ("01", "28"))
    return Placed(name, key or name, f"2014-01-{at:02d}", rows, period, first, last)


JULY = batch("july", "2013-07", at=2)


@pytest.mark.parametrize(
    ("newer", "takes_its_place"),
    [
        (batch("corrected", "2013-07", rows=98), True),
        (batch("half", "2013-07", rows=50), True),
        (batch("stub", "2013-07", rows=49), False),
        (batch("august", "2013-08"), False),
        (batch("unnamed", None), False),
        (batch("same name", None, rows=1, key="july"), True),
        (batch("july", "2013-07"), False),  # the same bytes are the same batch
    ],
)
def test_a_batch_replaces_what_has_its_name_or_its_period(newer: Placed, takes_its_place: bool) -> None:  # noqa: FBT001
    assert replaces(newer, JULY) is takes_its_place


MONTHS = [
    batch("a", "2013-06", at=1),
    batch("b", "2013-06", rows=40, at=2),
    batch("c", "2013-06", rows=90, at=3),
    batch("d", "2013-07", at=4),
    batch("e", None, at=5, key="d"),
    batch("f", "2013-08", at=6),
]


@given(st.permutations(MONTHS))
def test_what_counts_does_not_depend_on_the_order_of_arrival(batches: list[Placed]) -> None:
    assert replaced(batches) == {"a": "c", "b": "c", "d": "e"}


def test_a_correction_names_what_it_replaces_and_that_it_comes_late() -> None:
    found = remarks(batch("new", "2013-06", rows=95, at=9), MONTHS[:1] + MONTHS[5:])
    assert [str(one) for one in found] == [
        "SUPERSEDES: found batch a (100 rows) of 2013-06, expected this one to take its place.",
        (
            "LATE: found rows until 2013-06-28T00:00, after rows from 2013-08-01T00:00 on had come, "
            "expected rows in the order of their time; they count where they belong."
        ),
    ]


def test_a_stub_of_a_period_is_added_and_says_so() -> None:
    (found,) = remarks(batch("stub", "2013-08", rows=12, at=9), MONTHS)
    assert str(found) == (
        "PART_OF_PERIOD: found 12 rows of 2013-08, beside batch f (100 rows), "
        "expected rows to be added; nothing is replaced."
    )


def test_months_in_their_order_and_batches_that_landed_later_are_not_remarked() -> None:
    assert remarks(batch("new", "2013-09", at=9), MONTHS) == ()
    assert remarks(batch("older", "2013-07", at=3), [batch("newer", "2013-07", at=4)]) == ()
