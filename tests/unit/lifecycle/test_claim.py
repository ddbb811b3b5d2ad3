"""Whose turn it is, as a truth table and as a machine that random runs cannot break."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.claim import STALE_AFTER, Busy, Taken, Turn, leave, renew, take, waits_since, wish

NOW = datetime(2013, 2, 1, tzinfo=UTC)


def held(owner: str, *, ago: timedelta = timedelta(minutes=1), wished: bool = False, state: str = "training") -> Turn:
    since = NOW - ago
    return Turn.model_validate(
        {"product": "shop", "owner": owner, "state": state, "since": since, "renewed_at": since, "wished": wished}
    )


@pytest.mark.parametrize(
    ("found", "retry_of", "taken"),
    [
        (None, None, True),
        (held("dead", state="idle"), None, True),
        (held("me"), None, True),
        (held("dead"), "dead", True),
        (held("other"), None, False),
        (held("other"), "dead", False),
        (held("other", ago=STALE_AFTER), None, True),
        (held("other", ago=STALE_AFTER - timedelta(seconds=1)), None, False),
    ],
    ids=["first", "idle", "mine", "successor", "busy", "successor of another", "stale", "nearly stale"],
)
def test_who_may_take_the_turn(found: Turn | None, retry_of: str | None, taken: bool) -> None:  # noqa: FBT001
    outcome = take(found, "shop", "me", NOW, retry_of=retry_of)
    assert isinstance(outcome, Taken) is taken
    assert outcome.turn.owner == ("me" if taken else "other")


def test_whoever_finds_it_taken_leaves_a_wish() -> None:
    outcome = take(held("other"), "shop", "me", NOW)
    assert isinstance(outcome, Busy)
    assert outcome.turn.wished


def test_a_wish_keeps_the_owner_at_it_once_and_then_it_may_leave() -> None:
    kept = leave(held("me", wished=True), "me", NOW)
    assert kept is not None
    assert (kept.state, kept.wished) == ("training", False)
    left = leave(kept, "me", NOW)
    assert left is not None
    assert left.state == "idle"


def test_a_failed_run_leaves_whatever_was_wished() -> None:
    left = leave(held("me", wished=True), "me", NOW, finished=False)
    assert left is not None
    assert left.state == "idle"


@pytest.mark.parametrize(
    "found", [None, held("other"), held("me", state="idle")], ids=["none", "other's", "given back"]
)
def test_a_turn_that_is_not_mine_can_be_neither_renewed_nor_left(found: Turn | None) -> None:
    assert renew(found, "me", NOW) is None
    assert leave(found, "me", NOW) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["take", "leave"])), max_size=40))
def test_one_at_a_time_and_no_wish_is_lost(moves: list[tuple[str, str]]) -> None:
    """A wish either finds somebody who trains again afterwards, or the turn itself."""
    turn: Turn | None = None
    waiting = False
    for owner, move in moves:
        if move == "take":
            outcome = take(turn, "shop", owner, NOW)
            waiting = isinstance(outcome, Busy)
            turn = outcome.turn
        elif (left := leave(turn, owner, NOW)) is not None:
            assert (left.state == "training") is waiting
            turn, waiting = left, False


def test_a_wish_without_a_turn_waits_for_whoever_trains_next() -> None:
    first = wish(None, "shop", "me", NOW)
    assert (first.state, first.wished, first.owner) == ("idle", True, "me")
    assert waits_since(first, NOW + timedelta(seconds=1))
    assert not waits_since(first, NOW), "it was left later"
    taken = take(first, "shop", "other", NOW + timedelta(seconds=5))
    assert isinstance(taken, Taken)
    assert not waits_since(taken.turn, NOW + timedelta(hours=1))
    assert not waits_since(None, NOW)


def test_a_wish_leaves_the_turn_of_whoever_trains_as_it_is() -> None:
    training = held("other")
    found = wish(training, "shop", "me", NOW)
    assert found == training.model_copy(update={"wished": True})
    ended = leave(found, "other", NOW, finished=False)
    assert ended is not None
    assert (ended.state, waits_since(ended, NOW + timedelta(seconds=1))) == ("idle", True)
