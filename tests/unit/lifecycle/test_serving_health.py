"""Errors, refusals, slow answers and cold starts of a window."""

import pytest

from lifecycle.measurement import Gap, Metric, State, judge
from lifecycle.monitoring import ServingLimits
from lifecycle.serving_health import serving
from lifecycle.sketch import Latency, Sketch, empty, latency_bin
from tests.unit.lifecycle.worlds import reference

KNOWN, LIMITS = reference(), ServingLimits()
NOTHING = empty("b" * 64, KNOWN.numbers, KNOWN.categories, KNOWN.scores)


def window(requests: int = 1_000, slow: int = 0, **counts: int) -> Sketch:
    times = Latency(bins={latency_bin(9.0): requests - slow, latency_bin(800.0): slow})
    return NOTHING.model_copy(update={"requests": requests, "latency": times, "warm": times, **counts})


def states(seen: Sketch, crashed: int = 0) -> dict[Metric, State]:
    found = serving(seen, LIMITS, crashed)
    judged = judge([one for one in found if not hasattr(one, "gap")], 0.01)  # type: ignore[misc]
    return {one.metric: one.state for one in judged}


def test_a_healthy_hour_is_ok() -> None:
    assert set(states(window(failed=4, refused=9, cold=100, slow=30)).values()) == {"ok"}


@pytest.mark.parametrize(
    ("seen", "metric", "state"),
    [
        (window(failed=40), Metric.ERRORS, "warned"),
        (window(failed=100), Metric.ERRORS, "breached"),
        (window(requests=20, failed=4), Metric.ERRORS, "breached"),
        (window(refused=200), Metric.REFUSED, "breached"),
        (window(slow=200), Metric.SLOW, "breached"),
        (window(cold=700), Metric.COLD, "breached"),
        (window(requests=5), Metric.ERRORS, "undecidable"),
    ],
)
def test_a_fault_is_found(seen: Sketch, metric: Metric, state: State) -> None:
    assert states(seen)[metric] == state


def test_crashes_that_left_no_line_are_errors() -> None:
    assert states(window(), crashed=200)[Metric.ERRORS] == "breached"


def test_no_requests_are_no_health() -> None:
    assert {one.gap for one in serving(NOTHING, LIMITS) if not isinstance(one, tuple)} == {Gap.NO_TRAFFIC}  # type: ignore[union-attr]
