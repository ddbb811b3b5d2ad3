"""Rows that belong together are never on two sides, and are drawn together; a row counts as much as its weight says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score, root_mean_squared_error

from lifecycle import level_means
from lifecycle.bootstrap import Paired, interval
from lifecycle.evaluation import EvaluationPolicy, Holdout, score
from lifecycle.grounds import Ground
from lifecycle.metrics import calibration_error, value
from lifecycle.training import Split, TrainingPolicy, Undecidable, candidates, split, split_by_content

POLICY = TrainingPolicy(
    holdout_days=7, min_rows=1, min_holdout_rows=1, min_holdout_per_class=1, min_holdout_groups=2, recent_days=15
)
ROWS = 400


def times(days: Any) -> Any:
    return np.datetime64("2024-01-01", "us") + (np.asarray(days) * 86_400_000_000).astype("timedelta64[us]")


def members(group_of_row: Any) -> Any:
    return np.asarray(group_of_row, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def parts_of(found: Split | Undecidable) -> tuple[Any, ...]:
    return (found.fit, found.stopping, found.holdout) if isinstance(found, Split) else ()


@given(st.integers(0, 10_000), st.integers(1, 200), st.floats(0.01, 40))
@settings(max_examples=60, deadline=None)
def test_no_group_is_on_both_sides_of_any_split(seed: int, groups: int, lasting: float) -> None:
    """Groups begin anywhere in a month and last from no time to longer than all of it."""
    random = np.random.default_rng(seed)
    of_row = random.integers(0, groups, ROWS)
    days = random.uniform(0, 30, groups)[of_row] + random.uniform(0, lasting, ROWS)
    label, keys = random.integers(0, 2, ROWS).astype(float), random.integers(0, 2**63, ROWS).astype(np.uint64)
    when, group = times(days), members(of_row)
    for found in (
        split(POLICY, "binary", when, label, group),
        split_by_content(POLICY, "binary", keys, label, group),
    ):
        sides = [set(of_row[rows].tolist()) for rows in parts_of(found)]
        assert all(not one & other for at, one in enumerate(sides) for other in sides[:at])
        assert isinstance(found, Undecidable) or sum(map(len, parts_of(found))) + found.torn == ROWS
    if isinstance(timed := split(POLICY, "binary", when, label, group), Split):
        assert timed.holdout_after is not None
        assert (when[timed.train] <= timed.holdout_after).all()
        assert (when[timed.holdout] > timed.holdout_after).all()
        for one in candidates(POLICY, when, timed):
            assert not set(of_row[one.train].tolist()) & set(of_row[timed.holdout].tolist())


def test_without_groups_the_same_rows_are_torn_apart() -> None:
    """The defence is needed: where groups come back, a split by time alone has them on both sides."""
    of_row = np.arange(ROWS) % 40
    days, label = np.linspace(0, 30, ROWS), (np.arange(ROWS) // 40 % 2).astype(float)
    plain = split(POLICY, "binary", times(days), label)
    assert isinstance(plain, Split)
    assert set(of_row[plain.train]) & set(of_row[plain.holdout])


def test_a_group_keeps_its_part_whatever_is_delivered_later() -> None:
    of_row, label = np.arange(ROWS) % 80, (np.arange(ROWS) // 80 % 2).astype(float)
    before, after = (
        split_by_content(POLICY, "binary", np.arange(rows, dtype=np.uint64), label[:rows], members(of_row[:rows]))
        for rows in (200, ROWS)
    )
    assert isinstance(before, Split)
    assert isinstance(after, Split)
    assert set(of_row[before.holdout]) == set(of_row[after.holdout])


def test_groups_that_were_all_known_before_leave_nobody_to_judge_and_that_is_said() -> None:
    label = (np.arange(ROWS) // 40 % 2).astype(float)
    found = split(POLICY, "binary", times(np.linspace(0, 30, ROWS)), label, members(np.arange(ROWS) % 40))
    assert isinstance(found, Undecidable)
    (reason,) = [one for one in found.reasons if one.code == Ground.TOO_FEW_GROUPS]
    assert reason.found == "0 groups to judge, 94 rows left out whose group was known before"


@pytest.mark.parametrize(("rare", "grounds"), [(9, [Ground.TOO_FEW_OF_A_CLASS]), (10, [])])
def test_nine_of_the_rarer_class_cannot_judge_and_ten_can(rare: int, grounds: list[Ground]) -> None:
    days, label = np.linspace(0, 30, 3000), np.zeros(3000)
    label[:2300:20], label[-rare:] = 1, 1
    found = split(TrainingPolicy(holdout_days=7), "binary", times(days), label)
    assert [one.code for one in (found.reasons if isinstance(found, Undecidable) else ())] == grounds


def test_an_interval_by_groups_is_as_wide_as_one_of_the_groups_alone() -> None:
    """Rows that are there twenty times tell no more than once: by rows the interval is far too narrow."""
    random = np.random.default_rng(3)
    labels = (random.random(60) < 0.4).astype(float)
    champion, challenger = (0.8 * labels + random.normal(size=60) for _ in range(2))

    def width(times: int, *, grouped: bool) -> float:
        scores = [np.repeat(one, times) for one in (labels, champion, challenger)]
        groups = members(np.repeat(np.arange(60), times)) if grouped else None
        found = interval("auc", Paired(*scores, groups=groups), confidence=0.95, resamples=800, seed=1)
        return found.upper - found.lower

    assert width(20, grouped=True) == pytest.approx(width(1, grouped=False), rel=0.1)
    assert width(20, grouped=False) < 0.35 * width(20, grouped=True)


def test_equally_good_models_of_few_large_groups_rarely_replace_each_other() -> None:
    """What a group brings is the same for all its rows: by rows one in three is promoted by luck, by groups few."""
    groups = np.repeat(np.arange(40), 25)
    promoted = {True: 0, False: 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        labels = random.normal(size=1000)
        champion, challenger = (
            labels + random.normal(0, 0.7, 40)[groups] + random.normal(0, 0.5, 1000) for _ in range(2)
        )
        for grouped in promoted:
            paired = Paired(labels, champion, challenger, groups=members(groups) if grouped else None)
            found = interval("rmse", paired, confidence=0.95, resamples=200, seed=1)
            promoted[grouped] += found.lower > 0.0
    assert promoted[True] <= 5
    assert promoted[False] >= 12


@pytest.mark.parametrize("weights", [np.full(300, 0.25), np.random.default_rng(1).gamma(1, 1, 300)])
def test_weighted_metrics_are_the_librarys(weights: Any) -> None:
    random = np.random.default_rng(2)
    labels = (random.random(300) < 0.3).astype(float)
    scores = np.clip(0.3 + 0.2 * labels + 0.2 * random.normal(size=300), 0.01, 0.99).round(2)
    theirs = {"auc": roc_auc_score, "average_precision": average_precision_score, "log_loss": log_loss}
    for metric, of in theirs.items():
        found = value(metric, labels, scores, weights)  # type: ignore[arg-type]
        assert found == pytest.approx(of(labels, scores, sample_weight=weights), rel=1e-9)
    found = value("rmse", labels, scores, weights)
    assert found == pytest.approx(root_mean_squared_error(labels, scores, sample_weight=weights), rel=1e-9)


def test_whole_weights_are_repeated_rows_in_every_number_of_a_scorecard() -> None:
    random = np.random.default_rng(4)
    labels, times = (random.random(500) < 0.4).astype(float), random.integers(1, 4, 500)
    scores, city = np.clip(random.random(500), 0, 1), np.where(random.random(500) < 0.5, "Ulm", "Graz").astype(object)
    policy = EvaluationPolicy(metric="auc", floors={}, min_slice_rows=100)
    weighted = score(policy, Holdout("binary", labels, {"city": city}, times.astype(float)), scores)
    rows = np.repeat(np.arange(500), times)
    repeated = score(policy, Holdout("binary", labels[rows], {"city": city[rows]}), scores[rows])
    assert weighted.base == pytest.approx(repeated.base)
    assert weighted.metrics == pytest.approx(repeated.metrics, rel=1e-9)
    assert [one.value for one in weighted.slices] == pytest.approx([one.value for one in repeated.slices], rel=1e-9)


def test_calibration_counts_rows_by_their_weight() -> None:
    labels, scores = np.array([0.0, 1.0] * 50), np.full(100, 0.5)
    assert calibration_error(labels, scores, np.where(labels == 1, 3.0, 1.0)) == pytest.approx(0.25)
    assert np.isnan(calibration_error(labels, scores, np.zeros(100)))


def test_a_row_does_not_see_its_groups_label_in_the_mean_of_its_level() -> None:
    """One level per group: without the groups a row would read the outcome of its siblings off the level."""
    groups = np.repeat(np.arange(50), 10)
    labels, level = (groups % 2).astype(float), np.array([f"L{one}" for one in groups], dtype=object)
    for of_rows, separated in ((None, True), (members(groups), False)):
        seen = level_means.outcomes(labels, (), of_rows)
        fitted = level_means.fit("level", level, 100, seen)
        found = level_means.without_own_label(fitted, "level", level, seen)[:, 0]
        assert (value("auc", labels, found) > 0.9) == separated


def test_a_slice_with_too_few_of_the_rarer_class_is_not_judged() -> None:
    labels = np.zeros(2000)
    labels[:150], labels[1000:1020] = 1, 1
    city = np.repeat(np.array(["Ulm", "Graz"], dtype=object), 1000)
    policy = EvaluationPolicy(metric="average_precision", floors={}, min_slice_rows=500)
    found = score(policy, Holdout("binary", labels, {"city": city}), np.random.default_rng(1).random(2000))
    assert [one.level for one in found.slices] == ["Ulm"]
