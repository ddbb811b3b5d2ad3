import math

import pytest
from pydantic import ValidationError

from lifecycle.evidence import (
    Arm,
    Evidence,
    StepEvidence,
    actions_log_e,
    budget,
    ceiling_log_e,
    contradictions,
    harm_log_e,
    split_log_e,
    unknown,
)


def step(number: int, weight: float, ours: Arm, theirs: Arm) -> StepEvidence:
    return StepEvidence(step=number, weight=weight, challenger=ours, champion=theirs)


def test_harm_accumulates_over_steps_with_different_weights() -> None:
    first = step(0, 0.05, Arm(errors=3), Arm(errors=7))
    second = step(1, 0.25, Arm(errors=10), Arm(errors=10))
    assert harm_log_e(Evidence(steps=(first,)), "errors", 1.0) == pytest.approx(2.268816, abs=5e-7)
    assert harm_log_e(Evidence(steps=(second, first)), "errors", 1.0) == pytest.approx(4.194256, abs=5e-7)


def test_guards_are_counted_apart_and_what_is_not_known_adds_nothing() -> None:
    found = Evidence(steps=(step(0, 0.05, Arm(errors=3), Arm(errors=7, slow=9)),))
    assert harm_log_e(found, "slow", 1.0) == 0
    assert harm_log_e(found, "invalid", 1.0) == 0


def test_full_weight_has_a_ceiling_and_no_comparison() -> None:
    full = Evidence(steps=(step(0, 1.0, Arm(requests=1000, errors=200), Arm(requests=0, errors=0)),))
    assert harm_log_e(full, "errors", 1.0) == 0
    assert ceiling_log_e(full, "errors", 0.05) > math.log(1000)
    assert ceiling_log_e(full, "errors", 0.25) < 0
    shared = Evidence(steps=(step(0, 0.5, Arm(requests=1000, errors=200), Arm(requests=1000, errors=200)),))
    assert ceiling_log_e(shared, "errors", 0.05) == 0


def test_the_split_is_judged_against_the_configured_weights() -> None:
    right = step(0, 0.05, Arm(requests=51), Arm(requests=949))
    broken = step(1, 0.05, Arm(requests=20), Arm(requests=80))
    assert split_log_e(Evidence(steps=(right,))) < 0
    assert split_log_e(Evidence(steps=(broken,))) == pytest.approx(7.738705, abs=5e-7)
    assert split_log_e(Evidence(steps=(step(0, 0.05, Arm(requests=20), Arm()),))) == 0


def test_at_full_weight_the_champion_may_get_a_few_strays_only() -> None:
    few = Evidence(steps=(step(0, 1.0, Arm(requests=10_000), Arm(requests=20)),))
    many = Evidence(steps=(step(0, 1.0, Arm(requests=5_000), Arm(requests=5_000)),))
    assert split_log_e(few) < 0
    assert split_log_e(many) > math.log(1000)


def test_actions_are_judged_in_both_directions() -> None:
    for ours in (20, 180):
        found = Evidence(steps=(step(0, 0.5, Arm(actions=ours), Arm(actions=100)),))
        assert actions_log_e(found) > math.log(100)
    assert actions_log_e(Evidence(steps=(step(0, 0.5, Arm(actions=101), Arm(actions=100)),))) < 0


def test_the_budget_is_split_evenly() -> None:
    assert budget(0.01, 8) == 0.00125


def test_what_is_unknown_or_cannot_be_is_named() -> None:
    assert unknown(Arm(requests=0, slow=1), ("requests", "errors", "slow", "scores")) == ["errors", "scores"]
    assert contradictions(Arm(requests=10, errors=12, slow=10, actions=11)) == [
        "errors 12 of 10 requests",
        "actions 11 of 10 requests",
    ]
    assert contradictions(Arm(errors=12)) == []


def test_scores_are_counted_only_when_they_are_known() -> None:
    assert (Arm().scored, Arm(scores=()).scored, Arm(scores=(1, 2)).scored) == (None, 0, 3)


def test_a_step_listed_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"\[3\] listed twice"):
        Evidence(steps=(StepEvidence(step=3, weight=0.1), StepEvidence(step=3, weight=0.1)))


@pytest.mark.parametrize("fields", [{"requests": -1}, {"errors": 0.5}, {"scored": 3}])
def test_a_count_that_is_none_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Arm(**fields)
