"""Which arm is better, or why nobody can tell: exact expectations under the null, simulated looks, every verdict."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lifecycle.experiment import ArmOutcomes, Observed, Sign, Verdict, better_log_e, judge
from lifecycle.experiment_plan import ArmPlan, ExperimentPlan


def plan(*weights: float, **changes: Any) -> ExperimentPlan:
    arms = tuple(
        ArmPlan(name=f"arm{n}", weight=weight, model_version=str(n + 1), bundle=str(n + 1) * 64)
        for n, weight in enumerate(weights)
    )
    return ExperimentPlan(**{"name": "x", "goal": "higher", "arms": arms, **changes})


def seen(made: ExperimentPlan, *labels: Any, exposed: tuple[int, ...] | None = None, **more: int) -> Observed:
    counts = exposed or tuple(len(one) for one in labels)
    arms = zip(made.arms, counts, labels, strict=True)
    return Observed(tuple(ArmOutcomes(arm, n, np.asarray(one, dtype=float)) for arm, n, one in arms), **more)


def ones(hits: int, n: int) -> list[float]:
    return [1.0] * hits + [0.0] * (n - hits)


def codes(verdict: Verdict) -> tuple[str, list[str]]:
    return verdict.state, [str(reason.code) for reason in verdict.reasons]


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.9, 0.1)])
@pytest.mark.parametrize("outcomes", [(0.0, 1.0, 1.0, 0.0, 1.0), (0.3, 0.3, 0.9, 0.1, 0.5)])
def test_given_the_outcomes_the_mean_e_value_over_all_assignments_is_one(
    weights: tuple[float, float], outcomes: tuple[float, ...]
) -> None:
    """Equal arms: a unit's arm says nothing about its outcome. Every assignment, weighted by its chance."""
    made = plan(*weights)
    total = 0.0
    for chosen in itertools.product((0, 1), repeat=len(outcomes)):
        labels = [[y for y, arm in zip(outcomes, chosen, strict=True) if arm == n] for n in (0, 1)]
        one, other = seen(made, *labels).arms
        total += math.prod(weights[arm] for arm in chosen) * math.exp(better_log_e(made, one, other))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_an_arm_with_the_smaller_mean_never_gains_on_average() -> None:
    """One unit, every outcome and arm: the expected e-value is below one when the arm is worse, above when better."""
    made = plan(0.3, 0.7)

    def expected(chances: tuple[float, float]) -> float:
        total = 0.0
        for arm, outcome in itertools.product((0, 1), (0.0, 1.0)):
            chance = made.arms[arm].weight * (chances[arm] if outcome else 1 - chances[arm])
            labels = [[outcome] if arm == n else [] for n in (0, 1)]
            total += chance * math.exp(better_log_e(made, *seen(made, *labels).arms))
        return total

    assert expected((0.2, 0.5)) < 1 < expected((0.5, 0.2))
    assert expected((0.4, 0.4)) == pytest.approx(1.0, abs=1e-12)


@given(st.permutations(list(range(12))))
def test_the_order_in_which_labels_come_changes_nothing(order: list[int]) -> None:
    made, labels = plan(0.5, 0.5), np.linspace(0, 1, 12)
    shuffled = judge(made, seen(made, labels[np.asarray(order)], ones(3, 12)))
    straight = judge(made, seen(made, labels, ones(3, 12)))
    for one, other in zip(shuffled.comparisons, straight.comparisons, strict=True):
        assert one.log_e == pytest.approx(other.log_e, abs=1e-9)


def simulate(made: ExperimentPlan, chances: tuple[float, ...], units: int, seed: int) -> tuple[str, str | None]:
    random = np.random.default_rng(seed)
    arm = random.choice(len(made.arms), units, p=[one.weight for one in made.arms])
    outcome = (random.random(units) < np.asarray(chances)[arm]).astype(float)
    for so_far in np.linspace(units / 10, units, 10).astype(int):
        found = judge(made, seen(made, *(outcome[:so_far][arm[:so_far] == n] for n in range(len(made.arms)))))
        if found.state != "running":
            return found.state, found.winner
    return "running", None


def test_equal_arms_hardly_ever_have_a_winner_however_often_one_looks() -> None:
    found = Counter(simulate(plan(0.4, 0.3, 0.3), (0.3, 0.3, 0.3), 2000, seed) for seed in range(40))
    assert sum(n for (state, _), n in found.items() if state != "running") <= 2


