"""Performance expected of scores alone, against the published chunks, scikit-learn, and what labels then said."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from lifecycle.estimate import Past, estimate, expected, isotonic, sample
from lifecycle.measurement import Gap, Limits, Measurement, Sample, judge
from lifecycle.metrics import value
from tests.unit.lifecycle.worlds import Changed, draw, reference, window

LIMITS = Limits(warn=0.03, breach=0.05)
KNOWN = reference()


def loans(rows: int, seed: int, shift: float) -> Any:
    """Draw the loans that the published estimates were made of."""
    random = np.random.default_rng(seed)
    amount, income = random.lognormal(9 + shift, 0.5, rows), random.lognormal(10.5, 0.6, rows)
    random.choice(["car", "home", "edu"], rows, p=[0.5, 0.3, 0.2] if shift == 0 else [0.2, 0.3, 0.5])
    scores = 1 / (1 + np.exp(income / 40_000 - amount / 9_000))
    return pd.DataFrame({"score": scores, "label": (random.random(rows) < scores).astype(float)})


def test_the_estimates_of_five_chunks_are_the_published_ones() -> None:
    known, later = loans(20_000, 0, 0.0), loans(10_000, 1, 0.3)
    calibrated = isotonic(known.score.to_numpy(), known.label.to_numpy())
    scores = later.score.to_numpy()
    found = [round(expected("auc", calibrated(part), part), 4) for part in np.array_split(scores, 5)]
    assert found == [0.7239, 0.7273, 0.7269, 0.7238, 0.7247]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=1, max_size=60))
def test_the_monotone_map_is_scikit_learns(rows: list[tuple[int, int]]) -> None:
    scores, labels = (np.array(column, dtype=float) / 12 for column in zip(*rows, strict=True))
    asked = np.linspace(-0.1, 1.1, 30)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, labels).predict(asked)
    assert isotonic(scores, labels)(asked) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier", "accuracy"])
def test_what_is_expected_of_true_chances_is_what_labels_say(metric: Any) -> None:
    random = np.random.default_rng(3)
    likely = random.beta(2, 4, 200_000)
    scores = np.clip(likely + random.normal(0, 0.1, len(likely)), 0.01, 0.99)
    labels = (random.random(len(likely)) < likely).astype(float)
    realised = ((scores >= 0.5) == labels).mean() if metric == "accuracy" else value(metric, labels, scores)
    assert expected(metric, likely, scores) == pytest.approx(realised, abs=0.004)


def test_weights_stand_for_rows() -> None:
    likely, scores, weights = np.array([0.1, 0.4, 0.8]), np.array([0.2, 0.3, 0.7]), np.array([3.0, 1.0, 2.0])
    repeated = [np.repeat(values, weights.astype(int)) for values in (likely, scores)]
    for metric in ("auc", "log_loss", "brier", "accuracy"):
        assert expected(metric, likely, scores, weights) == pytest.approx(expected(metric, *repeated))


def test_what_cannot_be_expected_is_no_number() -> None:
    none: NDArray[np.float64] = np.array([])
    assert math.isnan(expected("auc", none, none))
    assert math.isnan(expected("auc", np.ones(3), np.array([0.1, 0.2, 0.3])))
    assert math.isnan(expected("rmse", np.ones(3), np.ones(3)))


def measured(changed: Changed, past: tuple[Past, ...] = (), seed: int = 1, rows: int = 5_000) -> Measurement:
    seen = window(KNOWN, draw(np.random.default_rng(seed), rows, changed))
    found = sample(estimate("auc", KNOWN, seen, past, 17), rows, LIMITS, calibrated=True)
    assert isinstance(found, Sample)
    return judge([found], 0.01)[0]


def test_the_estimate_follows_the_labels_when_inputs_shift() -> None:
    rows = draw(np.random.default_rng(6), 20_000, Changed(income=-0.5))
    found = estimate("auc", KNOWN, window(KNOWN, rows), (), 17)
    assert found.holdout == pytest.approx(KNOWN.metrics["auc"], abs=0.005)
    assert found.value == pytest.approx(value("auc", rows.labels, rows.scores), abs=0.01)
    assert found.holdout - found.value > 0.02


def test_inputs_on_which_the_model_is_weaker_are_found_and_no_shift_is_not() -> None:
    assert measured(Changed(income=-2.0)).state == "breached"
    assert {measured(Changed(), seed=seed).state for seed in range(20)} == {"ok"}


def test_an_estimate_that_was_off_before_is_believed_less() -> None:
    wrong = (Past(0.72, 0.62), Past(0.71, 0.80))
    found = measured(Changed(income=-2.0), wrong)
    assert found.state in ("ok", "undecidable")
    assert found.threshold is not None
    assert found.threshold > 0.2
    right = estimate("auc", KNOWN, window(KNOWN, draw(np.random.default_rng(1), 900)), (Past(0.70, 0.71),), 17)
    assert (right.past_error, right.windows) == (pytest.approx(0.01), 1)


def test_a_model_that_is_not_calibrated_has_no_estimate_and_neither_has_no_traffic() -> None:
    seen = window(KNOWN, draw(np.random.default_rng(1), 500))
    found = estimate("auc", KNOWN, seen, (), 17)
    blind = sample(found, 500, LIMITS, calibrated=False)
    assert isinstance(blind, Measurement)
    assert (blind.state, blind.gap) == ("undecidable", Gap.NOT_CALIBRATED)
    nothing = sample(found, 0, LIMITS, calibrated=True)
    assert isinstance(nothing, Measurement)
    assert nothing.gap is Gap.NO_TRAFFIC


def test_concept_drift_is_what_an_estimate_cannot_see() -> None:
    assert measured(Changed(slope=-1.0)).state == "ok"
