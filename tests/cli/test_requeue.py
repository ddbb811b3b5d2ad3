"""`tropism requeue`: names of batches become full ids, each lands once, and the answer says what happened."""

from datetime import UTC, datetime

import pytest

from lifecycle.batch import QuarantineRecord, Reason, RowCounts, StoredFile
from tests.cli.conftest import Run, World

BATCH = "12ab" + "0" * 60
SPEED = Reason("RANGE", "wind_speed", "max 1048.36", "<= 100", 1)


def quarantined(world: World, batch_id: str = BATCH, name: str = "may.csv") -> None:
    prefix = f"quarantine/parcels/{batch_id}"
    record = world.delivered(name, state="quarantined", batch_id=batch_id, rows=(9, 0, 9), reasons=(SPEED,))
    explained = QuarantineRecord(
        scope="batch",
        product="parcels",
        batch_id=batch_id,
        delivery_id=record.delivery_id,
        key=record.key,
        object_version=record.object_version,
        landed_at=datetime(2026, 3, 1, tzinfo=UTC),
        rows=RowCounts(9, 0, 9),
        stored=StoredFile(key=f"{prefix}/original", sha256=batch_id, size=4),
        reasons=(SPEED,),
    )
    world.aws.s3.put_object(Bucket=world.bucket, Key=f"{prefix}/original", Body=b"a\n1\n")
    world.aws.s3.put_object(
        Bucket=world.bucket, Key=f"{prefix}/reasons.json", Body=explained.model_dump_json().encode()
    )


def test_the_start_of_an_id_lands_once_and_why_tells_of_it(run: Run, world: World) -> None:
    quarantined(world)
    (first,) = run("requeue", "parcels", "12ab", "--reason", "a wider suite.", "--as", "ada", "--json").json
    key = f"landing/parcels/requeued/{BATCH}/1/may.csv"
    assert (first["state"], first["batch_id"], first["key"], first["by"]) == ("landed", BATCH, key, "ada")
    assert world.aws.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read() == b"a\n1\n"
    assert run("requeue", "parcels", "may.csv").out == (
        "12ab00000000 may.csv: under way already, attempt 1, asked for by ada\n"
    )
    told = run("why", "parcels", "12ab", "--json").json["because"]
    assert [one.partition(", by ")[2] for one in told] == ["ada: Batch 12ab00000000 is judged again: a wider suite."]
    assert [one["action"] for one in run("history", "parcels", "--json").json] == ["requeue"]


def test_all_is_everything_that_is_quarantined(run: Run, world: World) -> None:
    assert run("requeue", "parcels", "--all").out == "Nothing of parcels is quarantined.\n"
    quarantined(world)
    quarantined(world, "34cd" + "0" * 60, "june.csv")
    assert [one["file"] for one in run("requeue", "parcels", "--all", "--json").json] == ["may.csv", "june.csv"]


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        ((), "Say which batches, or --all.", 2),
        (("may.csv", "--all"), "Say which batches, or --all.", 2),
        (("june.csv",), "No batch of parcels is called 'june.csv'.", 2),
        (("fine.csv",), "There is no batch parcels/999999999999.", 11),
    ],
)
def test_what_cannot_be_requeued_is_said_and_nothing_lands(
    run: Run, world: World, arguments: tuple[str, ...], sentence: str, code: int
) -> None:
    world.delivered("fine.csv", batch_id="9" * 64)
    found = run("requeue", "parcels", *arguments)
    assert (found.code, sentence in found.err) == (code, True), found.err
    assert "Contents" not in world.aws.s3.list_objects_v2(Bucket=world.bucket, Prefix="landing/")
