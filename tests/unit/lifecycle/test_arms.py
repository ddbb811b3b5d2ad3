"""Which arm answered, by the ledger alone."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.arms import MOVING, answerer
from lifecycle.ledger import Decision, Entry, chain

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ledger(*told: tuple[float, str, str | None, dict[str, str | float]]) -> list[Entry]:
    """Chain decisions: minute, action, model version that serves after it, evidence."""
    entries: list[Entry] = []
    for at, action, to, evidence in told:
        decision = Decision(
            at=START + at * MINUTE,
            actor="a",
            cause="c",
            action=action,
            to=to,
            reason="r",
            evidence=evidence,
            key=f"{action}/{at}",
        )
        entries.append(chain(decision, entries[-1] if entries else None))
    return entries


def step(at: float, weight: float) -> tuple[float, str, str, dict[str, str | float]]:
    return at, "step", "2", {"function_version": "8", "champion_function_version": "7", "weight": weight}


LEDGER = ledger(
    (0, "promote", "1", {"function_version": "7"}),
    (5, "challenge", "2", {"bundle": "b"}),
    step(10, 0.05),
    (12, "hold", "2", {"function_version": "8"}),
    step(20, 0.25),
    step(30, 1.0),
    (40, "promote", "2", {"function_version": "8"}),
    step(50, 0.5),
    (60, "take_back", "2", {"function_version": "8"}),
    (70, "roll_back", "1", {"function_version": "7"}),
)


@pytest.mark.parametrize(
    ("minute", "version", "expected"),
    [
        (1, "7", ("champion", 1.0)),
        (15, "7", ("champion", 0.95)),
        (15, "8", ("challenger", 0.05)),
        (25, "8", ("challenger", 0.25)),
        (35, "8", ("challenger", 1.0)),
        (45, "8", ("champion", 1.0)),
        (75, "7", ("champion", 1.0)),
        (15, "9", None),
        (35, "7", None),
        (45, "7", None),
        (-5, "7", None),
    ],
)
def test_the_arm_is_the_one_the_last_entry_before_it_allowed(
    minute: float, version: str, expected: tuple[str, float] | None
) -> None:
    found = answerer(LEDGER, version, START + minute * MINUTE)
    assert (None if found is None else (found.arm, round(found.weight, 9))) == expected
    assert found is None or not found.moving


@pytest.mark.parametrize(
    ("at", "version", "expected"),
    [
        (timedelta(minutes=30, seconds=20), "7", ("champion", 0.75)),  # the alias follows the ledger
        (timedelta(minutes=69, seconds=30), "7", ("champion", 1.0)),  # a rollback moves the alias first
        (timedelta(minutes=9, seconds=30), "8", ("challenger", 0.05)),
    ],
)
def test_around_a_change_the_weights_before_and_after_it_are_both_allowed(
    at: timedelta, version: str, expected: tuple[str, float]
) -> None:
    found = answerer(LEDGER, version, START + at)
    assert found is not None
    assert (found.arm, round(found.weight, 9), found.moving) == (*expected, True)


def test_long_after_a_change_the_weights_before_it_are_not() -> None:
    assert answerer(LEDGER, "7", START + 30 * MINUTE + MOVING + timedelta(seconds=1)) is None


def test_without_a_ledger_nobody_may_answer() -> None:
    assert answerer([], "7", START) is None
