"""Which rows train, which choose, which judge; and when nothing can be judged at all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.grounds import Ground
from lifecycle.training import (
    Split,
    TrainingPolicy,
    Undecidable,
    candidates,
    instant,
    keys_digest,
    recheck,
    split,
    split_by_content,
    train_key,
)

DAY = np.timedelta64(24 * 3600 * 10**6, "us")
START = np.datetime64("2013-01-01T00:00:00", "us")
POLICY = TrainingPolicy(holdout_days=7, early_stopping_share=0.1, min_rows=100, min_holdout_rows=50)


def times(days: Sequence[float]) -> Any:
    return START + (np.array(days) * (DAY / np.timedelta64(1, "us"))).astype("timedelta64[us]")


def alternating(rows: int) -> Any:
    return np.arange(rows) % 2 * 1.0


def cut(days: Any, label: Any, policy: TrainingPolicy = POLICY) -> Split:
    found = split(policy, "binary", times(days), label)
    assert isinstance(found, Split)
    return found


def test_the_newest_week_judges_and_no_row_is_in_two_parts() -> None:
    days = np.linspace(0, 30, 1000)
    found = cut(np.random.default_rng(1).permutation(days), alternating(1000))
    everything = np.concatenate((found.fit, found.stopping, found.holdout))
    assert sorted(everything) == list(range(1000))
    assert found.holdout_until is not None
    assert found.holdout_after is not None
    assert found.holdout_until - found.holdout_after == 7 * DAY
    assert instant(found.holdout_until) == "2013-01-31T00:00:00Z"


def test_every_part_lies_wholly_before_the_next() -> None:
    days = np.random.default_rng(2).permutation(np.linspace(0, 30, 1000))
    found, when = cut(days, alternating(1000)), times(days)
    assert when[found.fit].max() < when[found.stopping].min()
    assert when[found.stopping].max() <= found.holdout_after < when[found.holdout].min()


def test_rows_of_one_instant_stay_together() -> None:
    days = np.repeat(np.arange(30), 40)
    found, when = cut(days, alternating(1200)), times(days)
    assert not set(when[found.fit]) & set(when[found.stopping])


def test_rows_without_a_label_or_a_time_are_counted_and_left_out() -> None:
    label = alternating(1000)
    label[:30] = np.nan
    when = times(np.linspace(0, 30, 1000))
    when[20:25] = np.datetime64("NaT")
    when[500] = np.datetime64("NaT")
    found = split(POLICY, "binary", when, label)
    assert isinstance(found, Split)
    assert (found.unlabelled, found.undated) == (25, 6)
    assert len(found.fit) + len(found.stopping) + len(found.holdout) == 1000 - 31


def test_the_newest_labelled_row_ends_the_holdout_not_the_newest_row() -> None:
    label = alternating(1000)
    label[800:] = np.nan
    found = cut(np.linspace(0, 30, 1000), label)
    assert found.holdout.max() == 799


@pytest.mark.parametrize(
    ("days", "label", "grounds"),
    [
        (np.linspace(0, 30, 1000), np.full(1000, np.nan), [Ground.NO_LABELS]),
        (
            np.linspace(0, 30, 60),
            alternating(60),
            [Ground.TOO_FEW_ROWS, Ground.TOO_FEW_ROWS, Ground.TOO_FEW_OF_A_CLASS],
        ),
        (np.linspace(0, 6, 1000), alternating(1000), [Ground.TOO_FEW_ROWS, Ground.ONE_CLASS, Ground.ONE_CLASS]),
        (np.linspace(0, 30, 1000), np.zeros(1000), [Ground.ONE_CLASS] * 3),
        (np.linspace(0, 30, 1000), np.where(np.arange(1000) < 760, alternating(1000), 0.0), [Ground.ONE_CLASS]),
    ],
    ids=["no labels", "too few rows", "no history", "one class", "one class in the holdout"],
)
def test_what_cannot_be_judged_says_so_and_gives_no_number(days: Any, label: Any, grounds: list[Ground]) -> None:
    found = split(POLICY, "binary", times(days), label)
    assert isinstance(found, Undecidable)
    assert [reason.code for reason in found.reasons] == grounds


def test_a_regression_may_have_one_value_in_the_holdout() -> None:
    label = np.where(np.arange(1000) < 700, np.arange(1000.0), 3.0)
    assert isinstance(split(POLICY, "regression", times(np.linspace(0, 30, 1000)), label), Split)


def test_rows_the_suite_refused_neither_train_nor_judge() -> None:
    found = cut(np.linspace(0, 30, 1000), alternating(1000))
    refused = np.array([0, 1, 999])
    less = found.without(refused)
    assert less.held_back == 3
    assert not set(refused) & set(np.concatenate((less.fit, less.stopping, less.holdout)))
    nothing = found.without(found.holdout)
    assert isinstance(recheck(POLICY, "binary", nothing, alternating(1000)), Undecidable)


def test_the_recent_window_is_tried_only_where_it_is_shorter_and_large_enough() -> None:
    days = np.linspace(0, 60, 2000)
    found = cut(days, alternating(2000))
    when = times(days)

    def tried(recent: float | None) -> list[str]:
        policy = POLICY.model_copy(update={"recent_days": recent})
        return [one.name for one in candidates(policy, when, found)]

    assert tried(None) == ["all"]
    assert tried(20) == ["all", "recent"]
    assert tried(400) == ["all"]
    assert tried(2) == ["all"]
    recent = candidates(POLICY.model_copy(update={"recent_days": 20}), when, found)[1]
    assert when[recent.train].min() > found.holdout_after - 20 * DAY


def test_no_candidate_sees_a_row_of_the_holdout() -> None:
    days = np.random.default_rng(3).permutation(np.linspace(0, 60, 2000))
    found = cut(days, alternating(2000))
    for one in candidates(POLICY.model_copy(update={"recent_days": 20}), times(days), found):
        assert not set(one.train) & set(found.holdout)
        assert set(one.fit) <= set(one.train)


def keys(rows: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 2**64, rows, dtype=np.uint64)


def test_without_times_a_fifth_of_the_rows_judges_and_no_row_is_in_two_parts() -> None:
    found = split_by_content(POLICY, "binary", keys(20_000), alternating(20_000))
    assert isinstance(found, Split)
    assert sorted(np.concatenate((found.fit, found.stopping, found.holdout))) == list(range(20_000))
    assert len(found.holdout) == pytest.approx(4000, abs=200)
    assert len(found.stopping) == pytest.approx(1600, abs=150)
    assert (found.holdout_after, found.holdout_until) == (None, None)


def test_a_row_keeps_its_part_whatever_is_delivered_later_and_equal_rows_stay_together() -> None:
    """So no champion ever trained on a row that judges it."""
    first, later = keys(2000, 1), keys(3000, 2)
    before = split_by_content(POLICY, "binary", first, alternating(2000))
    both = np.concatenate((later, first, first))
    after = split_by_content(POLICY, "binary", both, alternating(7000))
    assert isinstance(before, Split)
    assert isinstance(after, Split)
    for part in ("fit", "stopping", "holdout"):
        again = set(both[getattr(after, part)].tolist())
        assert set(first[getattr(before, part)].tolist()) <= again
        assert set(first.tolist()) & again == set(first[getattr(before, part)].tolist())


def test_another_seed_draws_other_rows() -> None:
    other = POLICY.model_copy(update={"seed": 18})
    parts = [split_by_content(policy, "binary", keys(2000), alternating(2000)) for policy in (POLICY, other)]
    assert isinstance(parts[0], Split)
    assert isinstance(parts[1], Split)
    assert set(parts[0].holdout.tolist()) != set(parts[1].holdout.tolist())


def test_keys_that_only_count_up_are_scattered_too() -> None:
    found = split_by_content(POLICY, "binary", np.arange(5000, dtype=np.uint64), alternating(5000))
    assert isinstance(found, Split)
    assert len(found.holdout) == pytest.approx(1000, abs=120)
    assert label_share(found) == pytest.approx(0.5, abs=0.05)


def label_share(found: Split) -> float:
    return float(alternating(5000)[found.holdout].mean())


def test_without_times_there_is_no_recent_window() -> None:
    found = split_by_content(POLICY, "binary", keys(2000), alternating(2000))
    assert isinstance(found, Split)
    policy = POLICY.model_copy(update={"recent_days": 3.0})
    assert [one.name for one in candidates(policy, None, found)] == ["all"]


@pytest.mark.parametrize(
    ("label", "grounds"),
    [
        (np.full(1000, np.nan), [Ground.NO_LABELS]),
        (
            np.concatenate((alternating(60), np.full(940, np.nan))),
            [Ground.TOO_FEW_ROWS, Ground.TOO_FEW_ROWS, Ground.TOO_FEW_OF_A_CLASS],
        ),
        (np.zeros(1000), [Ground.ONE_CLASS] * 3),
    ],
    ids=["no labels", "too few rows", "one class"],
)
def test_rows_without_times_that_cannot_judge_say_so(label: Any, grounds: list[Ground]) -> None:
    found = split_by_content(POLICY, "binary", keys(1000), label)
    assert isinstance(found, Undecidable)
    assert [reason.code for reason in found.reasons] == grounds


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.randoms(use_true_random=False))
def test_the_digest_of_row_keys_does_not_depend_on_their_order(keys: list[int], random: Any) -> None:
    shuffled = keys.copy()
    random.shuffle(shuffled)
    first, second = (keys_digest(np.array(each, dtype=np.uint64)) for each in (keys, shuffled))
    assert first == second


def test_any_part_of_a_train_key_changes_it_and_the_order_of_parts_does_not() -> None:
    assert train_key({"a": "1", "b": "2"}) == train_key({"b": "2", "a": "1"})
    assert train_key({"a": "1", "b": "2"}) != train_key({"a": "1", "b": "3"})
