"""Sending from a flow's side: it arrives, or the caller knows."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from lifecycle.errors import ServiceError
from lifecycle.events import RetrainRequested
from localcloud.address import free_port
from tasks.events import send

EVENT = RetrainRequested(product="flights", cause="a test", request_id="1")
AT_ONCE = (0.0, 0.0, 0.0)


@dataclass
class Prefect:
    """`POST /api/events` only; answers with the next status, the last one for good."""

    url: str
    statuses: list[int]
    posted: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    state = Prefect(url="", statuses=[204])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.posted.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            state.authorizations.append(self.headers.get("Authorization"))
            self.send_response(state.statuses.pop(0) if len(state.statuses) > 1 else state.statuses[0])
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/api"
    try:
        with temporary_settings({PREFECT_API_URL: state.url}):
            yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_may_pass_is_tried_again_as_the_same_event(prefect: Prefect) -> None:
    prefect.statuses = [503, 429, 204]

    send(EVENT, waits=AT_ONCE)

    assert [posted["id"] for posted in prefect.posted] == [str(EVENT.id)] * 3


def test_a_refusal_is_final_and_says_what_was_found(prefect: Prefect) -> None:
    prefect.statuses = [422]

    with pytest.raises(ServiceError, match=r"did not accept retrain.requested .*status 422, expected 204"):
        send(EVENT, waits=AT_ONCE)

    assert len(prefect.posted) == 1


def test_a_success_that_is_not_204_is_no_acceptance(prefect: Prefect) -> None:
    prefect.statuses = [200]

    with pytest.raises(ServiceError, match="status 200, expected 204"):
        send(EVENT, waits=AT_ONCE)


def test_the_password_of_the_settings_is_sent(prefect: Prefect) -> None:
    with temporary_settings({PREFECT_API_AUTH_STRING: "user:pass:word"}):
        send(EVENT, waits=AT_ONCE)

    assert prefect.authorizations == ["Basic dXNlcjpwYXNzOndvcmQ="]


def test_nobody_listening_is_an_error_of_ours() -> None:
    with (
        temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}),
        pytest.raises(ServiceError, match="ConnectError"),
    ):
        send(EVENT, waits=AT_ONCE)


def test_without_an_address_it_says_which_variable_is_missing() -> None:
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ServiceError, match="PREFECT_API_URL is not set"),
    ):
        send(EVENT, waits=AT_ONCE)
