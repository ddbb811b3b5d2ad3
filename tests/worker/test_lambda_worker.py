"""The worker between a real Prefect server and Lambda: what it submits, and what becomes of what it cannot."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prefect.client.schemas.objects import StateType
from prefect.exceptions import InfrastructureNotAvailable
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_HOME, temporary_settings
from prefect.states import Scheduled

from worker import LambdaWorker
from worker.configuration import LambdaJobConfiguration

pytestmark = pytest.mark.localcloud
POOL = "lambda-tests"
Submit = Callable[..., Any]


@pytest.fixture
def submit(prefect: Any) -> Submit:
    """Let a worker take one scheduled run of a sample flow and return the run as it is afterwards."""

    def submit(flow: str, **variables: Any) -> Any:
        deployment = prefect.deployment(flow, job_variables=variables)
        run = prefect.client.create_flow_run_from_deployment(deployment, state=Scheduled())
        asyncio.run(poll_once())
        return prefect.client.read_flow_run(run.id)

    return submit


async def poll_once() -> None:
    async with LambdaWorker(work_pool_name=POOL) as worker:
        await worker.get_and_submit_flow_runs()


@dataclass
class Stub:
    """Lambda's Invoke and nothing else: each answer in turn, the last one for ever; bodies are kept."""

    answers: list[tuple[int, str]]
    bodies: list[str] = field(default_factory=list)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    stub = Stub(answers=[(202, "")])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            stub.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, error = stub.answers[min(len(stub.bodies), len(stub.answers)) - 1]
            body = json.dumps({"Message": f"{error} says the stub."}).encode() if error else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-amzn-RequestId", "stub-request")
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_submitted_run_is_completed_and_names_its_invocation(
    prefect: Any, submit: Submit, function: str, effects: Any
) -> None:
    run = submit("completes", function_name=function)
    assert prefect.wait(run.id).name == "Completed"
    assert run.infrastructure_pid.startswith(f"{function}:$LATEST::")
    assert prefect.states(run.id) == ["Scheduled", "Pending", "Submitting", "Running", "Completed"]
    assert effects.of(run.id) == ["completes"]


def test_an_invocation_carries_neither_settings_nor_secrets(prefect: Any, submit: Submit, stub: Stub) -> None:
    secret = {PREFECT_API_AUTH_STRING: "user:a-secret", PREFECT_HOME: "/srv/a-home"}
    with temporary_settings(secret):
        run = submit("completes", function_name="run-flow", env={"STAGE": "prod"}, payload={"note": 7})
    (body,) = stub.bodies
    sent = json.loads(body)
    names = {name for name in sent["prefect"]["env"] if not name.startswith("PREFECT__")}
    assert names == {"STAGE"}
    assert sent["payload"] == {"note": 7}
    assert sent["prefect"]["flow_run_id"] == str(run.id)
    assert "a-secret" not in body
    assert "a-home" not in body
    assert prefect.url not in body


def test_throttling_is_retried_and_then_accepted(prefect: Any, submit: Submit, stub: Stub) -> None:
    stub.answers = [(429, "TooManyRequestsException"), (202, "")]
    run = submit("completes", function_name="run-flow")
    assert len(stub.bodies) == 2
    assert prefect.state(run.id).name == "Submitting"


@pytest.fixture
def three_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between attempts are botocore's own and grow to 15 s over five."""
    monkeypatch.setattr("worker.lambda_api.ATTEMPTS", 3)


