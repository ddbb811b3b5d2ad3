"""An experiment in the control record: it takes the champion's place, holds releases off, and gives it back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.control import Actor, Contender, ControlRecord, ReleaseState, empty, may_promote, promote, settle
from lifecycle.divergence import Observed, divergences
from lifecycle.experiment_plan import ArmPlan, ExperimentPlan, ExperimentRecord
from lifecycle.experimenting import may_start, start, stop
from lifecycle.ledger import Decision
from lifecycle.release_plan import ReleasePlan
from lifecycle.repair import WakeRelease, missed_release
from lifecycle.reversal import Wish, roll_back
from lifecycle.stepping import begin

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BY = Actor("ada", NOW)
PLAN = ExperimentPlan(
    name="colours",
    goal="higher",
    arms=(
        ArmPlan(name="champion", weight=0.5, model_version="2", bundle="2" * 64),
        ArmPlan(name="blue", weight=0.5, model_version="3", bundle="3" * 64),
    ),
)
PLANNED = ExperimentRecord(
    product="loans", plan=PLAN, planned_at=NOW, planned_by="ada", reason="why not", own="5", function_version="9"
)


def contender(version: str, function_version: str) -> Contender:
    return Contender(
        model_version=version,
        bundle=version * 64,
        function_version=function_version,
        mlflow_run="r",
        since=NOW,
        reason="it passed",
    )


def serving() -> ControlRecord:
    first = settle(promote(empty("loans"), contender("1", "4"), BY).record, BY).record
    return settle(promote(first, contender("2", "5"), BY).record, BY).record


def started() -> ControlRecord:
    return settle(start(serving(), PLANNED, BY).record, BY).record


def test_it_takes_the_champion_s_place_with_one_ledger_entry() -> None:
    move = start(serving(), PLANNED, BY)
    champion = move.record.champion
    assert move.verdict == "moved"
    assert champion is not None
    assert (champion.model_version, champion.function_version, champion.experiment) == ("2", "9", "colours")
    assert move.record.release == ReleaseState(state="moving")
    decision = move.record.decision
    assert decision is not None
    assert (decision.action, decision.key, decision.from_, decision.to) == (
        "start_experiment",
        "experiment/colours/start",
        "2",
        "2",
    )
    assert decision.evidence["arms"] == "champion: model 2, 0.5, blue: model 3, 0.5"
    assert decision.evidence["own_function_version"] == "5"
    assert start(started(), PLANNED, BY).verdict == "unchanged"


def test_its_end_gives_the_champion_its_own_version_back() -> None:
    move = stop(started(), PLANNED, "seen enough", BY)
    assert move.record.champion == serving().champion
    assert move.record.previous == serving().previous
    assert move.record.decision is not None
    assert (move.record.decision.action, move.record.decision.key) == ("stop_experiment", "experiment/colours/stop")
    assert stop(move.record, PLANNED, "seen enough", BY).verdict == "unchanged"


def test_it_may_end_while_frozen_or_half_begun() -> None:
    for changes in ({"frozen": True}, {"release": ReleaseState(state="moving")}):
        assert stop(started().model_copy(update=changes), PLANNED, "enough", BY).verdict == "moved"
    rolling = started().model_copy(update={"release": ReleaseState(state="rolling_back", to="1")})
    assert stop(rolling, PLANNED, "enough", BY).code == "rolling_back"


def test_while_it_runs_no_release_begins() -> None:
    record = started()
    refusal = may_promote(record, "4")
    assert refusal is not None
    assert refusal.code == "experiment_under_way"
    assert begin(record, contender("4", "10"), ReleasePlan(), BY).code == "experiment_under_way"
    assert promote(record, contender("4", "10"), BY).code == "experiment_under_way"
    after = settle(stop(record, PLANNED, "enough", BY).record, BY).record
    assert begin(after, contender("4", "10"), ReleasePlan(), BY).verdict == "moved"


def test_while_it_runs_the_sweep_wakes_no_release_and_afterwards_it_does() -> None:
    passed = Decision(
        at=NOW,
        actor="train",
        cause="batch.validated",
        action="challenge",
        from_="2",
        to="4",
        reason="better",
        evidence={"verdict": "promote", "bundle": "4" * 64},
        key="challenge/4",
    )
    later, record = NOW + timedelta(hours=1), started()
    assert missed_release(record, [passed], later) is None
    after = settle(stop(record, PLANNED, "enough", BY).record, BY).record
    assert isinstance(missed_release(after, [passed], later), WakeRelease)


def test_the_sweep_finds_alias_and_endpoint_as_they_should_be() -> None:
    observed = Observed("9", "r", mixed=False, endpoint_model="2", endpoint_version="9", registry_model="2")
    assert divergences(started(), observed, NOW) == ()
    assert [one.what for one in divergences(serving(), observed, NOW)] == ["function_alias"]


def test_a_rollback_ends_it() -> None:
    record = started()
    back = roll_back(record, record.previous, Wish("w", "it harms"), BY)
    assert back.verdict == "moved"
    assert back.record.champion is not None
    assert (back.record.champion.model_version, back.record.champion.experiment) == ("1", "")
    assert stop(back.record, PLANNED, "enough", BY).verdict == "unchanged"


UNDER_RELEASE = {"challenger": contender("3", "7"), "weight": 0.25}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"frozen": True}, "frozen"),
        ({"champion": None}, "no_champion"),
        (UNDER_RELEASE, "release_under_way"),
        ({"release": ReleaseState(state="moving")}, "release_under_way"),
        ({"champion": contender("3", "6")}, "champion_changed"),
        ({"champion": contender("2", "9").model_copy(update={"experiment": "other"})}, "experiment_under_way"),
    ],
)
def test_what_is_under_way_goes_first(changes: dict[str, Any], code: str) -> None:
    record = serving().model_copy(update=changes)
    refusal = may_start(record, PLAN)
    assert refusal is not None
    assert refusal.code == start(record, PLANNED, BY).code == code


def test_a_champion_that_was_published_anew_meanwhile_is_not_replaced() -> None:
    record = serving().model_copy(update={"champion": contender("2", "6")})
    assert start(record, PLANNED, BY).code == "champion_changed"


def test_without_a_function_version_nothing_starts() -> None:
    assert start(serving(), PLANNED.model_copy(update={"function_version": None}), BY).code == "not_published"
