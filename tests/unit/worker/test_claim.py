from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State, StateType

from functions.run_flow.claim import Submission, submission

TYPES = {
    "scheduled": StateType.SCHEDULED,
    "pending": StateType.PENDING,
    "submitting": StateType.PENDING,
    "running": StateType.RUNNING,
    "failed": StateType.FAILED,
    "crashed": StateType.CRASHED,
    "completed": StateType.COMPLETED,
    "cancelling": StateType.CANCELLING,
    "cancelled": StateType.CANCELLED,
    "paused": StateType.PAUSED,
}


def history(words: str) -> list[State]:
    """States in order; the n-th has the id n."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        State(id=UUID(int=number), type=TYPES[word], timestamp=start + timedelta(seconds=number))
        for number, word in enumerate(words.split(), start=1)
    ]


@pytest.mark.parametrize(
    ("states", "attempts", "origin"),
    [
        ("scheduled pending", 0, 1),
        ("scheduled pending submitting", 0, 1),
        ("scheduled scheduled pending", 0, 2),
        ("pending", 0, None),
        ("scheduled pending running failed scheduled pending", 1, 5),
        ("scheduled pending running failed scheduled pending submitting", 1, 5),
        ("scheduled pending crashed scheduled pending", 0, 4),
        ("scheduled pending running paused scheduled pending", 1, 5),
        ("scheduled pending crashed pending", 0, 3),
    ],
)
def test_a_waiting_submission_is_named_by_its_attempts_and_origin(
    states: str, attempts: int, origin: int | None
) -> None:
    expected = Submission(attempts, UUID(int=origin) if origin else None, cancelled=False)
    assert submission(history(states)) == expected


@pytest.mark.parametrize(
    "states",
    [
        "scheduled",
        "scheduled pending running",
        "scheduled pending running completed",
        "scheduled pending running failed scheduled",
        "scheduled pending cancelled",
        "scheduled pending running cancelling",
        "scheduled pending running paused",
        "",
    ],
)
def test_a_run_in_another_state_waits_for_nobody(states: str) -> None:
    assert submission(history(states)) is None


def test_a_run_that_is_cancelled_before_it_began_waits_for_its_end() -> None:
    waiting = submission(history("scheduled pending submitting cancelling"))
    assert waiting == Submission(0, UUID(int=1), cancelled=True)
    assert waiting.key == f"claim-0-{UUID(int=1)}"


def test_every_reading_of_one_submission_has_one_key_and_every_submission_its_own() -> None:
    story = "scheduled pending submitting running failed scheduled pending submitting crashed scheduled pending"
    keys = [
        waiting.key if waiting else None
        for waiting in (submission(history(" ".join(seen))) for seen in accumulate([[word] for word in story.split()]))
    ]
    first, second, third = (f"claim-{attempts}-{UUID(int=origin)}" for attempts, origin in [(0, 1), (1, 6), (1, 10)])
    assert keys == [None, first, first, None, None, None, second, second, None, None, third]


def test_the_order_in_which_states_arrive_does_not_matter() -> None:
    states = history("scheduled pending running failed scheduled pending")
    assert submission(states[::-1]) == submission(states)
