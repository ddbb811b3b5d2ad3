"""Metrics against scikit-learn, the bootstrap against plain resampling, slices, and leaks."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    mean_poisson_deviance,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from lifecycle.bootstrap import Paired, interval
from lifecycle.errors import SpecError, TrainingError
from lifecycle.evaluation import EvaluationPolicy, Holdout, check_policy, score
from lifecycle.leakage import Part, leaks
from lifecycle.metrics import calibration_error, improvement, statistic, value

POLICY = EvaluationPolicy(metric="auc", floors={"auc": 0.55}, slices=("origin",), min_slice_rows=50)


def binary(rows: int = 400, seed: int = 0, *, rounded: bool = False) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.3).astype(float)
    scores = 1 / (1 + np.exp(-(labels + random.normal(0, 1.2, rows) - 1)))
    return labels, np.round(scores, 1) if rounded else scores


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("seed", range(5))
def test_binary_metrics_equal_scikit_learns(seed: int, rounded: bool) -> None:  # noqa: FBT001
    labels, scores = binary(seed=seed, rounded=rounded)
    inside = np.clip(scores, 1e-7, 1 - 1e-7)
    assert value("auc", labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-14)
    assert value("log_loss", labels, scores) == pytest.approx(log_loss(labels, inside), rel=1e-12)
    assert value("brier", labels, scores) == pytest.approx(brier_score_loss(labels, scores), rel=1e-12)
    assert value("average_precision", labels, scores) == pytest.approx(average_precision_score(labels, scores))


def classes(rows: int = 500, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    labels = random.choice(4, rows, p=[0.6, 0.3, 0.09, 0.01]).astype(float)
    raw = np.exp(random.normal(0, 1, (rows, 4)) + 2 * np.eye(4)[labels.astype(int)])
    return labels, raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_many_classes_equal_scikit_learns(seed: int) -> None:
    labels, scores = classes(seed=seed)
    assert value("log_loss", labels, scores) == pytest.approx(log_loss(labels, scores), rel=1e-9)
    assert value("accuracy", labels, scores) == pytest.approx(accuracy_score(labels, scores.argmax(axis=1)))
    apart = roc_auc_score(labels, scores, multi_class="ovr", average="weighted")
    assert value("auc", labels, scores) == pytest.approx(apart, abs=1e-12)


def test_a_class_the_model_does_not_know_costs_it_dearly_and_is_still_a_number() -> None:
    labels, scores = classes()
    known = np.column_stack([scores[:, :3], np.zeros(len(labels))])
    assert value("log_loss", labels, known) > value("log_loss", labels, scores)
    assert np.isfinite(value("log_loss", labels, known))


def test_counts_are_judged_as_scikit_learn_does() -> None:
    random = np.random.default_rng(5)
    expected = random.gamma(2, 2, 400)
    labels = random.poisson(expected).astype(float)
    assert value("poisson_deviance", labels, expected) == pytest.approx(mean_poisson_deviance(labels, expected))


def test_regression_metrics_equal_scikit_learns() -> None:
    random = np.random.default_rng(4)
    labels, scores = random.normal(size=300), random.normal(size=300)
    assert value("rmse", labels, scores) == pytest.approx(root_mean_squared_error(labels, scores), rel=1e-12)
    assert value("mae", labels, scores) == pytest.approx(mean_absolute_error(labels, scores), rel=1e-12)
    assert value("r2", labels, scores) == pytest.approx(r2_score(labels, scores), rel=1e-9)
    twice = np.random.default_rng(5).integers(0, 3, 300)
    again = r2_score(np.repeat(labels, twice), np.repeat(scores, twice))
    assert statistic("r2", labels, scores)(twice) == pytest.approx(again, rel=1e-9)
    assert np.isnan(value("r2", np.ones(5), np.zeros(5)))


@given(arrays(np.int64, 60, elements=st.integers(0, 4)), st.integers(0, 5))
def test_a_weighted_auc_is_the_auc_of_repeated_rows(weights: Any, seed: int) -> None:
    labels, scores = binary(60, seed, rounded=True)
    repeated, again = np.repeat(labels, weights), np.repeat(scores, weights)
    found = statistic("auc", labels, scores)(weights)
    if len(np.unique(repeated)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(repeated, again), abs=1e-12)


def test_the_interval_is_the_one_of_resampling_rows_one_by_one() -> None:
    labels, champion = binary(200, 1)
    challenger = binary(200, 1)[1] + np.random.default_rng(2).normal(0, 0.1, 200)
    found = interval("auc", Paired(labels, champion, challenger), confidence=0.9, resamples=200, seed=5)
    random, seen = np.random.default_rng(5), []
    for _ in range(200):
        rows = random.integers(0, 200, 200)
        seen.append(roc_auc_score(labels[rows], challenger[rows]) - roc_auc_score(labels[rows], champion[rows]))
    lower, upper = np.quantile(seen, [0.05, 0.95])
    assert (found.lower, found.upper) == (pytest.approx(lower, abs=1e-12), pytest.approx(upper, abs=1e-12))


@given(arrays(np.int64, 60, elements=st.integers(0, 4)), st.integers(0, 5))
def test_a_weighted_average_precision_is_the_one_of_repeated_rows(weights: Any, seed: int) -> None:
    labels, scores = binary(60, seed, rounded=True)
    repeated, again = np.repeat(labels, weights), np.repeat(scores, weights)
    found = statistic("average_precision", labels, scores)(weights)
    if len(np.unique(repeated)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(average_precision_score(repeated, again), abs=1e-12)


@given(arrays(np.int64, 60, elements=st.integers(0, 4)))
def test_a_weighted_auc_of_many_classes_is_the_one_of_repeated_rows(weights: Any) -> None:
    labels, scores = classes(60)
    found = statistic("auc", labels, scores)(weights)
    repeated, again = np.repeat(labels, weights), np.repeat(scores, weights, axis=0)
    there = np.unique(repeated)
    if len(there) < 2:
        assert np.isnan(found)
        return
    apart = [(repeated == one).mean() * roc_auc_score(repeated == one, again[:, int(one)]) for one in there]
    assert found == pytest.approx(sum(apart), abs=1e-12)


def test_what_cannot_be_computed_is_nan_and_not_a_number_that_looks_good() -> None:
    scores = np.array([0.1, 0.9])
    unsure = np.full((2, 3), np.nan)
    for metric in ("auc", "log_loss", "accuracy"):
        assert np.isnan(value(metric, np.array([0.0, 2.0]), unsure))
    assert np.isnan(value("average_precision", np.array([1.0, 1.0]), scores))
    assert np.isnan(value("average_precision", np.array([0.0, 0.0]), scores))
    assert np.isnan(value("auc", np.array([1.0, 1.0]), scores))
    assert np.isnan(value("auc", np.array([0.0, 1.0]), np.array([np.nan, 0.5])))
    assert np.isnan(value("brier", np.array([0.0, 1.0]), np.array([np.nan, 0.5])))
    assert np.isnan(value("rmse", np.array([]), np.array([])))
    assert np.isnan(calibration_error(np.array([0.0, 1.0]), np.array([np.nan, 0.5])))
    assert np.isnan(improvement("rmse", 0.0, 1.0))


def test_improvement_is_positive_when_the_challenger_is_better() -> None:
    assert improvement("auc", 0.70, 0.72) == pytest.approx(0.02)
    assert improvement("rmse", 100.0, 99.0) == pytest.approx(0.01)
    assert improvement("rmse", 100.0, 101.0) == pytest.approx(-0.01)


def test_scores_that_mean_what_they_say_have_no_calibration_error() -> None:
    random = np.random.default_rng(6)
    said = random.random(200_000)
    happened = (random.random(200_000) < said).astype(float)
    assert calibration_error(happened, said) < 0.01
    assert calibration_error(happened, said**2) > 0.1


def test_a_slice_is_scored_when_it_has_rows_and_both_classes() -> None:
    labels, scores = binary(400, 3)
    levels = np.array(["JFK"] * 200 + ["LGA"] * 30 + ["EWR"] * 170, dtype=object)
    labels[230:] = 0.0
    card = score(POLICY, Holdout("binary", labels, {"origin": levels}), scores)
    assert [(one.column, one.level, one.rows) for one in card.slices] == [("origin", "JFK", 200)]
    assert card.slices[0].value == pytest.approx(roc_auc_score(labels[:200], scores[:200]))


def test_the_base_of_many_classes_is_the_share_of_the_most_frequent() -> None:
    labels, scores = classes()
    policy = EvaluationPolicy(metric="log_loss", floors={})
    assert score(policy, Holdout("multiclass", labels, {}), scores).base == pytest.approx((labels == 0).mean())


def test_a_model_must_score_every_row() -> None:
    with pytest.raises(TrainingError, match="every row"):
        score(POLICY, Holdout("binary", np.zeros(3), {}), np.zeros(2))


@pytest.mark.parametrize(
    "policy",
    [EvaluationPolicy(metric="rmse", floors={}), EvaluationPolicy(metric="auc", floors={"mae": 1.0})],
    ids=["metric", "floor"],
)
def test_a_metric_of_another_task_is_refused_by_name(policy: EvaluationPolicy) -> None:
    with pytest.raises(SpecError, match=r"'(rmse|mae)' says nothing about a binary task"):
        check_policy(policy, "binary")


def features(labels: Any, seed: int) -> Any:
    """Seven columns: two fair ones, and five ways to give the label away alone."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=len(labels))
    amount = labels * 40 + random.normal(size=len(labels))
    u_shape = np.where(labels == 1, np.sign(noise) * (3 + abs(noise)), noise.clip(-2.9, 2.9))
    missing = np.where(labels == 1, np.nan, noise)
    code = np.where(labels == 1, 7, random.integers(0, 6, len(labels)))
    paid_back = np.where(labels == 1, random.gamma(2, 20, len(labels)) + 0.01, 0)
    return np.column_stack([noise, noise + labels, amount, u_shape, missing, code, paid_back]).astype(np.float32)


