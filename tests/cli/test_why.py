from lifecycle.batch import Reason
from tests.cli.conftest import Run, World

SPEED = Reason("RANGE", "wind_speed", "max 1048.36", "<= 100", 1)


def test_a_file_name_leads_to_what_became_of_it_and_what_was_trained_on_it(run: Run, world: World) -> None:
    record = world.delivered("a b.csv", batch_id="12ab" * 16, rows=(100, 99, 1), reasons=(SPEED,))
    world.challenged("1", ("12ab" * 16,))
    found = run("why", "parcels", "a b.csv", "--json").json
    assert list(found) == ["product", "id", "kind", "what", "because", "evidence"]
    assert (found["kind"], found["evidence"]["delivery"]) == ("delivery", record.delivery_id)
    assert "99 of 100 rows. RANGE wind_speed: found max 1048.36, expected <= 100 (1 row)." in found["what"]
    assert "Model 1 may be the first champion." in found["because"][0]


def test_a_model_version_leads_to_its_decisions_in_order(run: Run, world: World) -> None:
    world.challenged("1", ("12ab" * 16,))
    world.promoted("1")
    found = run("why", "parcels", "v1", "--json").json
    assert (found["kind"], found["evidence"]["verdict"]) == ("model", "promote")
    assert [sentence.split(" by ")[0] for sentence in found["because"]] == [
        "1. 2026-03-01 12:00:00 challenge",
        "2. 2026-03-01 12:00:00 promote",
    ]


def test_the_start_of_a_batch_id_is_enough_when_it_names_one(run: Run, world: World) -> None:
    world.delivered("a.csv", batch_id="12ab" + "0" * 60)
    world.delivered("b.csv", batch_id="12ac" + "0" * 60)
    assert run("why", "parcels", "12ab", "--json").json["evidence"]["batch"] == "12ab" + "0" * 60


def test_a_start_that_two_batches_share_asks_for_more(run: Run, world: World) -> None:
    world.delivered("a.csv", batch_id="12ab0" + "0" * 59)
    world.delivered("b.csv", batch_id="12ab1" + "0" * 59)
    found = run("why", "parcels", "12ab")
    assert found.code == 2
    assert "'12ab' is the start of 2 batch ids. Give more characters." in found.err


def test_an_unknown_name_is_answered_with_the_nearest_file(run: Run, world: World) -> None:
    world.delivered("2026-01.csv")
    found = run("why", "parcels", "2026-1.csv")
    assert found.code == 2
    assert "Nothing of parcels is called '2026-1.csv'. Did you mean '2026-01.csv'?" in found.err


def test_a_repeat_does_not_hide_what_became_of_the_file(run: Run, world: World) -> None:
    world.delivered("a.csv", batch_id="12ab" * 16, rows=(100, 99, 1), reasons=(SPEED,))
    world.delivered("a.csv", state="duplicate", batch_id="12ab" * 16, rows=None)
    found = run("why", "parcels", "a.csv", "--json").json
    assert found["what"].startswith("Batch parcels/12ab12ab12ab is validated. 99 of 100 rows.")
    assert found["because"] == [
        "Also delivered, 2026-03-01 12:02:00: Batch parcels/12ab12ab12ab is a duplicate; nothing was added."
    ]
