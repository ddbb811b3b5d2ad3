"""Deliveries of several files: told of as one, left alone while they wait, and woken when their time is over."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows import waking
from flows.mending import Place
from lifecycle.delivery import Delivery
from lifecycle.lost import Run
from lifecycle.parts import round_id
from lifecycle.settings import Settings
from tasks import parts
from tasks.step import directly
from tests.conftest import Aws
from tests.release.conftest import Listener

FOLDER = "landing/flights/2013-07.parts"


@dataclass(frozen=True)
class Yard:
    """A bucket with a folder of files, and a sweep a minute from now."""

    aws: Aws
    bucket: str
    root: Path

    def land(self, *names: str) -> None:
        for name in names:
            self.aws.s3.put_object(Bucket=self.bucket, Key=f"{FOLDER}/{name}", Body=b"a\n1\n")

    def wait(self) -> Delivery:
        """Write that the folder waits, as ingest does when it has seen what lies there."""
        seen = parts.look(self.bucket, "flights", FOLDER)
        record = Delivery(
            product="flights",
            delivery_id=round_id(self.bucket, FOLDER, 1),
            key=FOLDER,
            object_version=None,
            etag="",
            state="waiting",
            owner="run",
            claimed_at=seen.now,
            parts=seen.present,
            waits_until=datetime.now(UTC) + timedelta(hours=3),
        )
        assert parts.wait(self.bucket, record, None) is not None
        return record

    def wake(self, listener: Listener, *, hours: float = 0, active: tuple[Run, ...] = ()) -> list[str]:
        """Sweep, and return the names of the files that were told of."""
        settings = Settings.model_validate({"bucket": self.bucket, "root": self.root})
        now = datetime.now(UTC) + timedelta(seconds=60, hours=hours)
        before = len(listener.events)
        list(waking.wake_ingest(Place(directly, settings, "sweep/test", "schedule", now), "flights", active))
        return [event["payload"]["key"].removeprefix(f"{FOLDER}/") for event in listener.events[before:]]


@pytest.fixture
def yard(aws: Aws, tmp_path: Path) -> Yard:
    return Yard(aws, aws.bucket(), tmp_path)


def test_several_files_that_nobody_looked_at_are_told_of_as_one(yard: Yard, listener: Listener) -> None:
    yard.land("part-0000.csv", "part-0001.csv", "_SUCCESS")
    assert len(yard.wake(listener)) == 1
    parameters = {"product": "flights", "key": f"{FOLDER}/x.csv"}
    working = Run("1", "ingest", "RUNNING", "Running", datetime.now(UTC), parameters=parameters)
    assert yard.wake(listener, active=(working,)) == []


def test_a_delivery_that_waits_is_left_alone_until_its_time_is_over(yard: Yard, listener: Listener) -> None:
    yard.land("part-0000.csv", "part-0001.csv")
    yard.wait()
    assert yard.wake(listener) == []
    assert yard.wake(listener, hours=2.9) == []
    assert len(yard.wake(listener, hours=3.1)) == 1


def test_a_part_that_the_waiting_record_does_not_know_is_told_of(yard: Yard, listener: Listener) -> None:
    yard.land("part-0000.csv", "part-0001.csv")
    yard.wait()
    yard.land("part-0002.csv")
    assert yard.wake(listener) == ["part-0002.csv"]


def test_a_delivery_whose_files_were_all_deleted_is_woken_to_end(yard: Yard, listener: Listener) -> None:
    yard.land("part-0000.csv")
    record = yard.wait()
    yard.aws.s3.delete_object(Bucket=yard.bucket, Key=f"{FOLDER}/part-0000.csv")
    assert yard.wake(listener) == ["manifest.json"]
    parts.forget(yard.bucket, record)
    assert yard.wake(listener) == []
