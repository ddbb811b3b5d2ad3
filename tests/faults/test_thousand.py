"""A thousand objects, each announced five times in no order, while the bridge is killed twice: each is taken in once.

Queue, bridge, Prefect's store of events and ingest are the real ones. What is left out is the run around each ingest,
seconds of a core that would show nothing more: a run's parameters are the event's, and `test_burst.py` has the runs.
"""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest

from deployments.aws.apply import apply
from deployments.aws.change_sets import Waiting
from localcloud.processes import members
from tests.conftest import Aws
from tests.faults import victims
from tests.faults.conftest import Measured
from tests.faults.loop import eventually
from tests.ingest import parts
from tests.localcloud.test_stack_in_emulator import parameters
from tests.orchestrator import serve

pytestmark = pytest.mark.faults
ROOT = Path(__file__).parents[2]
OBJECTS, TIMES, TAKERS = int(os.environ.get("TROPISM_OBJECTS", "1000")), 5, 3
ROWS, SPOILT_EVERY = 8, 10
GROWTH_MB = 40
"""From the first tenth of the work to its end: ten times as many objects may not weigh more than noise."""
HIDDEN_SECONDS = 10
SQS_BATCH = 10
LOG = logging.getLogger("thousand")


@dataclass
class Town:
    """A stack whose bridge talks to a Prefect server of the test's own, and a product in a folder."""

    prefix: str
    api: str
    folder: Path
    s3: Any
    sqs: Any
    functions: Any
    weights: dict[int, list[int]] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        return f"{self.prefix}-bucket"

    def queue(self, name: str = "events") -> str:
        return str(self.sqs.get_queue_url(QueueName=f"{self.prefix}-{name}")["QueueUrl"])

    def waiting(self, name: str = "events") -> int:
        """Messages in a queue, the hidden ones too."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue(name), AttributeNames=wanted)["Attributes"]
        return sum(int(found[one]) for one in wanted)

    def bridge(self) -> list[psutil.Process]:
        return members("AWS_LAMBDA_FUNCTION_NAME", f"{self.prefix}-bridge")

    def weigh(self) -> None:
        """Note what each process of the bridge has in memory, in MB."""
        for one in self.bridge():
            try:
                self.weights.setdefault(one.pid, []).append(one.memory_info().rss >> 20)
            except psutil.NoSuchProcess:
                continue

    def mapping(self, *, enabled: bool) -> None:
        """Let the queue's messages go to the bridge, or keep them."""
        (found,) = self.functions.list_event_source_mappings(FunctionName=f"{self.prefix}-bridge")[
            "EventSourceMappings"
        ]
        self.functions.update_event_source_mapping(UUID=found["UUID"], Enabled=enabled)

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def documents(self, prefix: str, ending: str) -> list[dict[str, Any]]:
        wanted = [key for key in self.keys(prefix) if key.endswith(ending)]
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda key: json.loads(self.body(key)), wanted))

    def body(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every event of a name in Prefect's store, page by page."""
        wanted = {"filter": {"event": {"name": [name]}, "occurred": {"since": "2026-01-01T00:00:00Z"}}, "limit": 50}
        with httpx.Client(timeout=60) as client:
            page = client.post(f"{self.api}/events/filter", json=wanted).raise_for_status().json()
            found = list(page["events"])
            while page["next_page"]:
                page = client.get(page["next_page"]).raise_for_status().json()
                found += page["events"]
        return found


@pytest.fixture
def town(aws: Aws, tmp_path: Path) -> Iterator[Town]:
    parts.write(tmp_path)
    (tmp_path / "prefect").mkdir()
    prefix = f"t{uuid.uuid4().hex[:8]}"
    session = boto3.session.Session()
    with serve(tmp_path / "prefect") as server:
        wanted = parameters(
            prefix, PrefectApiUrl=server.url, EventsVisibilitySeconds=str(HIDDEN_SECONDS), EventsMaxReceives="100"
        )
        apply(prefix, wanted, python=Path(sys.executable), waiting=Waiting(every=0.05, most=60))
        clients = [session.client(name) for name in ("sqs", "lambda")]
        made = Town(prefix, server.url, tmp_path, aws.s3, *clients)
        yield made
        made.mapping(enabled=False)
        for client in clients:
            client.close()


def body(number: int) -> bytes:
    """Rows of their own for each object; one in ten objects has a row that the suite sets aside."""
    sizes = [0 if row or number % SPOILT_EVERY else parts.MOST_SIZE + 1 for row in range(ROWS)]
    lines = [parts.record(number * ROWS + row, size=sizes[row] or 1 + row) for row in range(ROWS)]
    return "\n".join([parts.HEADER, *lines, ""]).encode()


def announce(town: Town, dice: random.Random) -> None:
    """Let all objects land, and put what the queue then holds about each into it five times, in no order."""
    town.mapping(enabled=False)
    for number in range(OBJECTS):
        town.s3.put_object(Bucket=town.bucket, Key=f"landing/parts/{number:04}.csv", Body=body(number))
    eventually("a message for each object", lambda: town.waiting() >= OBJECTS, seconds=120)
    bodies: list[str] = []
    while len(bodies) < OBJECTS:
        answer = town.sqs.receive_message(QueueUrl=town.queue(), MaxNumberOfMessages=SQS_BATCH)
        for message in answer["Messages"]:
            bodies.append(message["Body"])
            town.sqs.delete_message(QueueUrl=town.queue(), ReceiptHandle=message["ReceiptHandle"])
    repeated = bodies * TIMES
    dice.shuffle(repeated)
    for start in range(0, len(repeated), SQS_BATCH):
        entries = [
            {"Id": str(number), "MessageBody": text} for number, text in enumerate(repeated[start : start + SQS_BATCH])
        ]
        assert town.sqs.send_message_batch(QueueUrl=town.queue(), Entries=entries).get("Failed", []) == []
    assert town.waiting() == OBJECTS * TIMES


def carry(town: Town) -> int:
    """Have the bridge carry everything to Prefect, and kill it twice on the way; return how many died."""
    killed = 0
    town.mapping(enabled=True)
    for left in (0.7, 0.4):
        eventually(f"{left:.0%} left", lambda left=left: weighed(town) < left * OBJECTS * TIMES)
        killed += eventually("a bridge at work", lambda: victims.kill(town.bridge()), every=0.005)
    eventually("an empty queue", lambda: weighed(town) == 0)
    return killed


def weighed(town: Town) -> int:
    """Weigh the bridge, and count what still waits for it."""
    town.weigh()
    return town.waiting()


@contextmanager
def taking(town: Town, announced: list[list[str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Have several processes take everything in at once; none is left behind."""
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "PATH")
    env = {name: os.environ[name] for name in names} | {"PREFECT_API_URL": town.api, "HOME": str(town.folder)}
    running = []
    for number in range(TAKERS):
        file = town.folder / f"{number}.lines"
        file.write_text("\n".join(json.dumps(one) for one in announced[number::TAKERS]))
        arguments = [str(town.folder), town.bucket, f"taker-{number}", str(file)]
        command = [sys.executable, "-m", "tests.faults.taker", *arguments]
        running.append(subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE))
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_a_thousand_objects_announced_five_times_are_a_thousand_batches(town: Town, measured: Measured) -> None:
    measured.fault, measured.point = "bridge killed twice", f"{OBJECTS} objects x {TIMES}, in no order"
    dice, began = random.Random(20260105), time.monotonic()
    announce(town, dice)
    killed = carry(town)
    assert (killed >= 2, town.waiting("events-dead")) == (True, 0)
    told = eventually("all events stored", lambda: len(found := town.events("batch.landed")) >= OBJECTS and found)
    measured.terminal = time.monotonic() - began
    landed = [[event["payload"][name] for name in ("product", "key", "object_version")] for event in told]
    assert Counter(key for _, key, _ in landed) == {f"landing/parts/{number:04}.csv": 1 for number in range(OBJECTS)}

    LOG.info("carried after %.0f s", measured.terminal)
    announced = landed * TIMES
    dice.shuffle(announced)
    with taking(town, announced) as processes:
        said = [json.loads(process.communicate()[0]) for process in processes]
        assert [process.returncode for process in processes] == [0] * TAKERS
    measured.done = time.monotonic() - began
    LOG.info("taken in after %.0f s: %s", measured.done, said)

    spoilt = len(range(0, OBJECTS, SPOILT_EVERY))
    manifests = town.documents("validated/parts/", "/manifest.json")
    assert len({one["batch_id"] for one in manifests}) == len(manifests) == OBJECTS
    assert Counter(one["rows"]["validated"] for one in manifests) == {ROWS: OBJECTS - spoilt, ROWS - 1: spoilt}
    deliveries = town.documents("control/parts/deliveries/", ".json")
    assert Counter(one["state"] for one in deliveries) == {"validated": OBJECTS}
    assert {one["delivery_id"] for one in deliveries} == {one["delivery_id"] for one in manifests}
    counted = [one["rows"] for one in deliveries]
    assert sum(one["received"] for one in counted) == OBJECTS * ROWS
    assert sum(one["quarantined"] for one in counted) == spoilt
    assert town.keys("landing/") == []
    assert [len(town.events(name)) for name in ("batch.validated", "batch.quarantined")] == [OBJECTS, spoilt]
    worked = sum((Counter(one["steps"]) for one in said), Counter())
    assert worked["find object"] == OBJECTS * TIMES
    assert {name: worked[name] for name in ("judge rows", "publish batch", "end delivery")} == {
        "judge rows": OBJECTS,
        "publish batch": OBJECTS,
        "end delivery": OBJECTS,
    }
    grew = [one["megabytes"][-1] - one["megabytes"][len(one["megabytes"]) // 10] for one in said]
    bridges = [max(weights) - min(weights[len(weights) // 10 :]) for weights in town.weights.values()]
    measured.found = f"{killed} killed; ingest grew {grew} MB, {[one['megabytes'][-1] for one in said]} MB in all; "
    measured.found += f"bridge {[max(one) for one in town.weights.values()]} MB"
    assert (max(grew) < GROWTH_MB, max(bridges) < GROWTH_MB) == (True, True)
