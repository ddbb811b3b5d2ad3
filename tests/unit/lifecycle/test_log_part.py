"""Windows of hours added up: as long as wanted, further back for rows, and never beyond their reach."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.log_part import HourSketch, LogPart, Window, gather, listing_of
from lifecycle.monitoring import MonitorPolicy
from lifecycle.profiles import Numbers
from lifecycle.sketch import NumberCounts, Sketch, empty
from lifecycle.sketching import NO_BUNDLE

HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
THIS_HOUR = NOW.replace(minute=0)
START = empty("b", {}, {}, Numbers(edges=(), counts=(0,), missing=0))
POLICY = MonitorPolicy(window=24 * HOUR, recent=HOUR, recent_reach=12 * HOUR, reach=48 * HOUR, min_rows=100)


def sums(rows: int, bundle: str = "b") -> Sketch:
    counted = NumberCounts(counts=(rows,))
    return START.model_copy(update={"bundle": bundle, "rows": rows, "requests": rows, "scored": counted})


def part(ago: int, rows: int, *more: HourSketch) -> LogPart:
    hour = THIS_HOUR - ago * HOUR
    return LogPart(hour=hour, listing="", sketches=(HourSketch(hour=hour, sketch=sums(rows)), *more))


def window(rows: list[int], span: timedelta = HOUR) -> Window:
    return gather((part(ago, count) for ago, count in enumerate(rows)), START, span, POLICY, NOW)


@pytest.mark.parametrize(
    ("rows", "span", "expected", "hours"),
    [
        ([200] * 60, HOUR, 400, 1),  # the hour so far and the whole one before
        ([60, 30, 30, 500], HOUR, 120, 2),  # further back, as far as rows are wanted
        ([1] * 60, HOUR, 13, 12),  # and no further than the recent reach
        ([10] * 60, 24 * HOUR, 250, 24),
        ([1] * 60, 24 * HOUR, 49, 48),
        ([], HOUR, 0, 1),
    ],
)
def test_a_window_reaches_back_by_time_and_by_rows(rows: list[int], span: timedelta, expected: int, hours: int) -> None:
    found = window(rows, span)
    assert (found.sketch.rows, THIS_HOUR - found.since) == (expected, hours * HOUR)


def test_parts_beyond_the_window_are_not_even_asked_for() -> None:
    taken = 0

    def parts():  # type: ignore[no-untyped-def]  # noqa: ANN202
        nonlocal taken
        for ago in range(1_000):
            taken += 1
            yield part(ago, 200)

    gather(parts(), START, HOUR, POLICY, NOW)
    assert taken <= 4


def test_a_record_delivered_late_counts_in_the_hour_it_was_answered() -> None:
    late = HourSketch(hour=THIS_HOUR - 30 * HOUR, sketch=sums(7))
    assert gather([part(0, 200, late), part(1, 200)], START, HOUR, POLICY, NOW).sketch.rows == 400
    recent = HourSketch(hour=THIS_HOUR - HOUR, sketch=sums(7))
    assert gather([part(0, 200, recent), part(1, 200)], START, HOUR, POLICY, NOW).sketch.rows == 407


def test_other_bundles_do_not_count_and_requests_without_a_model_do_for_serving() -> None:
    other = HourSketch(hour=THIS_HOUR, sketch=sums(900, "c"))
    lost = sums(0, NO_BUNDLE).model_copy(update={"requests": 5, "failed": 5})
    found = gather([part(0, 300, other, HourSketch(hour=THIS_HOUR, sketch=lost))], START, HOUR, POLICY, NOW)
    assert found.sketch.requests == 300
    assert (found.serving.requests, found.serving.failed, found.serving.rows) == (305, 5, 300)


def test_the_listing_knows_its_objects_in_any_order() -> None:
    one, two = ("a", 1, NOW), ("b", 2, NOW)
    assert listing_of([one, two]) == listing_of([two, one]) != listing_of([one])
