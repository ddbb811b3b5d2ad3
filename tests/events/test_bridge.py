"""The bridge against a server that answers as told: what is done, what stays in the queue, and how long it takes."""

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from functions.bridge.handler import handler
from functions.bridge.secret import renewed
from localcloud.address import free_port

GOLDEN = Path(__file__).parent / "aws"


@dataclass
class Prefect:
    """`POST /api/events` only. Answers each request with the next status, the last one for good.

    Status 0 closes the connection without an answer, as a kept connection that timed out does.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [204])
    posted: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    delay: float = 0.0

    def next_status(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Prefect]:
    state = Prefect()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(state.delay)
            status = state.next_status()
            if status == 0:
                self.close_connection = True
                return
            state.authorizations.append(self.headers.get("Authorization"))
            if status == 204 and self.path == "/api/events":
                state.posted.extend(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/api"
    monkeypatch.setenv("PREFECT_API_URL", state.url)
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    monkeypatch.delenv("PREFECT_API_AUTH_SECRET_ARN", raising=False)
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Context:
    """Lambda's context with a deadline."""

    ends: float

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - time.monotonic()) * 1000)


def invoke(*names: str, seconds: float = 10.0) -> list[str]:
    """Invoke with golden messages and return the ids of those that stay in the queue."""
    records = [
        {"messageId": name, "body": json.dumps(json.loads((GOLDEN / f"{name}.json").read_text())["message"])}
        for name in names
    ]
    answer = handler({"Records": records}, Context(time.monotonic() + seconds))  # type: ignore[typeddict-item]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_landed_and_lost_are_posted_ignored_is_done_and_refused_stays(prefect: Prefect) -> None:
    failed = invoke("put_plus", "success_marker", "native_notification", "lambda_retries_exhausted")

    assert failed == ["native_notification"]
    assert [event["event"] for event in prefect.posted] == ["batch.landed", "run.lost"]
    assert prefect.posted[0]["payload"]["key"] == "landing/flights/a+b.csv"


def test_a_message_delivered_again_is_the_same_event(prefect: Prefect) -> None:
    invoke("put_unicode")
    invoke("put_unicode")

    assert len(prefect.posted) == 2
    assert prefect.posted[0]["id"] == prefect.posted[1]["id"]


def test_prefect_refusing_one_event_leaves_that_one_only(prefect: Prefect) -> None:
    prefect.statuses = [204, 422, 204]

    assert invoke("put_plain", "put_plus", "put_unicode") == ["put_plus"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_away_gets_one_try_and_the_whole_rest_stays(prefect: Prefect, status: int) -> None:
    prefect.statuses = [204, status]

    assert invoke("put_plain", "put_plus", "put_unicode") == ["put_plus", "put_unicode"]
    assert len(prefect.authorizations) == 2


def test_a_connection_that_was_closed_meanwhile_is_opened_again(prefect: Prefect) -> None:
    prefect.statuses = [204, 0, 204]

    assert invoke("put_plain", "put_plus") == []
    assert len(prefect.posted) == 2


def test_nobody_listening_leaves_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    started = time.monotonic()

    assert invoke("put_plain", "put_plus") == ["put_plain", "put_plus"]
    assert time.monotonic() - started < 1


def test_a_server_that_hangs_never_costs_the_report(prefect: Prefect) -> None:
    prefect.delay = 30
    started = time.monotonic()

    assert invoke("put_plain", "put_plus", seconds=2) == ["put_plain", "put_plus"]
    assert time.monotonic() - started < 2


def test_the_password_is_sent(prefect: Prefect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "user:påss")

    invoke("put_plain")

    assert prefect.authorizations == [f"Basic {base64.b64encode('user:påss'.encode()).decode()}"]


def test_a_rotated_secret_is_fetched_anew(prefect: Prefect, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3  # noqa: PLC0415

    client = boto3.session.Session().client("secretsmanager", endpoint_url=aws.endpoint)
    arn = client.create_secret(Name="bridge-test", SecretString="user:old")["ARN"]
    monkeypatch.setenv("PREFECT_API_AUTH_SECRET_ARN", arn)
    assert renewed() == "user:old"
    client.put_secret_value(SecretId=arn, SecretString="user:new")
    prefect.statuses = [401, 204]

    assert invoke("put_plain") == []

    sent = [base64.b64decode((value or "").removeprefix("Basic ")).decode() for value in prefect.authorizations]
    assert sent == ["user:old", "user:new"]
    client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_a_wrong_password_leaves_the_batch_to_the_queue(prefect: Prefect) -> None:
    prefect.statuses = [401]

    assert invoke("put_plain", "put_plus") == ["put_plain", "put_plus"]
    assert len(prefect.authorizations) == 2


def test_logs_are_json_with_ids_and_reasons_only(prefect: Prefect, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="bridge"):
        invoke("put_plain", "lambda_not_a_flow")

    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "bridge"]
    assert lines == [
        {
            "event": "message.forwarded",
            "message": "put_plain",
            "name": "batch.landed",
            "id": prefect.posted[0]["id"],
        },
        {
            "event": "message.refused",
            "message": "lambda_not_a_flow",
            "reason": "A Lambda record without requestPayload.prefect.flow_run_id or requestContext.requestId.",
        },
    ]


def test_an_invocation_that_is_no_batch_is_an_error() -> None:
    with pytest.raises(TypeError, match="expected Records"):
        handler({"hello": []}, Context(time.monotonic() + 1))