@pytest.mark.parametrize(
    ("weights", "chances"),
    [((0.5, 0.5), (0.3, 0.42)), ((0.8, 0.2), (0.02, 0.08)), ((0.4, 0.3, 0.3), (0.9, 0.9, 0.97))],
)
def test_a_better_arm_wins_whatever_the_usual_outcome_is(
    weights: tuple[float, ...], chances: tuple[float, ...]
) -> None:
    found = Counter(simulate(plan(*weights), chances, 6000, seed) for seed in range(10))
    assert found["winner", f"arm{len(weights) - 1}"] >= 9


def test_a_winner_beats_every_other_arm_not_only_one() -> None:
    made = plan(0.4, 0.3, 0.3)
    two = judge(made, seen(made, ones(120, 400), ones(180, 300), ones(182, 300)))
    assert codes(two) == ("running", [Sign.NOT_YET])
    assert {(found.better, found.than) for found in two.comparisons if found.shown} == {
        ("arm1", "arm0"),
        ("arm2", "arm0"),
    }
    one = judge(made, seen(made, ones(120, 400), ones(90, 300), ones(182, 300)))
    assert (one.winner, codes(one)) == ("arm2", ("winner", [Sign.BETTER]))


def test_where_less_is_better_the_arm_with_less_wins() -> None:
    made = plan(0.5, 0.5, goal="lower", low=0.0, high=200.0)
    labels = np.full(400, 60.0), np.full(400, 20.0)
    assert judge(made, seen(made, *labels)).winner == "arm1"
    assert judge(made.model_copy(update={"goal": "higher"}), seen(made, *labels)).winner == "arm0"


def test_the_budget_is_split_over_the_pairs() -> None:
    made = plan(0.4, 0.3, 0.3)
    needed = {found.needed for found in judge(made, seen(made, [1], [0], [1])).comparisons}
    assert needed == {math.log(6 / 0.05)}


def test_units_that_are_not_split_as_configured_void_everything() -> None:
    """The arm that is far better does not win."""
    made = plan(0.5, 0.5)
    found = judge(made, seen(made, ones(100, 1000), ones(600, 700)))
    assert (codes(found), found.comparisons) == (("broken_split", [Sign.SPLIT_BROKEN]), ())
    assert "arm0 1,000, arm1 700" in str(found.reasons[0])
    assert codes(judge(made, seen(made, ones(500, 1000), ones(490, 980))))[0] == "running"


def test_a_unit_with_another_arm_than_its_own_is_no_experiment() -> None:
    made = plan(0.5, 0.5)
    found = judge(made, seen(made, ones(1, 10), ones(9, 10), misplaced=1))
    assert codes(found) == ("cannot_judge", [Sign.NOT_STICKY])


def test_labels_that_come_for_one_arm_more_than_for_another_cannot_be_compared() -> None:
    made = plan(0.5, 0.5)
    found = judge(made, seen(made, ones(100, 900), ones(400, 500), exposed=(1000, 1000)))
    assert codes(found) == ("cannot_judge", [Sign.LABELS_UNEVEN])


@pytest.mark.parametrize(("labels", "unread"), [([1.0, 2.0], 0), ([-0.1], 0), ([math.nan], 0), ([1.0], 1)])
def test_a_label_beyond_its_range_cannot_be_judged(labels: list[float], unread: int) -> None:
    made = plan(0.5, 0.5)
    found = judge(made, seen(made, labels, [0.0], unread=unread))
    assert codes(found) == ("cannot_judge", [Sign.OUTCOME_OUTSIDE])


def test_without_units_or_labels_it_runs_and_says_what_it_waits_for() -> None:
    made = plan(0.5, 0.5)
    assert codes(judge(made, seen(made, [], []))) == ("running", [Sign.NO_UNITS])
    assert codes(judge(made, seen(made, [], [], exposed=(40, 44)))) == ("running", [Sign.NO_LABELS])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"weights": (0.5, 0.4)}, "weights sum to 0.9"),
        ({"low": 1.0}, "no range"),
        ({"goal": "best"}, "'higher' or 'lower'"),
        ({"alpha": 0.5}, "less than or equal to 0.2"),
        ({"name": "../x"}, "match pattern"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(changes: dict[str, Any], found: str) -> None:
    weights = changes.pop("weights", (0.5, 0.5))
    with pytest.raises(ValidationError, match=found):
        plan(*weights, **changes)


def test_two_arms_of_one_model_or_one_name_are_refused() -> None:
    arm = ArmPlan(name="a", weight=0.5, model_version="1", bundle="1" * 64)
    for twin, found in (
        (arm.model_copy(update={"name": "b"}), "same model"),
        (arm.model_copy(update={"bundle": "2" * 64}), "names one twice"),
    ):
        with pytest.raises(ValidationError, match=found):
            plan(arms=(arm, twin))
