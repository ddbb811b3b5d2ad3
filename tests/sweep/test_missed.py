"""What no event woke: landed objects, validated batches, models that passed the gate."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows import waking
from flows.mending import Place
from lifecycle import orders
from lifecycle.batch import BatchManifest, EventTimes, RowCounts, StoredFile, SuiteUsed, delivery_key
from lifecycle.claim import take
from lifecycle.control import Actor, ControlRecord, Move
from lifecycle.delivery import Delivery
from lifecycle.events import BatchLanded
from lifecycle.ledger import Decision
from lifecycle.lost import Run
from lifecycle.settings import Settings
from tasks import claim, control, ledger, objects
from tasks.snapshot import take_snapshot
from tasks.step import directly
from tests.conftest import Aws
from tests.release.conftest import Listener

PRODUCT = "flights"


@dataclass(frozen=True)
class Zone:
    """A bucket, and a sweep a minute from now."""

    aws: Aws
    bucket: str
    root: Path

    @property
    def place(self) -> Place:
        settings = Settings.model_validate({"bucket": self.bucket, "root": self.root})
        return Place(directly, settings, "sweep/test", "schedule", datetime.now(UTC) + timedelta(seconds=60))

    def land(self, name: str) -> BatchLanded:
        key = f"landing/{PRODUCT}/{name}"
        answer = self.aws.s3.put_object(Bucket=self.bucket, Key=key, Body=b"a\n1\n")
        etag, version = answer["ETag"].strip('"'), answer["VersionId"]
        return BatchLanded(product=PRODUCT, bucket=self.bucket, key=key, object_version=version, etag=etag, size=4)

    def validate(self, name: str) -> str:
        batch = uuid.uuid5(uuid.NAMESPACE_URL, name).hex * 2
        key = f"validated/{PRODUCT}/{batch}/data.parquet"
        manifest = BatchManifest(
            product=PRODUCT,
            batch_id=batch,
            delivery_id=str(uuid.uuid4()),
            key=f"landing/{PRODUCT}/{name}",
            object_version="v",
            etag="e",
            landed_at=datetime.now(UTC),
            flow_run="run",
            rows=RowCounts(1, 1, 0),
            columns=(),
            event_times=EventTimes(column="at", first=None, last=None),
            suite=SuiteUsed(name="flights_raw", sha256="s"),
            data=StoredFile(key=key, sha256=batch, size=1),
        )
        objects.create(self.bucket, key.replace("data.parquet", "manifest.json"), manifest.model_dump_json().encode())
        return batch

    def challenge(self, version: str, snapshot: str, batches: tuple[str, ...] = ()) -> None:
        decision = Decision(
            at=datetime.now(UTC),
            actor="train",
            cause="test",
            action="challenge",
            from_=None,
            to=version,
            reason="judged",
            evidence={"verdict": "promote", "bundle": "b", "snapshot": snapshot, "batches": ",".join(batches)},
            key=f"challenge/{version}",
        )
        ledger.append(self.bucket, PRODUCT, decision)

    def say(self, word: Callable[[ControlRecord, Actor, str], Move]) -> None:
        """Freeze, or end it."""
        held = control.read(self.bucket, PRODUCT)
        control.write(self.bucket, held, word(held.record, Actor("ada", datetime.now(UTC)), "a test"))

    @property
    def now(self) -> Place:
        """A sweep right now, which an event may still outrun."""
        return replace(self.place, now=datetime.now(UTC))


@pytest.fixture
def zone(aws: Aws, tmp_path: Path) -> Zone:
    return Zone(aws, aws.bucket(), tmp_path)


def told(what: Iterator[str]) -> int:
    return len(list(what))


def run(flow: str, **parameters: str) -> Run:
    return Run("1", flow, "RUNNING", "Running", datetime.now(UTC), parameters={"product": PRODUCT, **parameters})


def test_a_landed_object_is_told_again_as_the_same_delivery_by_another_event(zone: Zone, listener: Listener) -> None:
    landed = zone.land("a file+%20 ü.csv")
    zone.land("_SUCCESS")
    assert told(waking.wake_ingest(zone.place, PRODUCT, ())) == 1
    (event,) = listener.events
    assert event["event"] == "batch.landed"
    assert event["payload"]["delivery_id"] == landed.delivery_id
    assert (event["payload"]["key"], event["payload"]["object_version"]) == (landed.key, landed.object_version)
    assert event["id"] != str(landed.id)
    assert event["payload"]["retry_of"] is None


def test_a_delivery_that_a_dead_run_claimed_is_handed_to_its_successor(zone: Zone, listener: Listener) -> None:
    landed = zone.land("claimed.csv")
    record = Delivery(
        product=PRODUCT,
        delivery_id=landed.delivery_id,
        key=landed.key,
        object_version=landed.object_version,
        etag=landed.etag,
        state="claimed",
        owner="dead-run",
        claimed_at=datetime.now(UTC),
    )
    objects.create(zone.bucket, delivery_key(PRODUCT, landed.delivery_id), record.model_dump_json().encode())
    assert told(waking.wake_ingest(zone.place, PRODUCT, (run("ingest", key=landed.key),))) == 0
    assert told(waking.wake_ingest(zone.place, PRODUCT, (run("ingest", key="another"),))) == 1
    assert listener.events[0]["payload"]["retry_of"] == "dead-run"


def test_an_object_that_left_the_landing_zone_or_was_replaced_is_told_once_as_it_is(
    zone: Zone, listener: Listener
) -> None:
    gone = zone.land("gone.csv")
    zone.aws.s3.delete_object(Bucket=zone.bucket, Key=gone.key)
    zone.land("twice.csv")
    newest = zone.land("twice.csv")
    assert told(waking.wake_ingest(zone.place, PRODUCT, ())) == 1
    assert [event["payload"]["object_version"] for event in listener.events] == [newest.object_version]


def test_validated_batches_without_a_challenge_ask_for_a_training_until_there_is_one(
    zone: Zone, listener: Listener
) -> None:
    assert told(waking.wake_train(zone.place, PRODUCT, ())) == 0
    first = zone.validate("first")
    zone.challenge("1", take_snapshot(zone.bucket, PRODUCT).digest, (first[:12],))
    assert told(waking.wake_train(zone.place, PRODUCT, ())) == 0
    zone.validate("second")
    assert told(waking.wake_train(zone.place, PRODUCT, (run("train"),))) == 0
    assert told(waking.wake_train(zone.place, PRODUCT, ())) == 1
    (event,) = listener.events
    assert (event["event"], event["payload"]["cause"]) == ("retrain.requested", "untrained_batches")
    assert event["payload"]["retry_of"] is None
    zone.challenge("2", take_snapshot(zone.bucket, PRODUCT).digest)
    assert told(waking.wake_train(zone.place, PRODUCT, ())) == 0


def test_a_training_asked_for_may_take_over_the_turn_of_a_dead_one(zone: Zone, listener: Listener) -> None:
    zone.validate("first")
    turn = take(None, PRODUCT, "dead-run", datetime.now(UTC)).turn
    objects.create(zone.bucket, claim.turn_key(PRODUCT), turn.model_dump_json().encode())
    assert told(waking.wake_train(zone.place, PRODUCT, ())) == 1
    assert listener.events[0]["payload"]["retry_of"] == "dead-run"


def test_a_model_that_passed_and_nobody_released_is_told_again(zone: Zone, listener: Listener) -> None:
    zone.challenge("1", "snapshot")
    for flow in ("release", "train"):
        assert told(waking.wake_release(zone.place, PRODUCT, (run(flow),))) == 0
    assert told(waking.wake_release(zone.place, PRODUCT, ())) == 1
    (event,) = listener.events
    assert (event["event"], event["payload"]["version"], event["payload"]["bundle"]) == ("model.challenged", "1", "b")
    assert event["payload"]["attempt"] > 0


def test_while_a_product_is_frozen_nobody_is_woken_and_afterwards_everybody_is_at_once(
    zone: Zone, listener: Listener
) -> None:
    zone.land("first.csv")
    assert told(waking.wake_ingest(zone.place, PRODUCT, ())) == 1
    zone.say(orders.freeze)
    zone.validate("batch")
    zone.land("second.csv")
    claim.leave_wish(zone.bucket, PRODUCT, "put-off")
    for wake in (waking.wake_ingest, waking.wake_train):
        assert told(wake(zone.place, PRODUCT, ())) == 0
    zone.say(orders.unfreeze)
    listener.events.clear()
    assert told(waking.wake_ingest(zone.now, PRODUCT, ())) == 2
    assert [event["payload"]["attempt"] for event in listener.events] == [1_000_001, 1_000_001]
    listener.events.clear()
    assert told(waking.wake_train(zone.now, PRODUCT, (run("train"),))) == 0
    assert told(waking.wake_train(zone.now, PRODUCT, ())) == 1
    assert (listener.events[0]["event"], listener.events[0]["payload"]["cause"]) == ("retrain.requested", "thawed")


def test_a_training_that_was_put_off_is_asked_for_once_and_after_it_only_what_is_untrained(
    zone: Zone, listener: Listener
) -> None:
    zone.say(orders.freeze)
    claim.leave_wish(zone.bucket, PRODUCT, "put-off")
    zone.say(orders.unfreeze)
    assert told(waking.wake_train(zone.now, PRODUCT, ())) == 1
    claim.take_turn(zone.bucket, PRODUCT, "trainer")
    claim.leave_turn(zone.bucket, PRODUCT, "trainer")
    assert told(waking.wake_train(zone.now, PRODUCT, ())) == 0
    zone.validate("batch")
    assert told(waking.wake_train(zone.now, PRODUCT, ())) == 0, "its own event may still be on the way"
    assert told(waking.wake_train(zone.place, PRODUCT, ())) == 1
    assert [event["payload"]["cause"] for event in listener.events] == ["thawed", "untrained_batches"]