def test_a_column_that_alone_gives_the_label_away_is_named_however_it_does_it() -> None:
    labels = [(np.random.default_rng(seed).random(3000) < 0.2).astype(float) for seed in (1, 2)]
    parts = [Part(features(each, seed), each) for seed, each in enumerate(labels)]
    names = ("noise", "fair", "amount", "u_shape", "missing", "code", "paid_back")
    found = leaks(names, "binary", parts[0], parts[1], 0.98)
    assert {leak.feature for leak in found} == {"amount", "u_shape", "missing", "code", "paid_back"}
    assert min(leak.strength for leak in found) > 0.99


def test_a_regression_target_in_disguise_is_named() -> None:
    random = np.random.default_rng(9)
    parts = []
    for _ in range(2):
        count = random.gamma(2, 90, 3000)
        parts.append(Part(np.column_stack([count * 0.8, random.normal(size=3000)]).astype(np.float32), count))
    assert [leak.feature for leak in leaks(("registered", "noise"), "regression", parts[0], parts[1], 0.98)] == [
        "registered"
    ]


def test_a_class_in_disguise_is_named_and_a_good_feature_is_not() -> None:
    """A fair feature that gets 95 of 100 rows right, as a petal does of irises, is no leak."""
    random, parts = np.random.default_rng(3), []
    for _ in range(2):
        labels = random.integers(0, 3, 2000).astype(float)
        good = np.where(random.random(2000) < 0.95, labels, random.integers(0, 3, 2000))
        parts.append(Part(np.column_stack([labels * 7 + 1, good, random.normal(size=2000)]).astype(np.float32), labels))
    found = leaks(("copy", "good", "noise"), "multiclass", parts[0], parts[1], 0.98)
    assert [(leak.feature, leak.strength) for leak in found] == [("copy", 1.0)]


def test_a_good_feature_on_few_rows_is_no_leak_and_a_copy_of_the_label_is_one() -> None:
    """Of 80 rows an AUC is known to about .015: .985 is no proof of more than .98, a perfect one is."""
    random = np.random.default_rng(8)
    parts = []
    for rows in (300, 80):
        labels = (random.random(rows) < 0.4).astype(float)
        good = labels * 3.1 + random.normal(size=rows)
        parts.append(Part(np.column_stack([good, labels * 5]).astype(np.float32), labels))
    assert value("auc", parts[1].labels, parts[1].matrix[:, 0].astype(float)) > 0.975
    assert [leak.feature for leak in leaks(("good", "copy"), "binary", parts[0], parts[1], 0.975)] == ["copy"]


def test_an_identifier_is_no_leak_because_later_rows_have_others() -> None:
    labels = (np.random.default_rng(1).random(4000) < 0.3).astype(float)
    ids = np.arange(4000, dtype=np.float32)[:, None]
    assert leaks(("id",), "binary", Part(ids[:2000], labels[:2000]), Part(ids[2000:], labels[2000:]), 0.6) == ()
