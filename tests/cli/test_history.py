import pytest

from cli.history import instant
from lifecycle.errors import UsageError
from tasks import objects
from tests.cli.conftest import Run, World


def test_history_json_is_a_bare_list_of_exactly_the_documented_fields(run: Run, world: World) -> None:
    world.promoted("1")
    [entry] = run("history", "parcels", "--json").json
    assert list(entry) == ["seq", "at", "actor", "cause", "action", "from", "to", "reason", "evidence"]
    assert entry | {"evidence": None} == {
        "seq": 1,
        "at": "2026-03-01T12:00:00Z",
        "actor": "release",
        "cause": "model.challenged",
        "action": "promote",
        "from": None,
        "to": "1",
        "reason": "Model 1 is better.",
        "evidence": None,
    }


@pytest.mark.usefixtures("world")
def test_history_of_nothing_says_what_to_run(run: Run) -> None:
    found = run("history", "parcels")
    assert found.code == 0
    assert "Nothing was decided about parcels." in found.out
    assert "`tropism drop parcels FILE --wait`" in found.out


def test_history_up_to_a_time_leaves_out_what_came_later(run: Run, world: World) -> None:
    world.promoted("1")
    assert run("history", "parcels", "--at", "2026-02-28", "--json").json == []
    assert len(run("history", "parcels", "--at", "2026-03-01", "--json").json) == 1


def test_an_altered_ledger_is_a_no(run: Run, world: World) -> None:
    world.promoted("1")
    key = "ledger/parcels/000000000001.json"
    stored = objects.read(world.bucket, key)
    assert stored is not None
    world.aws.s3.put_object(Bucket=world.bucket, Key=key, Body=stored.body.replace(b"better", b"poorer"))
    found = run("history", "parcels")
    assert found.code == 1
    assert "The ledger of parcels does not hold: Entry 1 was altered: its hash says so." in found.err


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="'yesterday' is not a time"):
        instant("yesterday")


def test_a_date_means_its_whole_day() -> None:
    assert instant("2026-03-01").isoformat() == "2026-03-01T23:59:59.999999+00:00"
