"""A delivery of several files that is not whole: every command that knows deliveries says what is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cli.context import here
from cli.follow import Follower
from cli.landing import Wanted, put
from lifecycle.batch import Reason, delivery_key
from lifecycle.delivery import Delivery
from lifecycle.parts import Part, round_id, whole_id
from tasks import objects, parts
from tests.cli.conftest import Run, World

FOLDER = "landing/parcels/2026-03.parts"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MISSING = "PARTS_MISSING: found no 'part-0001.csv', expected every part as manifest.json lists it."


@pytest.fixture
def waiting(world: World) -> Delivery:
    """A folder with one part and a manifest, and the record that says what it waits for."""
    found: list[Part] = []
    for name in ("manifest.json", "part-0000.csv"):
        key = f"{FOLDER}/{name}"
        put: Any = world.aws.s3.put_object(Bucket=world.bucket, Key=key, Body=b"{}")
        found.append(
            Part(name=name, key=key, object_version=put["VersionId"], etag=put["ETag"], size=2, landed_at=NOON)
        )
    record = Delivery(
        product=world.product,
        delivery_id=round_id(world.bucket, FOLDER, 1),
        key=FOLDER,
        object_version=None,
        etag="",
        state="waiting",
        owner="run-1",
        claimed_at=NOON,
        parts=tuple(found),
        waits_until=NOON.replace(hour=18),
        reasons=(Reason("PARTS_MISSING", None, "no 'part-0001.csv'", "every part as manifest.json lists it"),),
    )
    assert parts.wait(world.bucket, record, None) is not None
    return record


def test_batches_lists_what_waits_with_what_is_missing(run: Run, waiting: Delivery) -> None:
    (found,) = run("batches", "parcels", "--json").json
    assert (found["file"], found["state"], found["batch_id"]) == ("2026-03.parts", "waiting", None)
    assert (found["waits_until"], found["rows"]) == ("2026-03-01T18:00:00Z", None)
    assert [one["code"] for one in found["reasons"]] == ["PARTS_MISSING"]
    assert MISSING in run("batches", "parcels").out


def test_status_says_what_is_waited_for_and_counts_the_folder_once(run: Run, waiting: Delivery) -> None:
    found = run("status", "parcels", "--json").json
    assert found["batches"]["landing"] == 1
    assert found["waiting"] == [{"file": "2026-03.parts", "until": "2026-03-01T18:00:00Z", "missing": [MISSING]}]
    told = run("status", "parcels").out
    assert MISSING in " ".join(told.split())
    assert "bring data" in told


def test_why_explains_it_by_the_folders_name(run: Run, waiting: Delivery) -> None:
    for name in ("2026-03.parts", waiting.delivery_id):
        told = run("why", "parcels", name).out
        assert "is not whole. It waits until 2026-03-01 18:00:00 UTC" in " ".join(told.split())
        assert MISSING in " ".join(told.split())


def test_a_part_that_completes_a_delivery_is_followed_as_that_delivery(
    run: Run, world: World, waiting: Delivery, tmp_path: Path
) -> None:
    given_up = waiting.model_copy(update={"state": "quarantined", "batch_id": "ab" * 32})
    key = delivery_key(world.product, waiting.delivery_id)
    stored = objects.read(world.bucket, key)
    assert stored is not None
    assert objects.replace(world.bucket, key, given_up.model_dump_json().encode(), stored.etag)
    missing = tmp_path / "part-0001.csv"
    missing.write_text("id,at,weight,late\n")
    landed = put(here("parcels"), Wanted(missing, f"{FOLDER}/{missing.name}"))
    assert (landed.delivery_id, landed.key) == (waiting.delivery_id, FOLDER)
    follower = Follower(here("parcels"), "parcels", NOON)
    assert follower.look(landed).waiting == "waits for its event to wake ingest"
    part = waiting.parts[0].model_copy(update={"name": missing.name, "object_version": landed.object_version})
    ended = given_up.model_copy(update={"parts": (*waiting.parts, part), "reasons": ()})
    world.aws.s3.put_object(Bucket=world.bucket, Key=key, Body=ended.model_dump_json().encode())
    assert follower.look(landed).ended


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two files on this machine."""
    path = tmp_path / "2026-03.parts"
    path.mkdir()
    for name in ("b.csv", "a.csv"):
        (path / name).write_text(f"id,at,weight,late\n{ord(name[0])},2026-03-01T00:00:00,2.5,0\n")
    (path / ".hidden").write_text("unfinished")
    return path


def landed(world: World) -> list[str]:
    """Return what lies in the folder, in the order in which it came."""
    found = world.aws.s3.list_objects_v2(Bucket=world.bucket, Prefix=f"{FOLDER}/").get("Contents", [])
    return [item["Key"].removeprefix(f"{FOLDER}/") for item in found]


def test_a_folder_is_dropped_as_one_delivery_with_a_manifest_that_lists_it(
    run: Run, world: World, folder: Path
) -> None:
    digests = [sha256((folder / name).read_bytes()).hexdigest() for name in ("a.csv", "b.csv")]
    (found,) = run("drop", "parcels", folder, "--json").json
    assert (found["batch_id"], found["state"]) == (whole_id(digests), "landed")
    assert landed(world) == ["a.csv", "b.csv", "manifest.json"]
    body = world.aws.s3.get_object(Bucket=world.bucket, Key=f"{FOLDER}/manifest.json")["Body"].read()
    listed = json.loads(body)["parts"]
    assert [(one["name"], one["sha256"]) for one in listed] == list(zip(("a.csv", "b.csv"), digests, strict=True))


def test_a_folders_own_manifest_says_the_order_and_what_is_sent(run: Run, world: World, folder: Path) -> None:
    own = b'{"parts": [{"name": "b.csv"}]}'
    (folder / "manifest.json").write_bytes(own)
    (found,) = run("drop", "parcels", folder, "--json").json
    assert found["batch_id"] == whole_id([sha256((folder / "b.csv").read_bytes()).hexdigest()])
    assert landed(world) == ["b.csv", "manifest.json"]


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ('{"parts": [{"name": "c.csv"}]}', "lists 1 parts, and 'c.csv' is not there."),
        ("{}", "is no manifest."),
    ],
)
def test_a_folder_that_is_not_whole_is_not_sent(run: Run, world: World, folder: Path, manifest: str, said: str) -> None:
    (folder / "manifest.json").write_text(manifest)
    found = run("drop", "parcels", folder)
    assert (found.code, landed(world)) == (2, [])
    assert said in " ".join(found.err.split())


def test_any_other_folder_is_refused_with_what_to_write(run: Run, world: World, tmp_path: Path) -> None:
    found = run("drop", "parcels", tmp_path)
    assert found.code == 2
    assert "`--as NAME.parts`" in found.err
