"""The turn to train in S3: one winner among many, nobody's wish lost, a dead run succeeded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from lifecycle.claim import STALE_AFTER, Busy, Taken
from lifecycle.errors import ConflictError
from tasks.claim import leave_turn, renew_turn, take_turn
from tests.clocks import jumped
from tests.conftest import Aws


def test_of_many_at_once_one_trains_and_every_other_one_is_told_who(aws: Aws) -> None:
    bucket, owners = aws.bucket(), [f"run-{at}" for at in range(8)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda owner: take_turn(bucket, "shop", owner), owners))
    (winner,) = [one.turn.owner for one in outcomes if isinstance(one, Taken)]
    assert {one.turn.owner for one in outcomes} == {winner}
    assert leave_turn(bucket, "shop", winner) is True
    assert leave_turn(bucket, "shop", winner) is False


def test_a_successor_takes_over_and_the_dead_one_cannot_go_on(aws: Aws) -> None:
    bucket = aws.bucket()
    take_turn(bucket, "shop", "dead")
    assert isinstance(take_turn(bucket, "shop", "stranger"), Busy)
    assert isinstance(take_turn(bucket, "shop", "successor", retry_of="dead"), Taken)
    renew_turn(bucket, "shop", "successor")
    with pytest.raises(ConflictError, match=r"dead lost the turn to train shop.*successor"):
        renew_turn(bucket, "shop", "dead")
    assert leave_turn(bucket, "shop", "dead") is False


def test_products_do_not_wait_for_each_other(aws: Aws) -> None:
    bucket = aws.bucket()
    assert isinstance(take_turn(bucket, "shop", "one"), Taken)
    assert isinstance(take_turn(bucket, "bike", "two"), Taken)


@pytest.mark.parametrize("by", [2 * STALE_AFTER, -2 * STALE_AFTER], ids=["ahead", "behind"])
def test_whose_clock_has_jumped_takes_the_turn_from_nobody(aws: Aws, by: timedelta) -> None:
    bucket = aws.bucket()
    assert isinstance(take_turn(bucket, "shop", "one"), Taken)
    with jumped(by):
        assert isinstance(take_turn(bucket, "shop", "two"), Busy)
    renew_turn(bucket, "shop", "one")
    assert leave_turn(bucket, "shop", "one") is True
