"""Two models on the same rows: distances, decisions and losses by hand, and sums that do not mind how they are cut."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.pairs import Disagreement, Pairs, Span, disagreement, loss_differences, pairs_of
from lifecycle.predictions import Prediction
from lifecycle.sequential import PairedBets

OWN, SHADOW = "a" * 64, "b" * 64
SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40)


def record(**changes: Any) -> Prediction:
    told = {
        "event": "prediction.answered",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "request_id": "r",
        "bundle": OWN,
        "function_version": "7",
        "status": 200,
        "rows": 2,
        "scores": (0.2, 0.9),
        "shadow": {"bundle": SHADOW, "scores": (0.3, 0.4)},
    }
    return Prediction.model_validate(told | changes)


def made(own: Any, shadow: Any) -> Pairs:
    return Pairs(tuple(f"r-{n}" for n in range(len(own))), np.asarray(own, float), np.asarray(shadow, float))


def found(one: Prediction) -> tuple[Any, ...] | None:
    pairs = pairs_of(one, own=OWN, shadow=SHADOW)
    return pairs and (pairs.ids, pairs.own.tolist(), pairs.shadow.tolist())


def test_a_record_gives_one_pair_per_row_under_its_prediction_id() -> None:
    assert found(record()) == (("r-0", "r-1"), [0.2, 0.9], [0.3, 0.4])
    assert found(record(first_row=10, part=2, parts=2)) == (("r-10", "r-11"), [0.2, 0.9], [0.3, 0.4])


def test_what_two_other_models_said_is_no_pair() -> None:
    assert found(record(bundle=SHADOW)) is None
    assert found(record(shadow={"bundle": OWN, "scores": (0.3, 0.4)})) is None
    assert found(record(shadow={"bundle": SHADOW, "scores": None, "skipped": "budget"})) is None
    assert found(record(shadow=None)) is None
    assert found(record(scores=None, status=400)) is None


def test_a_row_without_a_number_on_one_side_is_no_pair() -> None:
    assert found(record(shadow={"bundle": SHADOW, "scores": (None, 0.4)})) == (("r-1",), [0.9], [0.4])
    assert found(record(scores=((0.2, 0.8), (0.9, 0.1)))) is None


def test_distances_and_decisions_by_hand() -> None:
    one = disagreement(made([0.2, 0.9, 0.5], [0.3, 0.4, 0.5]), cut_off=0.5)
    assert (one.pairs, one.decided, one.flipped) == (3, 3, 1)
    assert one.mean_distance == pytest.approx(0.2)
    assert one.flipped_share == pytest.approx(1 / 3)


def test_without_a_cut_off_no_decision_is_known() -> None:
    one = disagreement(made([0.2], [0.3]))
    assert (one.decided, one.flipped_share) == (0, None)
    assert Disagreement().mean_distance is None


def test_of_classes_the_likeliest_is_the_decision_and_half_the_differences_the_distance() -> None:
    one = disagreement(made([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], [[0.2, 0.7, 0.1], [0.0, 0.2, 0.8]]))
    assert (one.decided, one.flipped) == (2, 1)
    assert one.distance == pytest.approx(0.5 + 0.1)


@given(SCORES, st.integers(0, 40))
def test_sums_do_not_mind_where_they_are_cut(scores: list[tuple[float, float]], cut: int) -> None:
    def of(part: list[tuple[float, float]]) -> Disagreement:
        return disagreement(made([a for a, _ in part], [b for _, b in part]), cut_off=0.5)

    whole, parts = of(scores), of(scores[:cut]).plus(of(scores[cut:]))
    assert parts.model_copy(update={"distance": whole.distance}) == whole
    assert parts.distance == pytest.approx(whole.distance)


def test_the_loss_is_the_brier_score_of_labelled_rows_only() -> None:
    pairs = made([0.2, 0.9, 0.5], [0.3, 0.4, 0.5])
    assert loss_differences(pairs, {"r-0": 0.0, "r-1": 1.0, "other": 1.0}).tolist() == pytest.approx(
        [0.04 - 0.09, 0.01 - 0.36]
    )
    assert loss_differences(pairs, {}).tolist() == []


def test_the_loss_of_classes_is_half_their_brier_score() -> None:
    pairs = made([[0.7, 0.2, 0.1]], [[0.0, 0.0, 1.0]])
    assert loss_differences(pairs, {"r-0": 0}).tolist() == pytest.approx([(0.09 + 0.04 + 0.01) / 2 - 1.0])


@given(SCORES, st.floats(-1e6, 1e6))
def test_no_difference_is_larger_than_the_span_allows(scores: list[tuple[float, float]], truth: float) -> None:
    span = Span(-3.0, 5.0)
    pairs = made([a * 1e5 - 5e4 for a, _ in scores], [b * 1e5 for _, b in scores])
    differences = loss_differences(pairs, dict.fromkeys(pairs.ids, truth), span)
    assert np.all(np.abs(differences) <= span.bound)
    PairedBets(bound=span.bound).after(differences)


def test_a_noisier_model_is_found_by_its_losses() -> None:
    random = np.random.default_rng(3)
    chance = random.uniform(0.05, 0.95, 3000)
    labels = (random.random(3000) < chance).astype(float)
    noisy = np.clip(chance + random.normal(0, 0.2, 3000), 0, 1)
    pairs = made(noisy, chance)
    losses = loss_differences(pairs, dict(zip(pairs.ids, labels.tolist(), strict=True)))
    assert PairedBets().after(losses).log_e > math.log(100)
    assert PairedBets().after(-losses).log_e < 0


def test_a_span_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no numbers"):
        Span(1.0, 1.0)
