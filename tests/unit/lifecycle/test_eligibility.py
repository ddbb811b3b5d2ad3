import hashlib
from datetime import UTC, datetime

import pytest

from lifecycle.batch import Reason
from lifecycle.control import Actor, Contender, ControlRecord, empty, promote, settle
from lifecycle.eligibility import (
    Candidate,
    Refused,
    choose_target,
    is_behind,
    may_release,
    served,
    served_before,
    waits_for,
)
from lifecycle.ledger import Decision
from lifecycle.release_plan import ReleasePlan
from lifecycle.reversal import Wish, roll_back
from lifecycle.stepping import begin

BY = Actor("test", datetime(2026, 3, 1, tzinfo=UTC), cause="model.challenged")


def digest(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


def contender(version: str) -> Contender:
    return Contender(
        model_version=version,
        bundle=digest(version),
        function_version=f"1{version}",
        mlflow_run=f"run-{version}",
        since=BY.now,
        reason="better",
    )


def candidate(version: str, champion: str | None, **changes: str) -> Candidate:
    fields = {"bundle": digest(version), "mlflow_run": "run", "verdict": "promote", "reason": "better", **changes}
    return Candidate(model_version=version, champion=champion, **fields)


def history(*versions: str) -> tuple[ControlRecord, list[Decision]]:
    record, decisions = empty("flights"), []
    for version in versions:
        moved = promote(record, contender(version), BY).record
        assert moved.decision is not None
        decisions.append(moved.decision)
        record = settle(moved, BY).record
    return record, decisions


def test_the_first_model_may_be_released() -> None:
    assert may_release(empty("flights"), candidate("1", None), ended=None) is None


def test_a_better_model_may_be_released_and_released_again_to_finish() -> None:
    record, _ = history("1")
    assert may_release(record, candidate("2", "1"), ended=None) is None
    record, _ = history("1", "2")
    assert may_release(record, candidate("2", "1"), ended="promoted") is None


@pytest.mark.parametrize(
    ("serving", "wanted", "before", "code", "behind"),
    [
        (("1",), candidate("2", "1", verdict="refuse"), False, "not_passed", False),
        (("1",), candidate("2", "1", verdict=""), False, "not_passed", False),
        (("1",), candidate("2", "1", verdict="undecidable"), False, "not_passed", False),
        (("1", "2"), candidate("2", "1", bundle=digest("x")), True, "bundle_differs", False),
        (("1", "3"), candidate("2", "1"), False, "older_than_champion", True),
        (("1", "3"), candidate("1", None), True, "released_before", True),
        (("1", "2"), candidate("3", "1"), False, "stale_comparison", False),
        (("1",), candidate("2", None), False, "stale_comparison", False),
        ((), candidate("2", "1"), False, "stale_comparison", False),
    ],
)
def test_a_model_that_may_not_be_released_says_why(
    *, serving: tuple[str, ...], wanted: Candidate, before: bool, code: str, behind: bool
) -> None:
    refused = may_release(history(*serving)[0], wanted, ended="promoted" if before else None)
    assert refused is not None
    assert (refused.code, is_behind(refused)) == (code, behind)


def test_a_model_that_was_rolled_back_is_not_released_again() -> None:
    record, _ = history("1", "2")
    record = roll_back(record, contender("1"), Wish("wish-1", "slow"), BY).record
    refused = may_release(record, candidate("2", "1"), ended="promoted")
    assert refused is not None
    assert refused.code == "released_before"


def test_a_frozen_product_and_one_whose_release_is_under_way_take_no_other_model() -> None:
    record, _ = history("1")
    frozen = may_release(record.model_copy(update={"frozen": True}), candidate("2", "1"), ended=None)
    moving = promote(record, contender("2"), BY).record
    busy = may_release(moving, candidate("3", "2"), ended=None)
    assert [item.code for item in (frozen, busy) if item] == ["frozen", "release_under_way"]


def test_going_back_means_the_previous_model_unless_another_is_named() -> None:
    record, decisions = history("1", "2", "3")
    known = served(decisions)
    assert choose_target(record, known, None) == record.previous
    assert choose_target(record, known, "1") == contender("1")


def test_going_back_to_nothing_or_to_what_never_served_names_the_choices() -> None:
    record, decisions = history("1")
    assert choose_target(record, served(decisions), None) == Refused(
        "no_previous", "Nothing served before model 1. Models that served: 1; name one with `--to`."
    )
    found = choose_target(record, served(decisions), "7")
    assert isinstance(found, Refused)
    assert found.code == "never_served"
    empty_handed = choose_target(empty("flights"), {}, None)
    assert isinstance(empty_handed, Refused)
    assert empty_handed.code == "no_champion"


def test_going_back_to_the_champion_of_an_experiment_names_the_command_that_ends_it() -> None:
    record, decisions = history("1", "2")
    assert record.champion is not None
    trying = record.model_copy(update={"champion": record.champion.model_copy(update={"experiment": "autumn"})})
    known = served(decisions)
    assert choose_target(trying, known, "2") == Refused(
        "experiment_under_way",
        "Model 2 is the champion, and the experiment autumn has its requests. "
        "Give them back to it with `tropism experiment stop flights --reason ...`.",
    )
    assert (choose_target(trying, known, "1"), choose_target(record, known, "2")) == (known["1"], known["2"])


def test_what_served_before_a_model_is_what_its_promotion_replaced() -> None:
    _, decisions = history("1", "2", "4")
    assert [served_before(decisions, version) for version in ("1", "2", "4", "9")] == [None, "1", "2", None]


def test_a_rollback_is_remembered_like_a_promotion() -> None:
    record, decisions = history("1", "2")
    back = roll_back(record, contender("1"), Wish("wish-1", "slow"), BY)
    assert back.record.decision is not None
    assert (back.record.decision.from_, back.record.decision.to) == ("2", "1")
    again = served([*decisions, back.record.decision])["1"]
    assert (again.reason, again.bundle, again.function_version) == ("slow", digest("1"), "11")


def under_release(version: str, *reasons: str, held: bool = False) -> ControlRecord:
    """Model 1 serves and another one is under release, which waits for the given reasons."""
    record, _ = history("1")
    contender = Contender(
        model_version=version, bundle="c" * 64, function_version="9", mlflow_run="run", since=BY.now, reason="better"
    )
    begun = begin(record, contender, ReleasePlan(), BY).record
    assert begun.rollout is not None
    progress = begun.rollout.progress.model_copy(update={"held": held})
    found = tuple(Reason(code, None, "", "") for code in reasons)
    return begun.model_copy(
        update={"rollout": begun.rollout.model_copy(update={"reasons": found, "progress": progress})}
    )


@pytest.mark.parametrize(
    ("reasons", "held", "waits"),
    [
        (("NO_TRAFFIC",), False, None),
        (("SCORES_SHIFTED", "ACTIONS_SHIFTED"), False, None),
        (("WAITS_FOR_APPROVAL",), False, None),
        (("NO_TRAFFIC",), True, "another_under_release"),
        (("NO_TRAFFIC", "BAKING"), False, "another_under_release"),
        (("TOO_FEW_REQUESTS",), False, "another_under_release"),
        (("SCORES_SHIFTED", "FROZEN"), False, "another_under_release"),
        ((), False, "another_under_release"),
    ],
)
def test_a_newer_model_waits_unless_nothing_is_learned_of_the_one_under_release(
    reasons: tuple[str, ...],
    held: bool,  # noqa: FBT001
    waits: str | None,
) -> None:
    found = waits_for(under_release("2", *reasons, held=held), candidate("3", "1"))
    assert (found.code if found else None) == waits


def test_an_older_model_is_behind_the_one_under_release() -> None:
    found = waits_for(under_release("3", "NO_TRAFFIC"), candidate("2", "1"))
    assert found is not None
    assert is_behind(found)


def test_a_model_that_was_taken_back_is_not_released_again() -> None:
    record, _ = history("1")
    found = may_release(record, candidate("2", "1"), ended="taken_back")
    assert found is not None
    assert (found.code, is_behind(found)) == ("taken_back_before", True)


def test_in_the_middle_of_a_release_going_back_is_to_the_champion() -> None:
    record = under_release("2", "NO_TRAFFIC")
    assert choose_target(record, {}, None) == record.champion