@pytest.mark.usefixtures("three_attempts")
def test_throttling_without_end_is_a_crash_with_a_message(prefect: Any, submit: Submit, stub: Stub) -> None:
    stub.answers = [(429, "TooManyRequestsException")]
    run = submit("completes", function_name="run-flow")
    assert len(stub.bodies) == 3
    assert prefect.state(run.id).type == StateType.CRASHED
    assert "FunctionThrottledError: Lambda refused function run-flow:$LATEST 3 times" in prefect.state(run.id).message


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (413, "RequestTooLargeException", "PayloadTooLargeError: Lambda refused the payload for function run-flow"),
        (403, "AccessDeniedException", "InvocationRefusedError: Lambda refused function run-flow:$LATEST with AccessD"),
    ],
)
def test_a_refusal_is_a_crash_with_the_reason(
    status: int, error: str, expected: str, prefect: Any, submit: Submit, stub: Stub
) -> None:
    stub.answers = [(status, error)]
    run = submit("completes", function_name="run-flow")
    assert prefect.state(run.id).type == StateType.CRASHED
    assert expected in prefect.state(run.id).message


@pytest.mark.usefixtures("three_attempts")
def test_a_lambda_that_does_not_answer_is_a_crash_with_a_message(
    prefect: Any, submit: Submit, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    run = submit("completes", function_name="run-flow")
    assert stub.bodies == []
    assert prefect.state(run.id).type == StateType.CRASHED
    assert "InvocationRefusedError: Lambda could not be asked for function run-flow" in prefect.state(run.id).message


@pytest.mark.usefixtures("lambdas")
def test_a_missing_function_is_a_crash_that_names_it_and_the_command(prefect: Any, submit: Submit) -> None:
    run = submit("completes", function_name="never-made", qualifier="live")
    assert prefect.state(run.id).type == StateType.CRASHED
    message = prefect.state(run.id).message
    assert "FunctionNotFoundError: Lambda has no function never-made:live in us-east-1." in message
    assert "`aws lambda list-functions --region us-east-1`" in message


def test_a_payload_that_is_too_large_is_a_crash(prefect: Any, submit: Submit, function: str) -> None:
    run = submit("completes", function_name=function, payload={"blob": "x" * 1_000_000})
    assert prefect.state(run.id).type == StateType.CRASHED
    assert "PayloadTooLargeError: The invocation for flow run" in prefect.state(run.id).message


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"memory": 1024}, "has a memory of 512 MB; this run asks for 1024 MB."),
        ({"timeout": 300}, "has a timeout of 120 s; this run asks for 300 s."),
    ],
)
def test_a_run_that_needs_more_than_the_function_has_is_a_crash(
    asked: dict[str, int], expected: str, prefect: Any, submit: Submit, function: str
) -> None:
    run = submit("completes", function_name=function, **asked)
    assert prefect.state(run.id).type == StateType.CRASHED
    assert expected in prefect.state(run.id).message


def test_a_run_that_needs_less_than_the_function_has_runs(prefect: Any, submit: Submit, function: str) -> None:
    run = submit("completes", function_name=function, memory=256, timeout=20)
    assert prefect.wait(run.id).name == "Completed"


def test_an_invocation_cannot_be_killed_and_the_reason_is_told() -> None:
    worker = LambdaWorker(work_pool_name=POOL)
    with pytest.raises(InfrastructureNotAvailable, match=r"AWS has no call that stops .* f:live::1\. The function"):
        asyncio.run(worker.kill_infrastructure("f:live::1", LambdaJobConfiguration(function_name="f")))


def test_the_type_is_found_by_prefects_own_commands(prefect: Any, aws: Any, function: str, tmp_path: Any) -> None:
    environ = {
        **prefect.environ,
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }

    def command(*words: str) -> str:
        done = subprocess.run(
            ["prefect", *words], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Created work pool 'by-command'" in command("work-pool", "create", "by-command", "--type", "lambda")
    flow = prefect.client.create_flow_from_name("completes")
    deployment = prefect.client.create_deployment(
        flow,
        name="by-command",
        entrypoint="sample_flows.completes",
        work_pool_name="by-command",
        job_variables={"function_name": function},
    )
    run = prefect.client.create_flow_run_from_deployment(deployment, state=Scheduled())
    started = command("worker", "start", "--pool", "by-command", "--type", "lambda", "--run-once")
    assert "Worker 'LambdaWorker" in started
    assert prefect.wait(run.id).name == "Completed"
