"""What the ledger says about earlier answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.causes import Cause
from lifecycle.ledger import Decision, Entry, chain
from lifecycle.response import Outcome, Response
from lifecycle.taken import PATIENCE, cause_of, decision, taken

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RETRAIN = Response("retrain", Cause.PERFORMANCE, (), (), "retrain/performance/2026/0")


def entry(action: str, **fields: Any) -> Decision:
    return Decision.model_validate(
        {"at": NOW, "actor": "a", "cause": "c", "action": action, "reason": "r", "key": str(fields), **fields}
    )


def chained(*decisions: Decision) -> tuple[Entry, ...]:
    made: list[Entry] = []
    for one in decisions:
        made.append(chain(one, made[-1] if made else None))
    return tuple(made)


ASKED = decision("b" * 64, RETRAIN, NOW, "3")
CAUSE = cause_of(RETRAIN.key)
MADE = entry("challenge", cause=CAUSE, to="4", evidence={"verdict": "promote"})


@pytest.mark.parametrize(
    ("after", "later", "expected"),
    [
        ((), timedelta(hours=1), "pending"),
        ((), PATIENCE, "failed"),
        ((entry("challenge", to="9", evidence={"verdict": "promote"}),), timedelta(hours=1), "pending"),  # another's
        ((entry("challenge", cause=CAUSE, to="4", evidence={"verdict": "refuse"}),), timedelta(hours=1), "refused"),
        ((entry("challenge", cause=CAUSE, evidence={"verdict": "undecidable"}),), timedelta(hours=1), "refused"),
        ((MADE,), timedelta(days=3), "pending"),
        ((MADE,), timedelta(days=8), "failed"),
        ((MADE, entry("promote", to="4")), timedelta(hours=1), "promoted"),
        ((MADE, entry("promote", to="5")), timedelta(hours=1), "pending"),
        ((MADE, entry("take_back", **{"from": "4", "to": "3"})), timedelta(hours=1), "refused"),
    ],
)
def test_a_training_is_followed_to_its_end(after: tuple[Decision, ...], later: timedelta, expected: Outcome) -> None:
    (found,) = taken(chained(ASKED, *after), NOW + later)
    assert (found.action, found.key, found.outcome, found.cause) == (
        "retrain",
        RETRAIN.key,
        expected,
        Cause.PERFORMANCE,
    )


def test_other_answers_have_no_outcome_and_other_entries_are_none() -> None:
    told = decision(None, Response("notify", Cause.DRIFT, (), (), "notify/drift/1"), NOW, None)
    found = taken(chained(entry("promote", to="1"), told), NOW)
    assert [(one.action, one.outcome) for one in found] == [("notify", None)]
