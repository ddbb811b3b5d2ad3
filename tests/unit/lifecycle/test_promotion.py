"""The one place that says yes: truth tables, and properties that must hold for any scores."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lifecycle.bootstrap import Paired
from lifecycle.evaluation import EvaluationPolicy, Holdout, Scorecard, SliceScore, score
from lifecycle.grounds import Ground
from lifecycle.leakage import Leak
from lifecycle.promotion import Contest, Decision, PromotionPolicy, decide

EVALUATION = EvaluationPolicy(metric="auc", floors={"auc": 0.55})
POLICY = PromotionPolicy(resamples=300)
ROWS = 1500


def drawn(strength: float, seed: int, labels: Any) -> Any:
    """Scores (n,) that follow the labels with some strength."""
    return strength * labels + np.random.default_rng(seed).normal(size=len(labels))


def outcomes(seed: int, rows: int = ROWS) -> Any:
    return (np.random.default_rng(seed).random(rows) < 0.3).astype(float)


def meet(labels: Any, champion: Any, challenger: Any, *, policy: PromotionPolicy = POLICY, **kw: Any) -> Decision:
    evaluation = kw.pop("evaluation", EVALUATION)
    kind = "binary" if evaluation.metric in ("auc", "log_loss", "brier") else "regression"
    cards = [score(evaluation, Holdout(kind, labels, {}), each) for each in (champion, challenger)]
    return decide(evaluation, policy, Contest(cards[1], cards[0], Paired(labels, champion, challenger), **kw))


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def test_a_clearly_better_challenger_is_promoted_with_its_interval() -> None:
    labels = outcomes(1)
    found = meet(labels, drawn(0.5, 2, labels), drawn(1.5, 3, labels))
    assert (found.verdict, codes(found)) == ("promote", [Ground.BETTER])
    assert found.interval is not None
    assert 0 < found.interval.lower < found.interval.estimate < found.interval.upper


def test_a_better_looking_challenger_whose_interval_reaches_zero_is_refused() -> None:
    labels = outcomes(1, 300)
    champion = drawn(1.0, 2, labels)
    found = meet(labels, champion, champion + 0.1 * labels + np.random.default_rng(3).normal(0, 0.4, 300))
    assert (found.verdict, codes(found)) == ("refuse", [Ground.NOT_SIGNIFICANT])
    assert found.interval is not None
    assert found.interval.lower < 0 < POLICY.effect("auc") < found.interval.estimate


def test_surely_better_by_less_than_the_minimum_effect_is_refused() -> None:
    labels = outcomes(1, 20_000)
    champion = drawn(1.0, 2, labels)
    found = meet(labels, champion, champion + 0.01 * labels)
    assert (found.verdict, codes(found)) == ("refuse", [Ground.TOO_SMALL])


def test_identical_scores_are_no_change() -> None:
    labels = outcomes(1)
    scores = drawn(1.0, 2, labels)
    assert meet(labels, scores, scores.copy()).verdict == "no_change"
    assert meet(labels, scores, drawn(9.0, 2, labels), identical=True).verdict == "no_change"


def test_the_first_model_needs_its_floors_only_and_is_named_so() -> None:
    labels = outcomes(1)
    good, bad = (score(EVALUATION, Holdout("binary", labels, {}), drawn(s, 2, labels)) for s in (1.0, 0.0))
    first = decide(EVALUATION, POLICY, Contest(good))
    assert (first.verdict, codes(first)) == ("promote", [Ground.NO_CHAMPION])
    below = decide(EVALUATION, POLICY, Contest(bad))
    assert (below.verdict, codes(below)) == ("refuse", [Ground.FLOOR])


def test_a_leak_is_refused_however_good_the_model_looks() -> None:
    labels = outcomes(1)
    found = meet(labels, drawn(0.5, 2, labels), drawn(9.0, 3, labels), leaks=(Leak("dep_delay", 0.99),))
    assert (found.verdict, codes(found), found.reasons[0].column) == ("refuse", [Ground.LEAK], "dep_delay")


def test_every_reason_is_told_not_only_the_first() -> None:
    labels = outcomes(1)
    found = meet(labels, drawn(1.0, 2, labels), drawn(0.0, 3, labels), leaks=(Leak("id", 0.99),))
    assert codes(found) == [Ground.LEAK, Ground.FLOOR, Ground.NOT_SIGNIFICANT]


@pytest.mark.parametrize(("loss", "verdict"), [(0.019, "promote"), (0.021, "refuse")])
def test_a_slice_may_lose_its_margin_and_no_more(loss: float, verdict: str) -> None:
    labels = outcomes(1)
    scores = drawn(0.5, 2, labels), drawn(1.5, 3, labels)
    cards = [score(EVALUATION, Holdout("binary", labels, {}), each) for each in scores]
    before = replace(cards[0], slices=(SliceScore("origin", "JFK", 900, 0.7),))
    after = replace(cards[1], slices=(SliceScore("origin", "JFK", 900, 0.7 - loss),))
    found = decide(EVALUATION, POLICY, Contest(after, before, Paired(labels, *scores)))
    assert found.verdict == verdict


@pytest.mark.parametrize(("lost", "verdict"), [(0.0, "promote"), (0.3, "refuse")])
def test_non_inferior_lets_an_equal_one_pass_and_a_worse_one_not(lost: float, verdict: str) -> None:
    labels = outcomes(1, 20_000)
    champion = drawn(1.0, 2, labels)
    challenger = champion - lost * labels + 1e-3 * np.random.default_rng(4).normal(size=len(labels))
    policy = PromotionPolicy(rule="non_inferior", resamples=200)
    assert meet(labels, champion, challenger, policy=policy).verdict == verdict


def test_a_loss_counts_by_its_share_of_the_champions_loss() -> None:
    random = np.random.default_rng(1)
    labels = random.normal(500, 100, 4000)
    champion, challenger = labels + random.normal(0, 50, 4000), labels + random.normal(0, 45, 4000)
    evaluation = EvaluationPolicy(metric="rmse", floors={"rmse": 60})
    found = meet(labels, champion, challenger, evaluation=evaluation)
    assert found.verdict == "promote"
    assert found.interval is not None
    assert found.interval.estimate == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("broken", ["challenger", "champion"])
def test_one_score_that_is_not_a_number_leaves_it_undecidable(broken: str) -> None:
    labels = outcomes(1)
    scores = {"champion": drawn(0.5, 2, labels), "challenger": drawn(1.5, 3, labels)}
    scores[broken][7] = np.nan
    found = meet(labels, scores["champion"], scores["challenger"])
    assert found.verdict == "undecidable"
    assert set(codes(found)) == {Ground.NOT_COMPUTABLE}


def test_one_class_in_the_holdout_is_undecidable_and_never_a_number() -> None:
    labels = np.ones(ROWS)
    found = meet(labels, drawn(0.5, 2, labels), drawn(1.5, 3, labels))
    assert found.verdict == "undecidable"


def test_so_few_positives_that_some_resample_has_none_is_undecidable() -> None:
    labels = np.zeros(ROWS)
    labels[:2] = 1
    assert codes(meet(labels, drawn(0.5, 2, labels), drawn(9.0, 3, labels))) == [Ground.NO_INTERVAL]


def test_a_champion_without_its_scores_is_undecidable() -> None:
    labels = outcomes(1)
    card = score(EVALUATION, Holdout("binary", labels, {}), drawn(1.0, 2, labels))
    assert codes(decide(EVALUATION, POLICY, Contest(card, champion=card))) == [Ground.NOT_PAIRED]


def test_a_floor_without_its_metric_is_undecidable() -> None:
    card = Scorecard(rows=10, base=0.5, metrics={}, calibration_error=0.0)
    assert decide(EVALUATION, POLICY, Contest(card)).verdict == "undecidable"


STRENGTHS = st.floats(-0.5, 2.0)
SEEDS = st.integers(0, 10_000)
QUICK = PromotionPolicy(resamples=200)


@given(STRENGTHS, STRENGTHS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_two_models_never_both_replace_each_other(first: float, second: float, seed: int) -> None:
    labels = outcomes(seed, 400)
    one, other = drawn(first, seed + 1, labels), drawn(second, seed + 2, labels)
    verdicts = [meet(labels, *pair, policy=QUICK).verdict for pair in ((one, other), (other, one))]
    assert verdicts.count("promote") <= 1


@given(STRENGTHS, SEEDS, st.sampled_from([1.0, 3.0, 0.25]))
@settings(max_examples=30, deadline=None)
def test_a_model_never_replaces_itself(strength: float, seed: int, scale: float) -> None:
    labels = outcomes(seed, 400)
    scores = drawn(strength, seed, labels)
    assert meet(labels, scores, scores * scale, policy=QUICK).verdict != "promote"


@given(STRENGTHS, STRENGTHS, SEEDS, st.floats(0, 2))
@settings(max_examples=30, deadline=None)
def test_a_promoted_challenger_stays_promoted_when_it_gets_better(
    first: float, second: float, seed: int, lift: float
) -> None:
    labels = outcomes(seed, 400)
    champion, challenger = drawn(first, seed + 1, labels), drawn(second, seed + 2, labels)
    assume(meet(labels, champion, challenger, policy=QUICK).verdict == "promote")
    assert meet(labels, champion, challenger + lift * labels, policy=QUICK).verdict == "promote"


def test_scores_of_shuffled_labels_never_replace_a_working_champion() -> None:
    promoted = 0
    for seed in range(50):
        labels = outcomes(seed, 800)
        shuffled = np.random.default_rng(seed + 7).permutation(labels)
        found = meet(labels, drawn(1.0, seed + 1, labels), drawn(3.0, seed + 2, shuffled), policy=QUICK)
        promoted += found.verdict == "promote"
    assert promoted == 0


def test_two_equally_good_models_rarely_replace_each_other() -> None:
    """One tail of a 95 % interval: 2.5 % expected, at most 8 of 100 allowed."""
    promoted = 0
    for seed in range(100):
        labels = outcomes(seed, 800)
        found = meet(labels, drawn(1.0, seed + 1, labels), drawn(1.0, seed + 2, labels), policy=QUICK)
        promoted += found.verdict == "promote"
    assert promoted <= 8
