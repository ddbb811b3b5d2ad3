"""Which function versions may go: never one that anything may still ask, whatever the ledger says."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.control import Contender, ControlRecord, ReleaseState
from lifecycle.ledger import Decision
from lifecycle.pruning import Judged, Known, Version, judge
from lifecycle.release_plan import ReleasePlan

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLAN = ReleasePlan(keep_versions=3, keep_for=timedelta(days=90))
NUMBERS = st.integers(1, 12).map(str)


def contender(function_version: str | None) -> Contender | None:
    if function_version is None:
        return None
    return Contender(
        model_version=f"{function_version}0",
        bundle="a" * 64,
        function_version=function_version,
        mlflow_run="run",
        since=NOW,
        reason="better",
    )


def moved(function_version: str, days_ago: float, action: str = "promote", **evidence: str) -> Decision:
    """A change of champion to the model of a function version."""
    return Decision(
        at=NOW - timedelta(days=days_ago),
        actor="release",
        cause="test",
        action=action,
        to=f"{function_version}0",
        reason="better",
        evidence={"function_version": function_version, "bundle": "a" * 64, "mlflow_run": "run", **evidence},
        key=f"{action}/{function_version}/{days_ago}",
    )


def noted(days_ago: float, **evidence: str) -> Decision:
    at = NOW - timedelta(days=days_ago)
    return Decision(
        at=at, actor="a", cause="c", action="advance", reason="r", evidence=evidence, key=f"{days_ago}/{evidence}"
    )


def record(**changes: str | None) -> ControlRecord:
    to = changes.pop("to", None)
    places = {role: contender(version) for role, version in changes.items()}
    release = ReleaseState(state="rolling_back", to=to) if to else None
    return ControlRecord(product="flights", revision=3, release=release, **places)  # type: ignore[arg-type]


def published(*numbers: int) -> tuple[Version, ...]:
    return tuple(Version(str(number)) for number in numbers)


def pruned(judged: tuple[Judged, ...]) -> list[str]:
    return [one.number for one in judged if one.prune]


def why(judged: tuple[Judged, ...], number: str) -> str:
    (found,) = [one for one in judged if one.number == number]
    return found.reason


def test_the_newest_stay_and_the_others_go_when_nothing_ever_asked_them() -> None:
    judged = judge(Known(published(*range(1, 6)), record(), frozenset(), ()), PLAN, NOW)
    assert pruned(judged) == ["2", "1"]
    assert why(judged, "3") == "one of the newest 3"
    assert why(judged, "1") == "older than the newest 3, and it never served"


def test_every_place_stays_however_old_it_is() -> None:
    known = Known(
        (*published(*range(2, 20)), Version("1", bare=True)),
        record(champion="5", previous="4", challenger="6", to="20"),
        frozenset({"7", "8"}),
        (moved("2", 400), moved("2", 399)),
    )
    judged = judge(known, PLAN, NOW)
    assert pruned(judged) == ["16", "15", "14", "13", "12", "11", "10", "9", "3"]
    assert [why(judged, number) for number in ("1", "2", "4", "5", "6", "7")] == [
        "answers when no model does",
        "a rollback to model 20 is under way",
        "previous, model 40",
        "champion, model 50",
        "challenger, model 60",
        "takes requests",
    ]


def test_a_version_stays_for_ninety_days_after_another_one_took_its_place() -> None:
    decisions = (moved("1", 200), moved("2", 100), moved("3", 89), moved("9", 10))
    judged = judge(Known(published(*range(1, 10)), record(champion="9"), frozenset({"9"}), decisions), PLAN, NOW)
    assert pruned(judged) == ["6", "5", "4", "1"]  # 1 was replaced 100 days ago, 2 served until 89 days ago
    assert why(judged, "2") == "the ledger tells of it until 2026-03-04, within 90 days"
    assert why(judged, "1") == "older than the newest 3, last in use 2026-02-21, over 90 days ago"


def test_a_challenger_that_was_taken_back_stays_as_long_as_somebody_may_ask_why() -> None:
    decisions = (noted(30, watched_function_version="2"), noted(200, champion_function_version="3"))
    judged = judge(Known(published(*range(1, 8)), record(), frozenset(), decisions), PLAN, NOW)
    assert pruned(judged) == ["4", "3", "1"]


def test_numbers_are_counted_and_not_spelled() -> None:
    judged = judge(Known(published(8, 9, 10, 11), record(), frozenset(), ()), PLAN, NOW)
    assert [one.number for one in judged] == ["11", "10", "9", "8"]
    assert pruned(judged) == ["8"]


DECISIONS = st.lists(
    st.builds(moved, NUMBERS, st.floats(0, 400), st.sampled_from(["promote", "roll_back", "challenge"])), max_size=12
).map(lambda found: tuple(sorted(found, key=lambda decision: decision.at)))


@settings(max_examples=300)
@given(
    numbers=st.sets(st.integers(1, 12), min_size=6),
    bare=st.sets(st.integers(1, 12)),
    places=st.fixed_dictionaries({role: st.none() | NUMBERS for role in ("champion", "previous", "challenger")}),
    to=st.none() | NUMBERS,
    routed=st.frozensets(NUMBERS, max_size=2),
    decisions=DECISIONS,
    keep=st.integers(3, 5),
    days=st.integers(0, 200),
)
def test_nothing_that_may_still_be_asked_is_ever_deleted(
    numbers: set[int],
    bare: set[int],
    places: dict[str, str | None],
    to: str | None,
    routed: frozenset[str],
    decisions: tuple[Decision, ...],
    keep: int,
    days: int,
) -> None:
    versions = tuple(Version(str(number), bare=number in bare) for number in numbers)
    now = record(**places, to=f"{to}0" if to else None)
    plan = ReleasePlan(keep_versions=keep, keep_for=timedelta(days=days))
    judged = judge(Known(versions, now, routed, decisions), plan, NOW)
    gone = set(pruned(judged))
    assert {one.number for one in judged} == {version.number for version in versions}
    assert not gone & {version for version in places.values() if version}
    assert not gone & routed
    assert not gone & {str(number) for number in bare}
    if to and any(decision.to == f"{to}0" and decision.action != "challenge" for decision in decisions):
        assert to not in gone
    assert not gone & {str(number) for number in sorted(numbers)[-keep:]}
    moves = [decision for decision in decisions if decision.action != "challenge"]
    for decision, later in zip(moves, (*moves[1:], None), strict=False):
        until = later.at if later is not None else NOW
        if NOW - until <= plan.keep_for:
            assert decision.evidence["function_version"] not in gone
