"""Realised performance: matured windows only, with an interval, against the holdout."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import bootstrap as scipys
from sklearn.metrics import roc_auc_score

from lifecycle.measurement import Gap, Limits, Measurement, Metric, Sample, judge
from lifecycle.monitoring import OutcomePolicy
from lifecycle.performance import Outcomes, bootstrap, calibration, late, performance, realise, unlabelled
from tests.unit.lifecycle.worlds import NOTHING, Changed, draw, reference

KNOWN = reference()
POLICY = OutcomePolicy(due=timedelta(days=7), resamples=200)
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
SOON, LATER = UNTIL + timedelta(days=1), UNTIL + timedelta(days=7)


def outcomes(changed: Changed = NOTHING, seed: int = 1, rows: int = 3_000, share: float = 1.0) -> Outcomes:
    found = draw(np.random.default_rng(seed), rows, changed)
    labelled = round(share * rows)
    return Outcomes(UNTIL - timedelta(days=7), UNTIL, rows, found.labels[:labelled], found.scores[:labelled])


def judged(seen: Outcomes, now: datetime = LATER, metric: str = "auc") -> Measurement:
    found = performance(realise(metric, KNOWN, seen, POLICY, now), KNOWN, POLICY)  # type: ignore[arg-type]
    return judge([found], 0.01)[0] if isinstance(found, Sample) else found


def test_the_value_is_scikit_learns_and_the_interval_that_of_plain_resampling() -> None:
    seen = outcomes(rows=800)
    found = bootstrap("auc", seen.labels, seen.scores, OutcomePolicy(resamples=1_000))
    assert found.value == pytest.approx(roc_auc_score(seen.labels, seen.scores))
    plain = scipys(
        (seen.labels, seen.scores),
        roc_auc_score,
        paired=True,
        vectorized=False,
        n_resamples=250,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    assert (found.lower, found.upper) == pytest.approx(tuple(plain.confidence_interval), abs=0.006)
    assert found.spread == pytest.approx(plain.standard_error, rel=0.15)


def test_the_same_seed_gives_the_same_interval() -> None:
    seen = outcomes(rows=300)
    assert bootstrap("auc", seen.labels, seen.scores, POLICY) == bootstrap("auc", seen.labels, seen.scores, POLICY)


def test_a_window_is_final_once_its_labels_are_due_and_there() -> None:
    assert realise("auc", KNOWN, outcomes(), POLICY, LATER).state == "final"
    assert realise("auc", KNOWN, outcomes(), POLICY, SOON).state == "provisional"
    assert realise("auc", KNOWN, outcomes(share=0.5), POLICY, LATER).state == "provisional"
    assert realise("auc", KNOWN, outcomes(rows=150), POLICY, LATER).state == "provisional"
    assert realise("auc", KNOWN, outcomes(), OutcomePolicy(resamples=200), LATER).state == "provisional"


def test_a_window_that_is_not_matured_is_not_judged() -> None:
    found = judged(outcomes(Changed(slope=-1.0)), SOON)
    assert (found.state, found.gap) == ("undecidable", Gap.NOT_MATURED)


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier"])
def test_a_changed_concept_is_found_and_an_unchanged_one_is_not(metric: str) -> None:
    assert judged(outcomes(Changed(slope=-0.5)), metric=metric).state == "breached"
    assert {judged(outcomes(seed=seed), metric=metric).state for seed in range(25)} == {"ok"}


def test_a_drop_within_chance_is_none_and_few_labels_cannot_clear() -> None:
    few = [judged(outcomes(seed=seed, rows=220)) for seed in range(12)]
    assert {one.state for one in few} <= {"ok", "undecidable"}
    for one in few:
        assert one.threshold is not None
        assert one.chance is not None
        assert one.threshold >= one.chance > 0.05


def test_one_class_cannot_be_judged() -> None:
    seen = outcomes()
    same = Outcomes(seen.since, seen.until, seen.predictions, np.ones_like(seen.labels), seen.scores)
    found = judged(same)
    assert (found.state, found.gap) == ("undecidable", Gap.NOT_COMPUTABLE)


def test_a_holdout_without_the_metric_cannot_be_compared_with() -> None:
    blank = KNOWN.model_copy(update={"metrics": {"auc": None}})
    found = performance(realise("auc", blank, outcomes(), POLICY, LATER), blank, POLICY)
    assert isinstance(found, Measurement)
    assert found.gap is Gap.NO_REFERENCE


def test_calibration_above_chance_is_found() -> None:
    limits = POLICY.calibration
    good = [calibration(outcomes(seed=seed), KNOWN, limits) for seed in range(25)]
    assert {one.state for one in judge([one for one in good if isinstance(one, Sample)], 0.01)} == {"ok"}
    bad = calibration(outcomes(Changed(slope=-0.5)), KNOWN, limits)
    assert isinstance(bad, Sample)
    assert judge([bad], 0.01)[0].state == "breached"


def test_the_chance_level_of_calibration_is_exceeded_once_in_a_hundred() -> None:
    exact = KNOWN.model_copy(update={"holdout": KNOWN.holdout.model_copy(update={"calibration_error": 0.0})})
    found = [calibration(outcomes(seed=seed, rows=1_000), exact, Limits(warn=0, breach=1)) for seed in range(600)]
    assert sum(one.statistic > one.chance for one in found if isinstance(one, Sample)) <= 15


def test_calibration_of_numbers_that_are_no_chances_is_not_computable() -> None:
    seen = outcomes()
    counts = Outcomes(seen.since, seen.until, seen.predictions, seen.labels * 9, seen.scores * 9)
    found = calibration(counts, KNOWN, POLICY.calibration)
    assert isinstance(found, Measurement)
    assert found.gap is Gap.NOT_COMPUTABLE


@pytest.mark.parametrize(("share", "expected"), [(1.0, "ok"), (0.85, "ok"), (0.6, "warned"), (0.0, "breached")])
def test_labels_that_stop_arriving_alert_on_their_own(share: float, expected: str) -> None:
    found = unlabelled(outcomes(share=share), POLICY.unlabelled)
    assert isinstance(found, Sample)
    assert judge([found], 0.01)[0].state == expected


def test_labels_that_came_late_are_measured_and_none_is_no_answer() -> None:
    delays = np.array([3_600.0] * 60 + [9 * 86_400.0] * 40)
    found = late(delays, timedelta(days=7), POLICY.unlabelled)
    assert isinstance(found, Sample)
    assert (found.metric, found.statistic) == (Metric.DELAY, 0.4)
    none = late(np.array([]), timedelta(days=7), POLICY.unlabelled)
    assert isinstance(none, Measurement)
    assert none.gap is Gap.NOT_MATURED


def test_without_labels_there_is_no_number() -> None:
    assert math.isnan(bootstrap("auc", np.array([]), np.array([]), POLICY).value)
