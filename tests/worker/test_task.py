"""The ECS container's command as a real process: its states and its exit codes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import AwaitingRetry, Cancelling, Crashed, Pending

pytestmark = pytest.mark.localcloud
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(prefect: Any, effects: Any, tmp_path: Any) -> Any:
    """Start the command for a run, as ECS would."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(flow_run_id: object) -> "subprocess.Popen[bytes]":
        environ = {**prefect.environ, "PREFECT__FLOW_RUN_ID": str(flow_run_id), "EFFECTS": str(effects.file)}
        command = [sys.executable, "-m", "functions.run_flow.task"]
        with (tmp_path / "task.log").open("ab") as log:
            processes.append(subprocess.Popen(command, env=environ, stdout=log, stderr=log))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_task_that_was_started_twice_executes_once_and_both_end_well(
    prefect: Any, start: Start, effects: Any
) -> None:
    run = prefect.submitted("completes")
    assert [process.wait(120) for process in [start(run.id), start(run.id)]] == [0, 0]
    assert effects.of(run.id) == ["completes"]
    assert prefect.states(run.id) == ["Scheduled", "Pending", "Running", "Completed"]


def test_a_killed_task_leaves_the_run_to_be_found_and_its_resubmission_runs_again(
    prefect: Any, start: Start, effects: Any
) -> None:
    run = prefect.submitted("sleeps", {"seconds": 2})
    process = start(run.id)
    prefect.wait_until(lambda: effects.of(run.id) == ["sleeps"], seconds=120)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert prefect.state(run.id).type == StateType.RUNNING
    for state in (Crashed(message="found by the sweep"), AwaitingRetry(), Pending()):
        prefect.client.set_flow_run_state(run.id, state)
    assert start(run.id).wait(120) == 0
    assert prefect.state(run.id).type == StateType.COMPLETED
    assert effects.of(run.id) == ["sleeps", "sleeps", "woke"]


def test_a_task_that_is_told_to_stop_is_crashed_and_says_so(prefect: Any, start: Start) -> None:
    run = prefect.submitted("sleeps")
    process = start(run.id)
    prefect.wait(run.id, StateType.RUNNING, seconds=120)
    process.terminate()
    assert process.wait(90) == 143
    assert prefect.state(run.id).type == StateType.CRASHED
    assert "termination signal" in prefect.state(run.id).message


def test_a_cancelled_task_does_not_wake_and_ends_well(prefect: Any, start: Start, effects: Any) -> None:
    run = prefect.submitted("sleeps")
    process = start(run.id)
    prefect.wait(run.id, StateType.RUNNING, seconds=120)
    prefect.client.set_flow_run_state(run.id, Cancelling())
    assert process.wait(90) == 0
    assert prefect.state(run.id).type == StateType.CANCELLED
    assert effects.of(run.id) == ["sleeps"]


def test_heartbeats_stay_on_because_a_task_has_no_time_limit(prefect: Any, start: Start) -> None:
    run = prefect.submitted("heartbeat")
    assert start(run.id).wait(120) == 0
    assert int(prefect.state(run.id).message) > 0


def test_a_flow_that_cannot_be_loaded_ends_with_a_failure(prefect: Any, start: Start) -> None:
    run = prefect.submitted("is_not_there")
    assert start(run.id).wait(120) == 1
    assert prefect.state(run.id).type == StateType.CRASHED
    assert "could not be loaded in the ECS task" in prefect.state(run.id).message


def test_a_task_without_a_run_says_what_it_wants() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-m", "functions.run_flow.task"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "PREFECT__FLOW_RUN_ID names the flow run to execute; found '', expected a UUID." in done.stderr
