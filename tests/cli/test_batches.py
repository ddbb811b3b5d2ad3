import pytest

from lifecycle.batch import Reason
from tests.cli.conftest import Run, World

SPEED = Reason("RANGE", "wind_speed", "max 1048.36", "<= 100", 1)


@pytest.mark.usefixtures("world")
def test_batches_of_nothing_says_what_to_run(run: Run) -> None:
    found = run("batches", "parcels")
    assert (found.code, found.out) == (
        0,
        "Nothing was delivered to parcels yet. Bring data: `tropism drop parcels FILE --wait`.\n",
    )
    assert run("batches", "parcels", "--json").json == []


def test_one_content_is_one_batch_however_often_it_came(run: Run, world: World) -> None:
    first = world.delivered("a.csv", batch_id="1" * 64)
    world.delivered("b.csv", state="duplicate", batch_id="1" * 64, rows=None)
    assert run("batches", "parcels", "--json").json == [
        {
            "batch_id": "1" * 64,
            "file": "a.csv",
            "state": "validated",
            "landed_at": "2026-03-01T12:01:00Z",
            "rows": {"received": 100, "validated": 100, "quarantined": 0, "duplicates": 0},
            "reasons": [],
            "deliveries": 2,
            "flow_run": first.owner,
            "difference": [],
            "waits_until": None,
        }
    ]


def test_quarantined_lists_whatever_left_rows_behind_with_its_reasons(run: Run, world: World) -> None:
    world.delivered("fine.csv", batch_id="1" * 64)
    world.delivered("windy.csv", batch_id="2" * 64, rows=(100, 99, 1), reasons=(SPEED,))
    world.delivered("broken.csv", state="quarantined", batch_id="3" * 64, rows=(0, 0, 0))
    found = run("batches", "parcels", "--quarantined")
    assert "fine.csv" not in found.out
    assert "RANGE wind_speed: found max 1048.36, expected <= 100 (1 row)." in found.out
    assert [one["file"] for one in run("batches", "parcels", "--quarantined", "--json").json] == [
        "broken.csv",
        "windy.csv",
    ]


def test_no_quarantine_is_said_with_the_number_of_batches(run: Run, world: World) -> None:
    world.delivered("fine.csv")
    assert run("batches", "parcels", "--quarantined").out == "Nothing of parcels is quarantined; 1 known.\n"


def test_a_record_that_is_none_is_named(run: Run, world: World) -> None:
    world.aws.s3.put_object(Bucket=world.bucket, Key="control/parcels/deliveries/x.json", Body=b"{}")
    found = run("batches", "parcels")
    assert found.code == 16
    assert f"s3://{world.bucket}/control/parcels/deliveries/x.json is no record of a delivery." in found.err
