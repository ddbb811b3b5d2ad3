"""Notifications by Prefect's blocks: a real server keeps them, a real receiver on this machine gets them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.respond import carry_out
from lifecycle.episodes import Episode, Watch
from lifecycle.looks import watch_key
from lifecycle.measurement import Measurement, Metric
from lifecycle.settings import Settings
from tasks import ledger, objects
from tasks.notifying import Told, notify
from tasks.step import directly
from tests.conftest import Aws
from tests.monitor.conftest import NOW

if TYPE_CHECKING:
    from tests.orchestrator import Prefect

ROOT = Path(__file__).parents[2]

# Prefect's Slack and e-mail blocks load all of apprise, whose PGP module opens one of Python's old ones.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
IN_THE_ADDRESS = "T0KEN-OF-THE-CHANNEL"


@dataclass
class Receiver:
    """Answers each POST with `status` and keeps what came."""

    url: str = ""
    status: int = 200
    bodies: list[Any] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            state.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(state.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/{IN_THE_ADDRESS}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def blocks(prefect: Prefect, receiver: Receiver) -> Iterator[None]:
    """A custom webhook and a plain one to the receiver, Slack where nobody listens, and a secret that tells nobody."""
    text = {"text": "{{subject}}\n{{body}}"}
    with temporary_settings({PREFECT_API_URL: prefect.url}):
        CustomWebhookNotificationBlock(name="ops", url=receiver.url, json_data=text).save("ops", overwrite=True)
        Webhook(url=receiver.url).save("plain", overwrite=True)
        SlackWebhook(url=f"json://127.0.0.1:9/{IN_THE_ADDRESS}").save("away", overwrite=True)
        Secret(value="x").save("mute", overwrite=True)
        yield


@pytest.mark.usefixtures("blocks")
def test_each_block_gets_subject_and_body(receiver: Receiver) -> None:
    told = notify(("custom-webhook/ops", "webhook/plain"), "flights: notify (drift)", "psi carrier breached")

    assert told == Told(sent=("custom-webhook/ops", "webhook/plain"))
    assert receiver.bodies == [
        {"text": "flights: notify (drift)\npsi carrier breached"},
        {"subject": "flights: notify (drift)", "body": "psi carrier breached"},
    ]


def test_none_named_means_none_sent() -> None:
    assert notify((), "subject", "body") == Told()


@pytest.mark.usefixtures("blocks")
def test_a_block_that_fails_is_logged_without_its_address_and_stops_no_other(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    names = ("slack-webhook/away", "slack-webhook/nowhere", "secret/mute", "nonsense", "custom-webhook/ops")
    with caplog.at_level(logging.INFO, "tropism"):
        told = notify((*names, "webhook/plain"), "subject", "body")

    assert told == Told(failed=(*names, "webhook/plain"))
    assert len(receiver.bodies) == 2
    lines = [record.getMessage() for record in caplog.records if record.name == "tropism"]
    failed = [line for line in lines if line.startswith("notification.failed")]
    assert [line.split("block=")[1].split()[0] for line in failed] == [*names, "webhook/plain"]
    assert "nowhere" in failed[1]
    assert "answered 500" in failed[4]
    assert not [line for line in lines if IN_THE_ADDRESS in line]


@pytest.fixture
def breached(aws: Aws, tmp_path: Path) -> Settings:
    """A product in breach: a column that is missing, of which a value lies in the log."""
    folder = tmp_path / "products" / "bike"
    folder.mkdir(parents=True)
    spec = (ROOT / "products" / "bike" / "product.yaml").read_text()
    (folder / "product.yaml").write_text(f"{spec}\nmonitor: {{respond: {{notify: [custom-webhook/ops]}}}}\n")
    where = Settings(bucket=aws.bucket(), root=tmp_path)
    found = Measurement(
        metric=Metric.MISSING, column="weather", state="breached", n=900, statistic=0.31, usual=0.0,
        threshold=0.04, chance=0.02, power=0.99,
    )  # fmt: skip
    since = NOW - timedelta(hours=2)
    episode = Episode(metric=Metric.MISSING, column="weather", since=since, raised_at=since, worst=found, last=found)
    watch = Watch(bundle="b", looked_at=NOW, episodes=(episode,))
    assert objects.create(where.bucket, watch_key("bike"), watch.model_dump_json().encode()) is not None
    line = json.dumps({"event": "prediction.answered", "product": "bike", "rows": [["misty-secret-row-value"]]})
    objects.create(where.bucket, "predictions/bike/dt=2026-03-20/one.json", line.encode())
    return where


@pytest.mark.usefixtures("blocks")
def test_a_response_tells_what_was_found_and_no_row(breached: Settings, receiver: Receiver) -> None:
    done, _ = carry_out(directly, breached, "bike", NOW)

    assert (done.action, done.told) == ("quarantine_and_notify", ("custom-webhook/ops",))
    (body,) = receiver.bodies
    assert "bike: quarantine_and_notify (data_fault)" in body["text"]
    assert "missing weather breached: found 0.31, expected at most 0.04 (n = 900" in body["text"]
    assert "misty-secret-row-value" not in body["text"]


@pytest.mark.usefixtures("blocks")
def test_a_receiver_that_fails_keeps_nothing_from_being_done(breached: Settings, receiver: Receiver) -> None:
    receiver.status = 503
    done, _ = carry_out(directly, breached, "bike", NOW)

    assert (done.action, done.told) == ("quarantine_and_notify", ())
    assert [entry.action for entry in ledger.entries(breached.bucket, "bike")] != []
    assert done.ledger_seq is not None
