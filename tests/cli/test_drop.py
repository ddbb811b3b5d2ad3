"""Files that land and are followed to their end, told by the records alone: Prefect does not answer here."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli import context
from cli.follow import Follower
from cli.landing import Landed, Wanted, plan, put
from lifecycle.batch import Reason, RowCounts
from lifecycle.delivery import Delivery
from lifecycle.errors import UsageError
from lifecycle.events import delivery_id
from tests.cli.conftest import Run, World

TRUNCATED = Reason("TRUNCATED", None, "a last line without an end", "a whole last line")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "2026-01.csv"
    path.write_text("id,at,weight,late\n1,2026-01-01T00:00:00,2.5,0\n")
    return path


def ended(world: World, landed: Landed, **outcome: Any) -> None:
    """Record what became of a landed file, as ingest does."""
    record: dict[str, Any] = {
        "product": world.product,
        "delivery_id": landed.delivery_id,
        "key": landed.key,
        "object_version": landed.object_version,
        "etag": "e",
        "state": "validated",
        "owner": "run-1",
        "claimed_at": datetime.now(UTC),
        "ended_at": datetime.now(UTC),
        "batch_id": landed.batch_id,
        "rows": RowCounts(1, 1, 0),
    }
    world.record(Delivery(**{**record, **outcome}))


@contextmanager
def ingesting(world: World, end: Callable[[Landed], None]) -> Iterator[None]:
    """Do what ingest does, once, as soon as something lands."""
    stop = threading.Event()

    def wait() -> None:
        while not stop.wait(0.05):
            found = world.aws.s3.list_object_versions(Bucket=world.bucket, Prefix="landing/").get("Versions", [])
            for one in found:
                body = world.aws.s3.get_object(Bucket=world.bucket, Key=one["Key"])["Body"].read()
                version, batch = one["VersionId"], hashlib.sha256(body).hexdigest()
                known = delivery_id(world.bucket, one["Key"], version)
                end(Landed(Path(one["Key"]), one["Key"], version, batch, known, len(body)))
                return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_without_waiting_the_file_has_landed_and_that_is_all(run: Run, world: World, file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert run("drop", "parcels", file, "--json").json == [
        {"file": str(file), "batch_id": digest, "state": "landed", "reasons": [], "rows": None, "model": None}
    ]
    stored = world.aws.s3.get_object(Bucket=world.bucket, Key="landing/parcels/2026-01.csv")
    assert stored["Body"].read() == file.read_bytes()


def test_a_file_for_a_frozen_product_lands_and_nobody_waits_for_what_will_not_happen(
    run: Run, world: World, file: Path
) -> None:
    run("freeze", "parcels", "--reason", "the books are closed", "--as", "ada")
    found = run("drop", "parcels", file, "--wait", "--json")
    assert (found.code, [one["state"] for one in found.json]) == (1, ["landed"])
    assert "by ada: the books are closed. It goes on after `tropism unfreeze parcels`." in found.err
    assert run("drop", "parcels", file, "--as", "again.csv").code == 0
    assert len(world.aws.s3.list_objects_v2(Bucket=world.bucket, Prefix="landing/")["Contents"]) == 2


def test_a_quarantined_file_is_a_no_with_its_reasons(run: Run, world: World, file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()

    def quarantine(landed: Landed) -> None:
        ended(world, landed, state="quarantined", rows=RowCounts(0, 0, 0), reasons=(TRUNCATED,))

    with ingesting(world, quarantine):
        found = run("drop", "parcels", file, "--wait", "--json")
    assert found.code == 1
    assert found.json == [
        {
            "file": str(file),
            "batch_id": digest,
            "state": "quarantined",
            "reasons": [
                {
                    "code": "TRUNCATED",
                    "column": None,
                    "found": "a last line without an end",
                    "expected": "a whole last line",
                    "rows": None,
                }
            ],
            "rows": {"received": 0, "validated": 0, "quarantined": 0, "duplicates": 0},
            "model": None,
        }
    ]


def test_a_validated_file_is_followed_until_its_model_serves(run: Run, world: World, file: Path) -> None:
    def succeed(landed: Landed) -> None:
        ended(world, landed)
        world.challenged("1", (landed.batch_id,))
        world.promoted("1")

    with ingesting(world, succeed):
        found = run("drop", "parcels", file, "--wait", "--json")
    assert found.code == 0
    assert found.json[0]["state"] == "validated"
    assert found.json[0]["model"] == {
        "version": "1",
        "state": "promoted",
        "reasons": [
            {"code": "NO_CHAMPION", "column": None, "found": "no champion", "expected": "floors only", "rows": None}
        ],
    }


def test_a_file_that_does_not_end_in_time_says_where_it_is(run: Run, world: World, file: Path) -> None:
    found = run("drop", "parcels", file, "--wait", "--timeout", "0.2")
    assert found.code == 16
    assert "2026-01.csv waits for its event to wake ingest, still after 0 s. Prefect knows of no run" in found.err
    assert world.bucket


@pytest.fixture
def follower(world: World, file: Path) -> tuple[Follower, Landed]:
    here = context.here(world.product)
    landed = put(here, Wanted(file, "landing/parcels/2026-01.csv"))
    return Follower(here, world.product, datetime.now(UTC)), landed


def test_each_step_of_a_delivery_is_told(world: World, follower: tuple[Follower, Landed]) -> None:
    one, landed = follower
    assert one.look(landed).waiting == "waits for its event to wake ingest"
    ended(world, landed)
    assert one.look(landed).waiting == "is validated, a model is trained on it"
    world.challenged("1", ("ff" * 32,))
    assert one.look(landed).waiting == "is validated, a model is trained on it"
    world.challenged("2", (landed.batch_id,))
    assert one.look(landed).waiting == "led to model 2, which is being released"
    world.promoted("2")
    assert one.look(landed).ended


@pytest.mark.parametrize(
    ("verdict", "state"), [("refuse", "refused"), ("no_change", "no_change"), ("undecidable", "undecidable")]
)
def test_a_model_that_may_not_serve_ends_the_waiting(
    world: World, follower: tuple[Follower, Landed], verdict: str, state: str
) -> None:
    one, landed = follower
    ended(world, landed)
    world.challenged("1", (landed.batch_id,), verdict=verdict)
    found = one.look(landed).verdict
    assert found is not None
    assert (found.state, found.settled) == (state, True)


def test_a_model_overtaken_before_its_release_is_the_next_ones_business(
    world: World, follower: tuple[Follower, Landed]
) -> None:
    one, landed = follower
    ended(world, landed)
    world.challenged("2", (landed.batch_id,))
    world.challenged("3", (landed.batch_id,), verdict="refuse")
    found = one.look(landed).verdict
    assert found is not None
    assert (found.version, found.state, found.settled) == ("3", "refused", True)


@pytest.mark.parametrize(
    ("names", "name", "match"),
    [
        (["missing.csv"], None, r"missing\.csv cannot be dropped\. There is no such file"),
        (["a.csv", "b.csv"], "c.csv", r"--as names one file\. Found 2 files"),
        (["_SUCCESS"], None, r"'_SUCCESS' is no name for a delivery"),
        (["a.csv"], "x" * 1100, r"is too long\. A key has 1024 bytes at most"),
        (["a.csv", "other/a.csv"], None, r"Two files would land as landing/parcels/a\.csv"),
    ],
)
def test_what_cannot_land_is_refused_before_anything_is_sent(
    tmp_path: Path, names: list[str], name: str | None, match: str
) -> None:
    (tmp_path / "other").mkdir()
    for one in ("a.csv", "b.csv", "_SUCCESS", "other/a.csv"):
        (tmp_path / one).write_bytes(b"x")
    with pytest.raises(UsageError, match=match):
        plan("parcels", [tmp_path / one for one in names], name)
