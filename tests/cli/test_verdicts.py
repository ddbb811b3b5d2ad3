"""What a drop is told about its model while releases proceed in steps."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.verdicts import verdict
from lifecycle.batch import Reason
from lifecycle.control import Actor, Contender, ControlRecord, ReleaseState
from lifecycle.evidence import Evidence
from lifecycle.ledger import Decision, Entry, chain
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress
from lifecycle.stepping import Ending, Judged, begin, done, hold, settle_step, step, take_back

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BY = Actor("release/1", NOW, "model.challenged")
PLAN = ReleasePlan(steps=(10, 100), tick=timedelta(seconds=5))
SEEN = Judged(Evidence(), NOW, (Reason("NO_TRAFFIC", "requests", "no live request", "at least 200"),))


def contender(version: str) -> Contender:
    return Contender(
        model_version=version, bundle="b" * 64, function_version="2", mlflow_run="run", since=NOW, reason="better"
    )


def challenge(version: str) -> Entry:
    evidence = {"verdict": "promote", "batches": "abababababab", "mlflow_run": "run"}
    entry = Decision(
        at=NOW,
        actor="train",
        cause="batch.validated",
        action="challenge",
        to=version,
        reason="Model 2 may replace model 1.",
        evidence=evidence,
        key=f"challenge/{version}",
    )
    return chain(entry, None)


def begun(**plan: str) -> ControlRecord:
    record = ControlRecord(product="flights", revision=3, champion=contender("1"))
    return begin(record, contender("2"), PLAN.model_copy(update=plan), BY).record


def stepped() -> ControlRecord:
    return step(begun(), Progress(since=NOW), Judged(Evidence(), NOW), BY, alias_revision="r").record


def flowing() -> ControlRecord:
    return hold(settle_step(stepped(), BY).record, SEEN, BY).record


def ended(record: ControlRecord) -> Entry:
    assert record.decision is not None
    return chain(record.decision, None)


@pytest.mark.parametrize("record", [begun(), stepped()], ids=["begun", "traffic not yet seen"])
def test_a_release_that_has_only_just_begun_is_waited_for(record: ControlRecord) -> None:
    found = verdict(challenge("2"), record)
    assert (found.state, found.settled, found.release) == ("challenger", False, None)


def test_a_model_under_release_is_the_challenger_and_the_reason_says_where_it_stands() -> None:
    found = verdict(challenge("2"), flowing())
    assert (found.state, found.settled) == ("challenger", True)
    assert found.release is not None
    assert found.release.code == "UNDER_RELEASE"
    assert found.release.found == "held, step 1 of 2 at 10% of the requests; NO_TRAFFIC: no live request"


def test_one_that_waits_for_a_person_says_so_and_is_not_waited_for() -> None:
    found = verdict(challenge("2"), begun(approval="required"))
    assert (found.state, found.settled) == ("challenger", True)
    assert found.release is not None
    assert "WAITS_FOR_APPROVAL" in found.release.found


def test_one_that_waits_for_another_release_says_whose() -> None:
    found = verdict(challenge("3"), flowing())
    assert (found.state, found.settled) == ("challenger", True)
    assert found.release is not None
    assert (found.release.code, found.release.found) == ("WAITS", "model 2 is under release")


def test_a_release_that_was_taken_back_is_a_refusal_with_its_reason() -> None:
    record = take_back(flowing(), Ending("HARM errors: found 60.", ("HARM",)), BY).record
    moving = verdict(challenge("2"), record, ended(record))
    assert (moving.state, moving.settled) == ("refused", False)
    found = verdict(challenge("2"), record.model_copy(update={"release": None}), ended(record))
    assert (found.state, found.settled) == ("refused", True)
    assert found.release is not None
    assert (found.release.code, found.release.found) == ("TAKEN_BACK", "HARM errors: found 60.")


def test_one_that_went_through_every_step_is_promoted_once_everything_follows() -> None:
    record = done(flowing(), Judged(Evidence(), NOW), BY).record
    assert record.release == ReleaseState(state="moving")
    assert not verdict(challenge("2"), record, ended(record)).settled
    found = verdict(challenge("2"), record.model_copy(update={"release": None}), ended(record))
    assert (found.state, found.settled, found.release) == ("promoted", True, None)
