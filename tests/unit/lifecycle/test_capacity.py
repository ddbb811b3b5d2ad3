"""Environments kept ready follow traffic: up at once, down late, never beyond the bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lifecycle.capacity import CapacityPolicy, Minute, fit, rise
from lifecycle.startup import Startup

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = CapacityPolicy(most=20)
PLAIN = Startup(runtime="python3.13")


def minutes(**ago: float) -> list[Minute]:
    """Return minutes by how long ago they began, such as `m3=12.0`."""
    return [Minute(NOW - timedelta(minutes=int(name[1:])), value) for name, value in ago.items()]


@pytest.mark.parametrize(
    ("current", "seen", "verdict", "wanted"),
    [
        (0, {"m3": 10.0}, "raise", 14),
        (0, {"m3": 1.9}, "keep", 0),  # no spike
        (0, {"m30": 10.0}, "keep", 0),  # it is over
        (5, {"m3": 100.0}, "raise", 20),  # the bound
        (14, {"m3": 10.0}, "keep", 14),  # carried out
        (14, {"m30": 10.0}, "keep", 14),  # not calm for long enough
        (14, {"m30": 7.8}, "keep", 14),  # 11 is more than three quarters of 14
        (14, {"m30": 7.0}, "lower", 10),
        (14, {"m90": 10.0}, "lower", 0),
        (14, {}, "lower", 0),
        (30, {"m3": 100.0}, "lower", 20),  # somebody set more than is allowed
        (1, {"m3": 1.0}, "lower", 0),
    ],
)
def test_up_at_once_and_down_after_calm(current: int, seen: dict[str, float], verdict: str, wanted: int) -> None:
    found = fit(POLICY, PLAIN, current, minutes(**seen), NOW)
    assert (found.verdict, found.wanted) == (verdict, wanted)


def test_what_the_stack_keeps_ready_is_the_least() -> None:
    stack = Startup(provisioned=4, runtime="python3.13")
    assert fit(POLICY, stack, 14, [], NOW).wanted == 4
    assert fit(POLICY, stack, 4, [], NOW).verdict == "keep"
    assert fit(CapacityPolicy(most=2), stack, 4, minutes(m3=100.0), NOW).wanted == 4


def test_what_cannot_be_counted_moves_nothing() -> None:
    assert fit(POLICY, PLAIN, 14, None, NOW).verdict == "cannot_judge"
    assert fit(POLICY, PLAIN, 14, None, NOW).wanted == 14


def test_snapshots_exclude_environments_kept_ready() -> None:
    found = fit(POLICY, Startup(snap_start=True, runtime="python3.13"), 0, minutes(m3=50.0), NOW)
    assert (found.verdict, found.wanted) == ("excluded", 0)
    assert found.reason == "SnapStart and provisioned concurrency exclude each other."


def test_switched_off_it_raises_nothing_and_takes_back_what_it_had_raised() -> None:
    off = CapacityPolicy()
    assert fit(off, PLAIN, 0, minutes(m3=50.0), NOW).verdict == "off"
    assert (fit(off, PLAIN, 9, None, NOW).verdict, fit(off, PLAIN, 9, None, NOW).wanted) == ("lower", 0)


@given(st.lists(st.floats(0, 1_000), max_size=61), st.integers(0, 40), st.integers(0, 10))
def test_carried_out_it_stays_and_keeps_to_its_bounds(rates: list[float], current: int, least: int) -> None:
    seen = [Minute(NOW - timedelta(minutes=ago), rate) for ago, rate in enumerate(rates)]
    startup = Startup(provisioned=least, runtime="python3.13")
    first = fit(POLICY, startup, current, seen, NOW)
    second = fit(POLICY, startup, first.wanted, seen, NOW)
    assert (second.verdict, second.wanted) == ("keep", first.wanted)
    if first.verdict in ("raise", "lower"):
        assert least <= first.wanted <= 20


def test_a_rate_that_swings_does_not_swing_the_setting() -> None:
    current, changes = 0, 0
    for minute in range(180):
        now = NOW + timedelta(minutes=minute)
        seen = [Minute(now - timedelta(minutes=ago), 12.0 if (minute - ago) % 20 < 10 else 0.0) for ago in range(61)]
        found = fit(POLICY, PLAIN, current, seen, now)
        changes, current = changes + (found.wanted != current), found.wanted
    assert (current, changes) == (17, 1)


def test_a_policy_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected recent <= calm"):
        CapacityPolicy(recent=timedelta(hours=2))


@given(st.integers(0, 25), st.floats(0, 50))
def test_the_alarm_calls_exactly_when_a_look_would_raise(current: int, at_once: float) -> None:
    level = rise(POLICY, PLAIN, current)
    found = fit(POLICY, PLAIN, current, minutes(m3=at_once), NOW)
    if at_once == POLICY.spike:
        return  # the policy's own edge: a look raises there, the alarm waits for more
    assert (level is not None and at_once > level) == (found.verdict == "raise")


def test_what_is_never_raised_has_no_alarm() -> None:
    assert rise(CapacityPolicy(most=0), PLAIN, 0) is None
    assert rise(POLICY, PLAIN, 20) is None
    assert rise(POLICY, Startup(snap_start=True, runtime="python3.13"), 0) is None
