from uuid import UUID

import pytest

from functions.run_flow.claim import Verdict
from functions.run_flow.execute import Outcome
from functions.run_flow.handler import within
from functions.run_flow.task import exit_code
from functions.run_flow.watch import Stop


@pytest.mark.parametrize(
    ("left", "timeout", "deadline", "reserve"),
    [
        (900.0, None, 1900.0, 5.0),
        (900.0, 300.0, 1300.0, 5.0),
        (60.0, 300.0, 1060.0, 5.0),
        (9.0, None, 1009.0, 3.0),
        (3.0, None, 1003.0, 1.0),
    ],
)
def test_a_flow_is_stopped_before_the_earlier_of_both_limits(
    left: float, timeout: float | None, deadline: float, reserve: float
) -> None:
    limits = within(left, timeout, now=1000.0)
    assert (limits.deadline, limits.reserve) == (deadline, reserve)


@pytest.mark.parametrize(
    ("state", "terminated", "code"),
    [
        ("Completed", False, 0),
        ("Failed", False, 0),
        ("Cancelled", False, 0),
        ("", False, 0),
        ("Crashed", False, 1),
        ("Crashed", True, 143),
    ],
)
def test_the_exit_code_of_a_task_asks_for_attention_only_when_it_is_wanted(
    state: str,
    terminated: bool,  # noqa: FBT001 - a column of the table
    code: int,
) -> None:
    outcome = Outcome(UUID(int=1), Verdict.EXECUTE, "", state=state, terminated=terminated)
    assert exit_code(outcome) == code


def test_a_deadline_leaves_the_state_to_us_and_a_cancellation_to_the_engine() -> None:
    assert (Stop.DEADLINE.intent, Stop.CANCELLED.intent) == ("relinquish", "cancel")
