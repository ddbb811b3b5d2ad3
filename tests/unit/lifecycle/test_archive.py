"""Which earlier champions are tried again, by the ledger's word and by what they learned from."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from lifecycle.archive import eligible, spread
from lifecycle.challenge import Challenge, HoldoutWindow, Judgement
from lifecycle.ledger import Decision

CHOOSES = np.datetime64("2013-03-01", "us")
OLD, NEW = "2013-02-01T00:00:00Z", "2013-03-01T00:00:00Z"


def moved(*moves: str) -> list[Decision]:
    """Read "2" as a promotion of model 2, and "3>1" as a rollback from 3 to 1."""
    made = []
    for move in moves:
        left, _, to = move.rpartition(">")
        action = "roll_back" if left else "promote"
        made.append(
            Decision(
                at=datetime(2013, 1, 1, tzinfo=UTC),
                actor="test",
                cause="test",
                action=action,
                from_=left or None,
                to=to,
                reason="test",
                key=f"{action}/{move}",
            )
        )
    return made


def made(after: str | None = OLD, again: str | None = None) -> Challenge:
    return Challenge(
        product="shop",
        train_key="k",
        snapshot="s",
        batches=(),
        mlflow_run="r",
        verdict="promote",
        reasons=(),
        judgement=Judgement(metric="auc"),
        again=again,
        holdout=HoldoutWindow(after=after, until=after, rows=1, digest="d"),
    )


def tried(moves: str, champion: str | None, **challenges: Challenge) -> tuple[str, ...]:
    known = {f"{number}": made() for number in range(1, 6)} | {name[1:]: one for name, one in challenges.items()}
    return eligible(moved(*moves.split()), known, champion, CHOOSES)


@pytest.mark.parametrize(
    ("moves", "champion", "expected"),
    [
        ("", None, ()),
        ("1", "1", ()),
        ("1 2 3", "3", ("1", "2")),
        ("1 2 2>1", "1", ()),
        ("1 2 2>1 3", "3", ("1",)),
        ("1 2 3 3>1 4", "4", ("1", "2")),
    ],
)
def test_who_served_may_come_back_but_for_the_champion_and_those_somebody_went_back_from(
    moves: str, champion: str | None, expected: tuple[str, ...]
) -> None:
    assert tried(moves, champion) == expected


def test_a_model_that_served_twice_is_tried_once_and_counts_as_the_champion_it_is() -> None:
    assert tried("1 2 3 4", "4", v3=made(again="1")) == ("1", "2")
    assert tried("1 2 3", "3", v3=made(again="1")) == ("2",)
    assert tried("1 2 3 3>2 4", "4", v3=made(again="1")) == ("2",)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2013-02-28T23:59:59Z", ("1",)),
        ("2013-02-28T23:59:59.5Z", ()),
        (NEW, ()),
        (None, ()),
    ],
)
def test_a_model_that_learned_from_the_rows_that_choose_is_none(after: str | None, expected: tuple[str, ...]) -> None:
    assert tried("1 2", "2", v1=made(after)) == expected


def test_a_model_the_registry_does_not_know_is_none() -> None:
    assert eligible(moved("1", "9", "2"), {"1": made(), "2": made()}, "2", CHOOSES) == ("1",)


@pytest.mark.parametrize(
    ("most", "expected"),
    [(0, ""), (1, "a"), (2, "ae"), (3, "ace"), (5, "abcde"), (9, "abcde")],
)
def test_a_few_of_many_are_spread_over_their_time(most: int, expected: str) -> None:
    assert "".join(spread("abcde", most)) == expected
