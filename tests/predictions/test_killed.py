"""The emulator is killed with records on their way: whatever was answered arrives after the next start."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lifecycle.settings import Settings
from localcloud.address import REPO, free_port
from localcloud.install import install
from tasks import delivery_streams, moulds
from tasks.clients import firehose, logs, s3
from tests.conftest import REGION, _wait_until_healthy
from tests.predictions.conftest import ROLES, mould
from tests.predictions.test_delivery import Talker, eventually, record

pytestmark = pytest.mark.faults
_CHECKPOINT_SECONDS = 2.5
"""What the emulator was asked for is on disk within a second; the log is at once."""


class Emulator:
    """An emulator that keeps its state, killed and started again on one port."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        known = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": self.endpoint}
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            **known,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "localhost",
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "STATE_DIR": str(self.home / "aws"),
            "S3_DATA_DIR": str(self.home / "s3"),
        }
        log = self.home / "emulator.log"
        command = [str(install()), "-m", "localcloud.emulator"]
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, env=env, cwd=REPO, stdout=out, stderr=out, start_new_session=True)
        _wait_until_healthy(self.process, self.endpoint, log)

    def kill(self) -> None:
        """End it and its environments at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def spooled(self) -> int:
        return sum(path.stat().st_size for path in (self.home / "aws-log").rglob("*.jsonl"))


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    made = Emulator(tmp_path)
    made.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    yield made
    made.kill()


@pytest.fixture
def talker(emulator: Emulator) -> Talker:
    s3().create_bucket(Bucket="tropism-killed")
    mould("tropism-predict", ROLES)
    return Talker(Settings.model_validate({"bucket": "tropism-killed"}))


def subscriptions(talker: Talker) -> list[object]:
    group = f"/aws/lambda/{talker.function}"
    (found,) = logs().describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return [
        found.get("retentionInDays"),
        logs().describe_subscription_filters(logGroupName=group)["subscriptionFilters"],
    ]


def test_what_was_answered_during_an_outage_survives_a_kill(emulator: Emulator, talker: Talker) -> None:
    talker.tell(record("before"))
    eventually("the first record", lambda: talker.ids() == ["before"])
    firehose().delete_delivery_stream(DeliveryStreamName=talker.stream)
    time.sleep(_CHECKPOINT_SECONDS)
    known = subscriptions(talker)
    for number in range(20):
        talker.tell(record(f"during-{number:02}"))
    emulator.kill()
    assert emulator.spooled() > 0
    emulator.start()
    assert subscriptions(talker) == known
    talker.tell(record("after"))
    assert talker.ids() == ["before"]
    delivery_streams.ensure(talker.settings, "flights")
    eventually("every record", lambda: len(talker.ids()) == 22)
    assert talker.ids() == sorted(["after", "before", *(f"during-{number:02}" for number in range(20))])
    assert emulator.spooled() == 0


def test_whoever_was_answered_before_a_kill_is_in_the_log_after_it(emulator: Emulator, talker: Talker) -> None:
    """Killed twice, while three clients ask and deliveries are under way."""
    time.sleep(_CHECKPOINT_SECONDS)
    answered: list[str] = []
    for attempt in range(2):
        clients = [_asking(talker.function, f"{attempt}-{client}", answered.append) for client in range(3)]
        time.sleep(1.5 + attempt)
        emulator.kill()
        for client in clients:
            client.join(30)
        emulator.start()
    assert len(answered) > 30
    eventually("every record", lambda: set(answered) <= set(talker.ids()))
    told = talker.ids()
    assert len(told) == len(set(told))
    assert moulds.ensure_function(talker.settings, "flights") == talker.function


def _asking(function: str, name: str, told: Callable[[str], None]) -> threading.Thread:
    """Ask until nobody answers; tell the id of every answer."""
    once = Config(retries={"total_max_attempts": 1}, read_timeout=10)
    client = boto3.session.Session().client("lambda", config=once)

    def ask() -> None:
        for number in range(10_000):
            request = f"{name}-{number}"
            try:
                answer = client.invoke(FunctionName=function, Payload=json.dumps({"lines": [record(request)]}))
                if json.loads(answer["Payload"].read()) == {"told": 1}:
                    told(request)
            except (BotoCoreError, ClientError, ValueError):
                return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread
