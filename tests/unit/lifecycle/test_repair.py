import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.batch import Reason
from lifecycle.control import Actor, Contender, ControlRecord, empty, promote, settle
from lifecycle.divergence import Observed, divergences, repair_key
from lifecycle.evidence import Evidence
from lifecycle.freezing import FreezeWord
from lifecycle.ledger import Decision
from lifecycle.release_plan import ReleasePlan
from lifecycle.repair import (
    Landed,
    WakeRelease,
    WakeTrain,
    attempts,
    missed_deliveries,
    missed_release,
    missed_training,
    uncovered,
    unfinished_change,
    unnamed,
)
from lifecycle.reversal import Wish as RollbackWish
from lifecycle.reversal import intend_roll_back
from lifecycle.rollout import Progress
from lifecycle.stepping import Judged, begin, settle_step, step, taken_back_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(minutes=10)
BY = Actor("test", LONG_AGO)


def digest(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


def contender(version: str) -> Contender:
    return Contender(
        model_version=version,
        bundle=digest(version),
        function_version=f"1{version}",
        mlflow_run="run",
        since=LONG_AGO,
        reason="better",
    )


def serving(*versions: str) -> ControlRecord:
    record = empty("flights")
    for version in versions:
        record = settle(promote(record, contender(version), BY).record, BY).record
    return record


def challenge(version: str | None, champion: str | None, verdict: str = "promote", age: float = 600) -> Decision:
    return Decision(
        at=NOW - timedelta(seconds=age),
        actor="train",
        cause="batch.validated",
        action="challenge",
        from_=champion,
        to=version,
        reason="judged",
        evidence={"verdict": verdict, "bundle": "b", "snapshot": f"snap-{version}", "batches": "aaa,bbb"},
        key=f"challenge/{version}/{champion}",
    )


def promotion(version: str) -> Decision:
    return replace_action(challenge(version, None), "promote", f"promote/{version}")


def replace_action(decision: Decision, action: str, key: str) -> Decision:
    return decision.model_copy(update={"action": action, "key": key})


@pytest.mark.parametrize(
    ("seconds", "times"), [(0, 1), (19, 1), (20, 1), (39, 1), (40, 2), (79, 2), (80, 3), (160, 4), (86400, 13)]
)
def test_somebody_is_woken_ever_more_rarely_and_never_by_the_event_that_was_missed(seconds: float, times: int) -> None:
    assert attempts(timedelta(seconds=seconds)) == times


def landed(key: str, age: float = 60) -> Landed:
    return Landed(key, "v1", "etag", 10, NOW - timedelta(seconds=age))


def test_a_landed_object_that_nobody_works_on_is_told_again_the_oldest_first() -> None:
    waiting = [
        landed("landing/flights/young.csv", 19),
        landed("landing/flights/new.csv", 45),
        landed("landing/flights/old.csv", 90),
        landed("landing/flights/busy.csv"),
        landed("landing/flights/_SUCCESS"),
    ]
    wakes = missed_deliveries(waiting, frozenset({"landing/flights/busy.csv"}), NOW, limit=10)
    assert [(wake.landed.key[16:], wake.attempt) for wake in wakes] == [("old.csv", 3), ("new.csv", 2)]
    assert [wake.landed.key[16:] for wake in missed_deliveries(waiting, frozenset(), NOW, limit=1)] == ["old.csv"]


def test_a_delivery_that_waits_is_due_when_its_time_is_over_and_never_as_a_repeat() -> None:
    waits = replace(landed("landing/flights/a.parts/b.csv", 9_000), waits_until=NOW + timedelta(hours=1))
    assert missed_deliveries([waits], frozenset(), NOW, limit=10) == ()
    (over,) = missed_deliveries([waits], frozenset(), NOW + timedelta(hours=1, seconds=20), limit=10)
    (plain,) = missed_deliveries([replace(waits, waits_until=None)], frozenset(), NOW, limit=10)
    assert over.attempt > 100 > plain.attempt
    working = frozenset({"landing/flights/a.parts/c.csv"})
    assert missed_deliveries([waits], working, NOW + timedelta(hours=2), limit=10) == ()


def test_batches_no_challenge_was_made_from_ask_for_a_training() -> None:
    entries = [challenge("1", None)]
    assert missed_training("snap-1", LONG_AGO, entries, NOW) is None
    assert missed_training("other", LONG_AGO, entries, NOW) == WakeTrain("untrained_batches", "snapshot/other", 5)
    assert missed_training("other", NOW - timedelta(seconds=5), entries, NOW) is None
    assert missed_training("none", None, entries, NOW) is None


def test_the_batches_that_the_last_challenge_does_not_name_wait_for_a_training() -> None:
    entries = [challenge("1", None), promotion("1")]
    assert unnamed(["aaa", "bbb"], entries) == ()
    assert unnamed(["aaa", "ccc"], entries) == ("ccc",)
    assert unnamed(["aaa"], []) == ("aaa",)
    assert unnamed([], []) == ()


def test_a_batch_published_anew_since_the_last_challenge_waits_for_a_training_under_its_old_name() -> None:
    before, anew, entries = NOW - timedelta(days=2), NOW - timedelta(seconds=60), [challenge("1", None)]
    assert not uncovered({"aaa": before, "bbb": before}, entries)
    assert uncovered({"aaa": before, "bbb": anew}, entries)
    assert uncovered({"aaa": before, "ccc": before}, entries)
    assert uncovered({"aaa": before}, [])
    assert not uncovered({}, [])


def test_a_model_that_passed_and_was_never_released_is_told_again() -> None:
    entries = [challenge("1", None), promotion("1"), challenge("2", "1")]
    assert missed_release(serving("1"), entries, NOW) == WakeRelease("2", "b", 5)
    assert missed_release(empty("flights"), [challenge("1", None)], NOW) == WakeRelease("1", "b", 5)


@pytest.mark.parametrize(
    ("record", "entries"),
    [
        (serving("1"), [challenge("1", None), promotion("1"), challenge("2", "1"), promotion("2")]),
        (serving("1"), [challenge("2", "1", verdict="refuse")]),
        (serving("1"), [challenge("2", "1", age=10)]),
        (serving("3"), [challenge("2", "1")]),
        (serving("1").model_copy(update={"frozen": True}), [challenge("2", "1")]),
        (promote(serving("1"), contender("3"), BY).record, [challenge("2", "1")]),
        (serving("2"), [challenge("3", "1"), challenge("4", "2", verdict="refuse")]),
        (serving("1"), []),
    ],
)
def test_a_model_is_not_told_again_when_it_is_settled_young_behind_or_frozen(
    record: ControlRecord, entries: list[Decision]
) -> None:
    assert missed_release(record, entries, NOW) is None


def test_a_model_compared_with_one_that_no_longer_serves_asks_for_a_new_comparison() -> None:
    assert missed_release(serving("2"), [challenge("3", "1")], NOW) == WakeTrain("stale_comparison", "3/2", 5)


SAME = Observed("11", "rev", mixed=False, endpoint_model="1", endpoint_version="11", registry_model="1")


@pytest.mark.parametrize(
    ("observed", "found"),
    [
        (SAME, []),
        (replace(SAME, alias_version="9", endpoint_model="9"), [("function_alias", "9", "11")]),
        (replace(SAME, alias_version=None), [("function_alias", "None", "11")]),
        (replace(SAME, mixed=True), [("function_alias", "11 and others", "11")]),
        (replace(SAME, registry_model="7"), [("model_alias", "7", "1")]),
        (replace(SAME, registry_model=None), [("model_alias", "None", "1")]),
        (
            replace(SAME, endpoint_model=None, endpoint_version=None),
            [("endpoint", "model None, function version None", "model 1, function version 11")],
        ),
        (
            replace(SAME, alias_version="9", registry_model="9"),
            [("function_alias", "9", "11"), ("model_alias", "9", "1")],
        ),
    ],
)
def test_what_disagrees_with_the_control_record_is_named(observed: Observed, found: list[tuple[str, str, str]]) -> None:
    named = [(item.what, item.found, item.expected) for item in divergences(serving("1"), observed, NOW)]
    assert named == found


def test_without_a_champion_only_the_registry_can_disagree() -> None:
    nothing = Observed("1", "rev", mixed=False, endpoint_model=None, endpoint_version="1", registry_model=None)
    assert divergences(empty("flights"), nothing, NOW) == ()
    (found,) = divergences(empty("flights"), replace(nothing, registry_model="1"), NOW)
    assert (found.what, found.expected) == ("model_alias", "None")


def test_a_record_whose_change_is_under_way_is_not_compared() -> None:
    moving = promote(serving("1"), contender("2"), BY).record
    assert divergences(moving, SAME, NOW) == ()


def test_the_same_disagreement_is_entered_once_and_another_occasion_again() -> None:
    record = serving("1")
    first, again, later = (
        divergences(record, replace(SAME, alias_version="9", alias_revision=revision), NOW)[0]
        for revision in ("a", "a", "b")
    )
    assert repair_key(record, first) == repair_key(record, again)
    assert repair_key(record, first) != repair_key(record, later)


def test_a_change_left_half_done_is_finished_in_its_own_direction_after_a_while() -> None:
    moving = promote(serving("1"), contender("2"), BY).record
    back = intend_roll_back(serving("1", "2"), contender("1"), RollbackWish("wish", "slow"), BY).record
    assert unfinished_change(moving, NOW) == "moving"
    assert unfinished_change(back, NOW) == "rolling_back"
    assert unfinished_change(serving("1"), NOW) is None
    assert unfinished_change(moving, LONG_AGO + timedelta(seconds=29)) is None


PLAN = ReleasePlan(steps=(10, 100), tick=timedelta(seconds=30))


def under_release(since: timedelta, **plan: object) -> ControlRecord:
    """Model 1 serves, model 2 is at its first step; its next look was due `since` ago."""
    challenger = serving("2").champion
    assert challenger is not None
    at = Actor("release/1", NOW - since - PLAN.tick)
    begun = begin(serving("1"), challenger, PLAN.model_copy(update=plan), at).record
    stepped = step(begun, Progress(since=at.now), Judged(Evidence(), at.now), at, alias_revision="r").record
    return settle_step(stepped, at).record


def because(record: ControlRecord, *codes: str) -> ControlRecord:
    assert record.rollout is not None
    found = tuple(Reason(code, None, "", "") for code in codes)
    return record.model_copy(update={"rollout": record.rollout.model_copy(update={"reasons": found})})


def test_a_release_whose_look_is_overdue_is_woken_by_an_event_of_its_own() -> None:
    late = under_release(timedelta(seconds=45))
    assert late.challenger is not None
    assert missed_release(late, [], NOW) == WakeRelease("2", late.challenger.bundle, 2002, look=True)
    later = NOW + timedelta(seconds=40)
    assert missed_release(late, [], later) == WakeRelease("2", late.challenger.bundle, 2003, look=True)
    assert missed_release(under_release(timedelta(seconds=5)), [], NOW) is None


def test_a_frozen_release_is_still_looked_at_and_one_that_did_not_begin_is_not() -> None:
    late = under_release(timedelta(seconds=45)).model_copy(update={"frozen": True})
    assert isinstance(missed_release(late, [], NOW), WakeRelease)
    challenger = serving("2").champion
    assert challenger is not None
    ago = Actor("release/1", NOW - timedelta(hours=1))
    begun = begin(serving("1"), challenger, PLAN, ago).record
    assert isinstance(missed_release(begun, [], NOW), WakeRelease)
    assert missed_release(begun.model_copy(update={"frozen": True}), [], NOW) is None
    waiting = begin(serving("1"), challenger, PLAN.model_copy(update={"approval": "required"}), ago).record
    assert missed_release(waiting, [], NOW) is None


def test_a_newer_model_is_told_again_only_when_the_one_under_release_gives_way() -> None:
    entries = [challenge("2", "1"), challenge("3", "1")]
    busy = because(under_release(timedelta(0)), "TOO_FEW_REQUESTS")
    assert missed_release(busy, entries, NOW) is None
    found = missed_release(because(busy, "NO_TRAFFIC"), entries, NOW)
    assert isinstance(found, WakeRelease)
    assert (found.model_version, found.look) == ("3", False)


def test_a_model_that_was_taken_back_is_not_told_again() -> None:
    taken = Decision(
        at=NOW,
        actor="release/1",
        cause="model.challenged",
        action="take_back",
        from_="2",
        to="1",
        reason="errors",
        key=taken_back_key("2", "b"),
    )
    assert missed_release(serving("1"), [challenge("2", "1")], NOW) is not None
    assert missed_release(serving("1"), [challenge("2", "1"), taken], NOW) is None


def test_the_alias_is_the_releases_business_while_a_challenger_has_traffic() -> None:
    mixed = Observed("1", "r", True, "2", "2", "1")  # noqa: FBT003
    assert divergences(under_release(timedelta(0)), mixed, NOW) == ()


def thawed(ago: float, times: int = 1) -> FreezeWord:
    return FreezeWord(at=NOW - timedelta(seconds=ago), by="ada", reason="done", times=times)


def test_what_waited_for_the_end_of_a_freeze_is_due_at_once_by_an_event_never_sent_before() -> None:
    """Also what had been told moments ago: whoever was woken then did nothing, and its event's id is used up."""
    waiting = [landed("landing/flights/a.csv", 3), landed("landing/flights/b.csv", 45)]
    before = missed_deliveries(waiting, frozenset(), NOW, limit=10)
    after = missed_deliveries(waiting, frozenset(), NOW, limit=10, thaw=thawed(1))
    again = missed_deliveries(waiting, frozenset(), NOW, limit=10, thaw=thawed(1, times=2))
    assert [(wake.landed.key[16:], wake.attempt) for wake in before] == [("b.csv", 2)]
    assert [(wake.landed.key[16:], wake.attempt) for wake in after] == [("b.csv", 1_000_001), ("a.csv", 1_000_001)]
    assert [wake.attempt for wake in again] == [2_000_001, 2_000_001]
    later = missed_deliveries(waiting, frozenset(), NOW + timedelta(seconds=90), limit=1, thaw=thawed(1))
    assert [wake.attempt for wake in later] == [1_000_003]
    came_after = missed_deliveries([landed("landing/flights/c.csv", 3)], frozenset(), NOW, limit=10, thaw=thawed(5))
    assert came_after == ()


def test_a_training_and_a_release_that_waited_for_the_end_of_a_freeze_are_due_at_once() -> None:
    just_now = NOW - timedelta(seconds=2)
    assert missed_training("other", just_now, [], NOW) is None
    assert missed_training("other", just_now, [], NOW, thawed(1)) == WakeTrain(
        "untrained_batches", "snapshot/other", 1_000_001
    )
    record = serving("1").model_copy(update={"freeze": thawed(1)})
    assert missed_release(record, [challenge("2", "1", age=5)], NOW) == WakeRelease("2", "b", 1_000_001)
    late = under_release(timedelta(seconds=5)).model_copy(update={"freeze": thawed(1)})
    found = missed_release(late, [], NOW)
    assert isinstance(found, WakeRelease)
    assert found.attempt == 1_002_001
