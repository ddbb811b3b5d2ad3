import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from lifecycle.control import Actor, Contender, ControlRecord, ReleaseState, empty, promote, settle
from lifecycle.release_plan import ReleasePlan
from lifecycle.reversal import Wish, intend_roll_back, roll_back
from lifecycle.stepping import begin

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BY = Actor("flow-run-1", NOW)
SLOW = Wish("wish-1", "slow")


def contender(version: str, *, bundle: str | None = None, function_version: str | None = "1") -> Contender:
    return Contender(
        model_version=version,
        bundle=hashlib.sha256((bundle or version).encode()).hexdigest(),
        function_version=function_version,
        mlflow_run=f"run-{version}",
        since=NOW,
        reason="better by 0.01",
    )


def serving(version: str, previous: str | None = None) -> ControlRecord:
    return ControlRecord(
        product="flights",
        revision=4,
        champion=contender(version),
        previous=contender(previous) if previous else None,
    )


def test_the_first_model_becomes_champion_with_nothing_before_it() -> None:
    move = promote(empty("flights"), contender("1"), BY)
    assert (move.verdict, move.record.revision) == ("moved", 1)
    assert move.record.champion == contender("1")
    assert move.record.previous is None
    assert move.record.release == ReleaseState(state="moving")
    assert (move.record.updated_at, move.record.updated_by) == (NOW, "flow-run-1")


def test_a_promotion_makes_the_champion_the_previous_one() -> None:
    record = promote(serving("1"), contender("2"), BY).record
    assert (record.champion, record.previous, record.revision) == (contender("2"), contender("1"), 5)


def test_promoting_the_champion_again_changes_nothing() -> None:
    before = serving("2")
    move = promote(before, contender("2"), BY)
    assert (move.verdict, move.record) == ("unchanged", before)


def test_a_champion_whose_bundle_changed_is_refused() -> None:
    move = promote(serving("2"), contender("2", bundle="3"), BY)
    assert (move.verdict, move.code) == ("refused", "bundle_differs")


def test_a_frozen_product_refuses_a_promotion_and_allows_a_rollback() -> None:
    frozen = serving("2", "1").model_copy(update={"frozen": True})
    assert promote(frozen, contender("3"), BY).code == "frozen"
    assert roll_back(frozen, frozen.previous, SLOW, BY).verdict == "moved"


def test_a_model_older_than_the_champion_is_refused_by_number_not_by_text() -> None:
    assert promote(serving("10"), contender("9"), BY).code == "older_than_champion"
    assert promote(serving("9"), contender("10"), BY).verdict == "moved"


def test_a_model_without_a_function_version_is_refused() -> None:
    assert promote(serving("1"), contender("2", function_version=None), BY).code == "not_published"
    assert roll_back(serving("2"), contender("1", function_version=None), SLOW, BY).code == "not_published"


def test_a_release_under_way_refuses_another_one_until_it_is_settled() -> None:
    moving = promote(serving("1"), contender("2"), BY).record
    assert promote(moving, contender("3"), BY).code == "release_under_way"
    assert begin(moving, contender("3"), ReleasePlan(), BY).code == "release_under_way"
    settled = settle(moving, BY).record
    assert settled.release is None
    assert promote(settled, contender("3"), BY).verdict == "moved"


def test_settling_twice_changes_nothing_the_second_time() -> None:
    settled = settle(promote(empty("flights"), contender("1"), BY).record, BY).record
    assert settle(settled, BY).verdict == "unchanged"


def test_the_model_rolled_back_from_is_not_what_comes_before() -> None:
    record = roll_back(serving("2", "1"), contender("1"), SLOW, BY).record
    assert record.champion == contender("1").model_copy(update={"reason": "slow"})
    assert record.previous is None
    back = roll_back(serving("3", "2"), contender("2"), SLOW, BY, before=contender("1")).record
    assert back.previous == contender("1")


def test_rolling_back_without_a_champion_or_to_the_champion_moves_nothing() -> None:
    assert roll_back(empty("flights"), contender("1"), SLOW, BY).code == "no_champion"
    assert roll_back(serving("2"), contender("2"), SLOW, BY).verdict == "unchanged"


def test_a_first_release_can_be_undone_to_nothing() -> None:
    moving = promote(empty("flights"), contender("1"), BY).record
    undone = roll_back(moving, None, SLOW, BY).record
    assert (undone.champion, undone.previous, undone.revision) == (None, None, 2)
    assert undone.decision is not None
    assert (undone.decision.from_, undone.decision.to, undone.decision.reason) == ("1", None, "slow")


def test_the_same_wish_to_go_back_is_granted_once() -> None:
    once = roll_back(serving("3", "2"), contender("2"), SLOW, BY, before=contender("1")).record
    assert roll_back(once, contender("1"), SLOW, BY).verdict == "unchanged"
    assert roll_back(once, contender("1"), Wish("wish-2", "slow"), BY).record.champion is not None
    assert roll_back(once, contender("1"), Wish("wish-2", "slow"), BY).verdict == "moved"


def test_a_promotion_carries_its_ledger_entry_until_the_next_change_of_champion() -> None:
    moved = promote(serving("1"), contender("2"), Actor("run", NOW, cause="model.challenged")).record
    assert moved.decision is not None
    assert (moved.decision.key, moved.decision.from_, moved.decision.to) == ("promote/2", "1", "2")
    assert (moved.decision.actor, moved.decision.cause) == ("run", "model.challenged")
    assert settle(moved, BY).record.decision == moved.decision


def test_an_intended_rollback_is_noted_once_and_forgotten_when_done() -> None:
    noted = intend_roll_back(serving("2", "1"), contender("1"), SLOW, BY)
    assert noted.record.release == ReleaseState(state="rolling_back", to="1", request="wish-1", reason="slow")
    assert intend_roll_back(noted.record, contender("1"), SLOW, BY).verdict == "unchanged"
    assert promote(noted.record, contender("3"), BY).code == "release_under_way"
    done = roll_back(noted.record, contender("1"), SLOW, BY).record
    assert done.release == ReleaseState(state="moving")


def test_a_record_survives_its_json_and_refuses_what_it_does_not_know() -> None:
    record = promote(serving("1"), contender("2"), Actor("a", NOW + timedelta(microseconds=7))).record
    assert ControlRecord.model_validate_json(record.model_dump_json()) == record
    with pytest.raises(ValidationError):
        ControlRecord.model_validate({**record.model_dump(), "champoin": None})


@pytest.mark.parametrize("version", ["0", "v1", "01", ""])
def test_a_model_version_is_a_positive_number(version: str) -> None:
    with pytest.raises(ValidationError):
        contender(version, bundle="1")
