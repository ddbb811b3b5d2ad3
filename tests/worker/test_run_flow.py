"""The handler inside a genuine Lambda runtime, against a real Prefect server: every end a run can have."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.states import AwaitingRetry, Cancelling, Crashed, Pending

from worker.invocation import RunRequest

pytestmark = pytest.mark.localcloud


def event(run: Any, **changes: Any) -> dict[str, Any]:
    request = RunRequest(**{"flow_run_id": run.id, "run_count": run.run_count, **changes})
    document: dict[str, Any] = json.loads(request.to_json())
    return document


def test_a_flow_that_returns_is_completed(prefect: Any, lambdas: Any, function: str, effects: Any) -> None:
    run = prefect.submitted("completes", {"a": 40})
    answer = lambdas.invoke(function, event(run))
    assert (answer["verdict"], answer["state"]) == ("execute", "Completed")
    assert prefect.states(run.id) == ["Scheduled", "Pending", "Running", "Completed"]
    assert effects.of(run.id) == ["completes"]


def test_an_asynchronous_flow_is_completed(prefect: Any, lambdas: Any, function: str, effects: Any) -> None:
    run = prefect.submitted("completes_async")
    assert lambdas.invoke(function, event(run))["state"] == "Completed"
    assert effects.of(run.id) == ["completes_async"]


def test_a_flow_that_raises_is_failed_with_its_message(prefect: Any, lambdas: Any, function: str) -> None:
    run = prefect.submitted("fails")
    assert lambdas.invoke(function, event(run))["state"] == "Failed"
    assert "the sample fails on purpose" in prefect.state(run.id).message


def test_a_flow_that_exits_is_crashed_and_the_runtime_survives(
    prefect: Any, lambdas: Any, function: str, effects: Any
) -> None:
    before, after = prefect.submitted("completes"), prefect.submitted("completes")
    leaving = prefect.submitted("leaves")
    for run in (before, leaving, after):
        lambdas.invoke(function, event(run))
    assert prefect.state(leaving.id).type == StateType.CRASHED
    assert effects.process_of(before.id) == effects.process_of(after.id)


def test_a_flow_that_cannot_be_loaded_is_crashed_with_the_reason(prefect: Any, lambdas: Any, function: str) -> None:
    run = prefect.submitted("is_not_there")
    assert lambdas.invoke(function, event(run))["state"] == "Crashed"
    message = prefect.state(run.id).message
    assert message.startswith("The flow could not be loaded in Lambda: ")
    assert "is_not_there" in message


@pytest.mark.faults
def test_the_same_delivery_five_times_at_once_executes_once(prefect: Any, lambdas: Any, effects: Any) -> None:
    function = lambdas.create()
    run = prefect.submitted("sleeps", {"seconds": 1.0})
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: lambdas.invoke(function, event(run)), range(5)))
    assert sorted(answer["verdict"] for answer in answers) == ["execute", "skip", "skip", "skip", "skip"]
    assert effects.of(run.id) == ["sleeps", "woke"]
    assert prefect.states(run.id) == ["Scheduled", "Pending", "Running", "Completed"]


def test_a_delivery_after_the_end_changes_nothing(prefect: Any, lambdas: Any, function: str, effects: Any) -> None:
    run = prefect.submitted("fails")
    lambdas.invoke(function, event(run))
    before = prefect.states(run.id)
    answer = lambdas.invoke(function, event(run))
    assert answer["verdict"] == "skip"
    assert answer["reason"] == "The flow run does not wait to be executed: its state is Failed."
    assert prefect.states(run.id) == before
    assert effects.of(run.id) == ["fails"]


def test_a_run_that_waits_for_its_retry_runs_again_and_the_old_delivery_does_not(
    prefect: Any, lambdas: Any, function: str, effects: Any
) -> None:
    run = prefect.submitted("fails")
    lambdas.invoke(function, event(run))
    prefect.client.set_flow_run_state(run.id, AwaitingRetry())
    prefect.client.set_flow_run_state(run.id, Pending())
    again = prefect.client.read_flow_run(run.id)
    old, new, repeated = (lambdas.invoke(function, event(each)) for each in (run, again, again))
    assert [answer["verdict"] for answer in (old, new, repeated)] == ["skip", "execute", "skip"]
    assert old["reason"] == "The delivery is old: submitted after 0 attempts, the run has had 1."
    assert effects.of(run.id) == ["fails", "fails"]


def test_a_run_that_was_lost_before_it_began_runs_when_it_is_submitted_again(
    prefect: Any, lambdas: Any, function: str, effects: Any
) -> None:
    run = prefect.submitted("completes")
    states = prefect.client.read_flow_run_states(run.id)
    scheduled = next(state for state in states if state.type == StateType.SCHEDULED)
    prefect.client.create_flow_run_input(run.id, key=f"claim-0-{scheduled.id}", value='{"owner": "it died"}')
    assert lambdas.invoke(function, event(run))["verdict"] == "skip"
    prefect.client.set_flow_run_state(run.id, AwaitingRetry())
    prefect.client.set_flow_run_state(run.id, Pending())
    again = prefect.client.read_flow_run(run.id)
    assert again.run_count == run.run_count
    assert lambdas.invoke(function, event(again))["state"] == "Completed"
    assert effects.of(run.id) == ["completes"]


@pytest.mark.parametrize("flow", ["sleeps", "sleeps_async"])
def test_a_cancelled_flow_does_not_wake_and_the_runtime_survives(
    flow: str, prefect: Any, lambdas: Any, effects: Any
) -> None:
    function = lambdas.create()
    run, after = prefect.submitted(flow), prefect.submitted("completes")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambdas.invoke, function, event(run))
        prefect.wait(run.id, StateType.RUNNING)
        prefect.client.set_flow_run_state(run.id, Cancelling())
        assert answer.result(timeout=90)["state"] == "Cancelled"
    assert prefect.state(run.id).message == "Flow run was cancelled."
    assert effects.of(run.id) == [flow]
    assert lambdas.invoke(function, event(after))["state"] == "Completed"
    assert effects.process_of(run.id) == effects.process_of(after.id)


def test_a_run_that_is_cancelled_before_its_delivery_never_begins(
    prefect: Any, lambdas: Any, function: str, effects: Any
) -> None:
    run = prefect.submitted("completes")
    prefect.client.set_flow_run_state(run.id, Cancelling())
    answers = [lambdas.invoke(function, event(run)) for _ in range(2)]
    assert [answer["verdict"] for answer in answers] == ["cancel", "skip"]
    assert prefect.state(run.id).name == "Cancelled"
    assert prefect.state(run.id).message == "The flow run was cancelled before it began."
    assert effects.of(run.id) == []


@pytest.mark.parametrize("flow", ["sleeps", "sleeps_async"])
def test_a_flow_that_outlasts_its_time_is_crashed_and_the_runtime_survives(
    flow: str, prefect: Any, lambdas: Any, function: str, effects: Any
) -> None:
    run, after = prefect.submitted(flow), prefect.submitted("completes")
    assert lambdas.invoke(function, event(run, timeout=6))["state"] == "Crashed"
    assert prefect.state(run.id).message.startswith("Stopped 2 s before the time limit of Lambda. ")
    assert lambdas.invoke(function, event(after))["state"] == "Completed"
    assert effects.process_of(run.id) == effects.process_of(after.id)


def test_a_retry_that_outlasts_the_time_is_crashed_and_not_left_waiting_for_this_process(
    prefect: Any, lambdas: Any, function: str, effects: Any
) -> None:
    run = prefect.submitted("retries_late")
    assert lambdas.invoke(function, event(run, timeout=6))["state"] == "Crashed"
    assert prefect.states(run.id)[-2:] == ["AwaitingRetry", "Crashed"]
    assert effects.of(run.id) == ["retries_late"]


@pytest.mark.faults
def test_a_flow_that_cannot_be_stopped_is_crashed_and_ended_with_its_process(
    prefect: Any, lambdas: Any, effects: Any
) -> None:
    run = prefect.submitted("ignores_being_stopped", {"seconds": 90})
    answer = lambdas.invoke(lambdas.create(timeout=120), event(run, timeout=6))
    assert answer["errorType"] == "Runtime.ExitError"
    assert prefect.state(run.id).type == StateType.CRASHED
    assert prefect.state(run.id).message.endswith("The flow did not react to being stopped.")
    assert not Path(f"/proc/{effects.process_of(run.id)}").exists()


def test_an_environment_that_dies_leaves_a_record_that_names_the_run(prefect: Any, lambdas: Any) -> None:
    function = lambdas.create()
    sqs = boto3.session.Session().client("sqs")
    queue = sqs.create_queue(QueueName=f"{function}-lost")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    lambdas.client.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    run = prefect.submitted("dies")
    lambdas.client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event(run)).encode())
    received: list[Any] = []
    prefect.wait_until(lambda: received.extend(receive(sqs, queue)) or received, seconds=90)
    record = json.loads(received[0]["Body"])
    assert record["requestPayload"] == event(run)
    assert record["requestPayload"]["prefect"]["flow_run_id"] == str(run.id)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert prefect.state(run.id).type == StateType.RUNNING


def receive(sqs: Any, queue: str) -> list[Any]:
    messages: list[Any] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", [])
    return messages


def test_variables_of_one_run_are_not_seen_by_the_next(prefect: Any, lambdas: Any, function: str, effects: Any) -> None:
    run, after = prefect.submitted("reads_environment"), prefect.submitted("reads_environment")
    assert lambdas.invoke(function, event(run, env={"STAGE": "first"}))["state"] == "Completed"
    assert lambdas.invoke(function, event(after))["state"] == "Failed"
    assert effects.of(run.id) == ["first"]


def change_while_it_loads(prefect: Any, lambdas: Any, effects: Any, run: Any, *states: Any) -> tuple[str, Any]:
    """Set states of a run between its claim and its beginning; give back the function and its answer."""
    function = lambdas.create()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambdas.invoke, function, event(run))
        prefect.wait_until(lambda: effects.of(run.id) == ["loading"])
        for state in states:
            prefect.client.set_flow_run_state(run.id, state)
        return function, answer.result(timeout=90)


def test_a_run_that_is_submitted_again_while_its_flow_loads_is_begun_by_the_new_delivery_alone(
    prefect: Any, lambdas: Any, effects: Any
) -> None:
    run = prefect.submitted("slow_to_load")
    lost_and_again = (Crashed(message="declared lost"), AwaitingRetry(), Pending())
    function, answer = change_while_it_loads(prefect, lambdas, effects, run, *lost_and_again)
    assert answer["verdict"] == "skip"
    assert effects.of(run.id) == ["loading"]
    assert lambdas.invoke(function, event(prefect.client.read_flow_run(run.id)))["state"] == "Completed"
    assert effects.of(run.id) == ["loading", "slow_to_load"]


def test_a_run_that_is_cancelled_while_its_flow_loads_is_not_begun(prefect: Any, lambdas: Any, effects: Any) -> None:
    run = prefect.submitted("slow_to_load")
    _, answer = change_while_it_loads(prefect, lambdas, effects, run, Cancelling())
    assert answer["state"] == "Cancelled"
    assert effects.of(run.id) == ["loading"]


def test_heartbeats_are_off_because_they_would_cost_a_second(prefect: Any, lambdas: Any, function: str) -> None:
    run = prefect.submitted("heartbeat")
    lambdas.invoke(function, event(run))
    assert prefect.state(run.id).message == "None"


def test_logs_and_task_states_arrive_although_the_environment_is_frozen_at_once(
    prefect: Any, lambdas: Any, effects: Any
) -> None:
    function = lambdas.create(PREFECT_LOGGING_TO_API_BATCH_INTERVAL="60")  # seconds: sent when told to, only
    run = prefect.submitted("completes")
    lambdas.invoke(function, event(run))
    process = effects.process_of(run.id)
    os.kill(process, signal.SIGSTOP)  # what Lambda does between invocations
    try:
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        prefect.wait_until(lambda: [task.state_name for task in read_task_runs(prefect, of_run)] == ["Completed"])
        of_log = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        messages = [log.message for log in prefect.client.read_logs(of_log)]
    finally:
        os.kill(process, signal.SIGCONT)
    assert any(message.startswith("Finished in state Completed") for message in messages)


def read_task_runs(prefect: Any, flow_runs: FlowRunFilter) -> Any:
    answer = prefect.client.request("POST", "/task_runs/filter", json={"flow_runs": flow_runs.model_dump(mode="json")})
    return [TaskRun.model_validate(task) for task in answer.json()]


def test_an_event_that_is_no_request_is_refused_with_a_sentence(lambdas: Any, function: str) -> None:
    answer = lambdas.invoke(function, {"Records": []})
    assert answer["errorType"] == "ValueError"
    assert answer["errorMessage"].startswith("The event is not a request to run a flow: prefect: Field required.")
