"""A release in the control record: every transition, what repeats change, and what the ledger is told."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from lifecycle import orders
from lifecycle.batch import Reason
from lifecycle.control import Actor, Contender, ControlRecord, Window, promote
from lifecycle.evidence import Arm, Evidence, StepEvidence
from lifecycle.release_plan import ReleasePlan
from lifecycle.reversal import Wish, roll_back
from lifecycle.rollout import Progress
from lifecycle.stepping import (
    Ending,
    Judged,
    begin,
    done,
    hold,
    settle_step,
    state_of,
    step,
    take_back,
    taken_back_key,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLAN = ReleasePlan(steps=(10, 100), tick=timedelta(seconds=30))
PASSED = Reason("STEP_PASSED", None, "40 requests", "at least 30")
SEEN = Judged(Evidence(), NOW, (PASSED,))


def by(seconds: float = 0, name: str = "release/1") -> Actor:
    return Actor(name, NOW + timedelta(seconds=seconds), "model.challenged")


def contender(version: str) -> Contender:
    return Contender(
        model_version=version,
        bundle=hashlib.sha256(version.encode()).hexdigest(),
        function_version=str(int(version) + 1),
        mlflow_run=f"run-{version}",
        since=NOW,
        reason="better by 0.01",
    )


def serving(plan: ReleasePlan = PLAN) -> ControlRecord:
    record = ControlRecord(product="flights", revision=4, champion=contender("2"), previous=contender("1"))
    return begin(record, contender("3"), plan, by()).record


def stepped(seconds: float = 10) -> ControlRecord:
    return step(serving(), Progress(since=NOW), SEEN, by(seconds), alias_revision="r1").record


def flowing() -> ControlRecord:
    return settle_step(stepped(), by(20)).record


def survives(record: ControlRecord) -> ControlRecord:
    assert ControlRecord.model_validate_json(record.model_dump_json()) == record
    return record


def test_a_release_begins_without_traffic_and_once() -> None:
    record = survives(serving())
    assert (record.champion, record.challenger, record.weight) == (contender("2"), contender("3"), 0.0)
    assert record.rollout is not None
    assert (record.rollout.windows, record.rollout.settled, record.decision) == ((), True, None)
    assert begin(record, contender("3"), PLAN, by()).verdict == "unchanged"
    assert state_of(record) == "moving"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"frozen": True}, "frozen"),
        ({"champion": None}, "no_champion"),
        ({"champion": contender("9")}, "older_than_champion"),
        ({"challenger": contender("4")}, "rollout_under_way"),
    ],
)
def test_a_release_that_cannot_begin_says_why(changes: dict[str, object], code: str) -> None:
    record = ControlRecord(product="flights", revision=4, champion=contender("2")).model_copy(update=changes)
    assert begin(record, contender("3"), PLAN, by()).code == code


def test_a_step_is_recorded_before_traffic_moves_and_counts_from_when_it_was_seen() -> None:
    record = survives(stepped())
    assert (record.weight, state_of(record)) == (0.1, "moving")
    assert record.rollout is not None
    assert (record.rollout.settled, record.rollout.windows, record.rollout.alias_revision) == (False, (), "r1")
    settled = survives(settle_step(record, by(20)).record)
    assert settled.rollout is not None
    assert settled.rollout.windows == (Window(step=0, weight=0.1, since=by(20).now),)
    assert (settled.rollout.progress.since, settled.rollout.next_tick) == (by(20).now, by(50).now)
    assert settle_step(settled, by(99)).verdict == "unchanged"


def test_the_next_step_ends_the_window_of_the_one_before() -> None:
    record = step(flowing(), Progress(step=1, since=NOW), SEEN, by(60), alias_revision="r2").record
    assert record.rollout is not None
    assert [window.until for window in record.rollout.windows] == [by(60).now]
    settled = survives(settle_step(record, by(65)).record)
    assert settled.rollout is not None
    assert [(window.step, window.since, window.until) for window in settled.rollout.windows] == [
        (0, by(20).now, by(60).now),
        (1, by(65).now, None),
    ]


def test_every_change_of_weight_has_a_ledger_entry_of_its_own_key() -> None:
    first = flowing()
    second = settle_step(step(first, Progress(step=1, since=NOW), SEEN, by(60), alias_revision="r2").record, by(65))
    promoted = done(second.record, Judged(Evidence(), NOW), by(90)).record
    entries = [record.decision for record in (first, second.record, promoted)]
    bundle = contender("3").bundle[:12]
    assert [entry.key for entry in entries if entry] == [
        f"release/3/{bundle}/step/0",
        f"release/3/{bundle}/step/1",
        "promote/3",
    ]
    assert [(entry.action, entry.from_, entry.to, entry.evidence["weight"]) for entry in entries if entry] == [
        ("step", "2", "3", 0.1),
        ("step", "2", "3", 1.0),
        ("promote", "2", "3", 1.0),
    ]
    assert {entry.evidence["champion_function_version"] for entry in entries[:2] if entry} == {"3"}
    assert promoted.rollout is None
    assert (promoted.champion, promoted.weight) == (contender("3").model_copy(update={"since": by(90).now}), 0.0)


def test_what_was_counted_is_told_with_the_promotion() -> None:
    counted = Evidence(
        steps=(
            StepEvidence(step=0, weight=0.1, challenger=Arm(requests=40)),
            StepEvidence(step=1, weight=1, challenger=Arm(requests=60)),
        )
    )
    move = done(flowing(), Judged(counted, NOW), by(90))
    assert move.record.decision is not None
    assert move.record.decision.evidence["requests"] == 100


def test_a_hold_notes_what_was_found_and_leaves_the_traffic() -> None:
    why = Reason("TOO_FEW_REQUESTS", "requests", "none", "at least 30")
    record = survives(hold(flowing(), Judged(Evidence(), by(40).now, (why,)), by(40)).record)
    assert record.rollout is not None
    assert (record.rollout.reasons, record.rollout.ticks, record.weight) == ((why,), 2, 0.1)
    assert (record.rollout.counted_until, record.rollout.next_tick) == (by(40).now, by(70).now)
    assert record.decision == flowing().decision
    assert state_of(record) == "held"


def test_where_nobody_asks_it_is_looked_at_more_rarely() -> None:
    why = Reason("NO_TRAFFIC", "requests", "none", "at least 30")
    record = hold(flowing(), Judged(Evidence(), by(40).now, (why,)), by(40)).record
    assert record.rollout is not None
    assert record.rollout.next_tick == by(40).now + 5 * PLAN.tick


def test_a_release_taken_back_leaves_the_champion_alone_and_its_key_tells_that_it_was() -> None:
    record = survives(take_back(flowing(), Ending("errors", ("HARM",)), by(40)).record)
    assert (record.champion, record.challenger, record.rollout, record.weight) == (contender("2"), None, None, 0.0)
    assert record.decision is not None
    assert record.decision.key == taken_back_key("3", contender("3").bundle)
    assert (record.decision.from_, record.decision.to, record.decision.evidence["weight"]) == ("3", "2", 0.0)
    assert (record.decision.evidence["weight_before"], record.decision.evidence["codes"]) == (0.1, "HARM")
    assert take_back(record, Ending("again", ("HARM",)), by(50)).verdict == "unchanged"


def test_a_rollback_takes_the_challenger_out_as_well() -> None:
    record = survives(roll_back(flowing(), contender("1"), Wish("w", "slow"), by(40)).record)
    assert (record.challenger, record.rollout, record.weight) == (None, None, 0.0)
    assert record.decision is not None
    assert record.decision.evidence["challenger_out"] == "3"


def test_another_model_is_not_promoted_past_a_release() -> None:
    assert promote(flowing(), contender("4"), by()).code == "rollout_under_way"


def test_states_in_one_word() -> None:
    assert state_of(ControlRecord(product="flights", revision=4, champion=contender("2"))) is None
    assert state_of(serving(PLAN.model_copy(update={"approval": "required"}))) == "waiting"
    baking = Judged(Evidence(), NOW, (Reason("BAKING", None, "", ""),))
    assert state_of(hold(flowing(), baking, by()).record) == "baking"
    assert state_of(take_back(flowing(), Ending("x", ()), by()).record) == "moving"


WAITING = serving(PLAN.model_copy(update={"approval": "required"}))


@pytest.mark.parametrize(
    ("name", "code"),
    [("train/7", "not_a_person"), ("", "not_a_person"), ("unknown", "not_a_person"), ("ada", "is_trainer")],
)
def test_a_release_begins_on_the_word_of_a_person_who_did_not_train_it(name: str, code: str) -> None:
    assert orders.approve(WAITING, by(5, name), "fine", trainer="ada").code == code
    granted = orders.approve(WAITING, by(5, "bo"), "fine", trainer="ada").record
    assert survives(granted).rollout is not None
    assert granted.rollout is not None
    assert (granted.rollout.approved_by, granted.rollout.progress.approved, state_of(granted)) == (
        "bo",
        False,
        "moving",
    )
    assert granted.rollout.next_tick == by(5).now
    assert granted.decision is not None
    assert (granted.decision.action, granted.decision.actor, granted.decision.reason) == ("approve", "bo", "fine")


def test_an_approval_lifts_a_hold_and_accepts_other_scores_once() -> None:
    held = orders.hold(flowing(), by(30, "ada"), "look first").record
    assert held.rollout is not None
    assert (held.rollout.held_by, held.rollout.progress.held) == ("ada", True)
    assert orders.hold(held, by(31, "bo"), "me too").verdict == "unchanged"
    approved = orders.approve(held, by(40, "bo"), "it is the season", trainer=None).record
    assert approved.rollout is not None
    assert approved.rollout.progress == flowing().rollout.progress.model_copy(update={"approved": True})  # type: ignore[union-attr]
    assert (approved.rollout.approved_by, approved.rollout.held_by) == ("bo", "")
    assert orders.approve(approved, by(41, "bo"), "again", trainer=None).verdict == "unchanged"


def test_orders_about_no_release_are_refused() -> None:
    record = ControlRecord(product="flights", revision=4, champion=contender("2"))
    assert orders.approve(record, by(0, "bo"), "fine", trainer=None).code == "no_release"
    assert orders.hold(record, by(0, "bo"), "fine").code == "no_release"


def test_a_freeze_is_noted_once_and_undone() -> None:
    frozen = survives(orders.freeze(flowing(), by(30, "ada"), "audit").record)
    assert (frozen.frozen, frozen.weight, frozen.rollout) == (True, 0.1, flowing().rollout)
    assert orders.freeze(frozen, by(31, "bo"), "audit").verdict == "unchanged"
    thawed = orders.unfreeze(frozen, by(40, "bo"), "done").record
    assert (thawed.frozen, orders.unfreeze(thawed, by(41, "bo"), "done").verdict) == (False, "unchanged")
    keys = [record.decision.key for record in (frozen, thawed) if record.decision]
    assert keys == [f"freeze/{frozen.revision}", f"unfreeze/{thawed.revision}"]
