from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.lost import Notice, Process, Run, after_crash, busy_with, judge, rerun_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALIVE = Process(alive=True, reason="Its ECS task is RUNNING.")
GONE = Process(alive=False, reason="its ECS task stopped (killed, exit codes [137])")


def run(state: str = "RUNNING", name: str = "", *, age: float = 60.0, **more: Any) -> Run:
    since = NOW - timedelta(seconds=age)
    return Run(
        **{
            "id": "run-1",
            "flow": "train",
            "state_type": state,
            "state_name": name or state.title(),
            "since": since,
            "pool": "ecs",
            "pid": "tropism::arn:task/1",
            "deployment_id": "dep",
            "parameters": {"product": "flights"},
            **more,
        }
    )


LAMBDA: dict[str, Any] = {"pool": "lambda", "pid": "tropism-run-flow::req-1"}
LOST = Notice("run-1", "req-1", "Lambda RetriesExhausted")


@pytest.mark.parametrize(
    ("found", "process", "notice", "dead", "says"),
    [
        (run(), ALIVE, None, False, "RUNNING"),
        (run(), GONE, None, True, "exit codes [137]"),
        (run(), None, None, True, "ECS knows no such task"),
        (run(age=10), None, None, False, "for 10 s only"),
        (run(age=10), GONE, None, False, "for 10 s only"),
        (run("PENDING", "Submitting"), ALIVE, None, False, "RUNNING"),
        (run("PENDING", "Submitting"), GONE, None, True, "stopped"),
        (run("PENDING", pid=None), None, None, True, "60 s ago and never submitted it"),
        (run("PENDING", pid=None), ALIVE, None, False, "RUNNING"),
        (run("PENDING", pid=None, age=29), None, None, False, "29 s only"),
        (run("PENDING", pid=None, pool="lambda"), None, None, True, "never submitted"),
        (run(pid=None), None, None, True, "ECS knows no such task"),
        (run(**LAMBDA), None, None, False, "may still be under way"),
        (run(**LAMBDA, age=1000), None, None, True, "longer than any invocation"),
        (run(**LAMBDA, age=1), None, LOST, True, "Lambda RetriesExhausted"),
        (run("PENDING", **LAMBDA, age=1), None, LOST, True, "Lambda RetriesExhausted"),
        (run(pool="lambda", pid="tropism-run-flow::req-2"), None, LOST, False, "may still be under way"),
        (run(pool="lambda", pid=None), None, LOST, True, "Lambda RetriesExhausted"),
        (run("SCHEDULED", "Late", pid=None), None, None, False, "Late"),
        (run("SCHEDULED", "AwaitingConcurrencySlot", pid=None, age=9999), None, None, False, "AwaitingConcurrencySlot"),
        (run("SCHEDULED", "AwaitingRetry", **LAMBDA), None, LOST, False, "AwaitingRetry"),
        (run("CANCELLING"), GONE, None, False, "Cancelling"),
        (run("PAUSED", "Suspended"), GONE, None, False, "Suspended"),
    ],
)
def test_a_run_is_dead_when_aws_says_so_or_its_time_is_over(
    *, found: Run, process: Process | None, notice: Notice | None, dead: bool, says: str
) -> None:
    verdict = judge(found, process, notice, NOW)
    assert verdict.dead is dead
    assert says in verdict.reason


CRASHED = run("CRASHED", message="killed")


@pytest.mark.parametrize(
    ("found", "replaced", "act"),
    [
        (CRASHED, frozenset(), "run_again"),
        (CRASHED, frozenset({"rerun:run-1"}), "leave"),
        (CRASHED, frozenset({"rerun:run-2"}), "run_again"),
        (replace(CRASHED, idempotency_key="rerun:run-0"), frozenset(), "exhausted"),
        (replace(CRASHED, deployment_id=None), frozenset(), "leave"),
        (replace(CRASHED, since=NOW - timedelta(hours=2)), frozenset(), "leave"),
        (run("FAILED"), frozenset(), "leave"),
        (run("CANCELLED"), frozenset(), "leave"),
    ],
)
def test_a_crashed_run_is_run_again_once_and_its_successor_never(
    found: Run, replaced: frozenset[str], act: str
) -> None:
    assert after_crash(found, replaced, NOW).act == act


def test_the_successor_of_a_run_has_one_name() -> None:
    assert rerun_key(CRASHED) == "rerun:run-1"
    assert replace(CRASHED, idempotency_key=rerun_key(CRASHED)).is_rerun


def test_who_is_busy_is_told_by_flow_and_product() -> None:
    runs = (run(), run(parameters={"product": "loans"}), run(flow="release"), run(parameters={}))
    assert busy_with(runs, "train", "flights") == runs[:1]
