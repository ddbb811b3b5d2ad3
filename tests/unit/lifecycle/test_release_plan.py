import math
import re
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lifecycle.errors import SpecError
from lifecycle.release_plan import Expected, ReleasePlan, detectable_ratio
from lifecycle.sequential import ArmEvents, rate_ratio_log_e
from lifecycle.spec import parse

# One step of 5 % over 20,000 requests, tested at 1 % against no margin: the setting of the published power table.
PUBLISHED = ReleasePlan(steps=(5, 100), alpha=0.08, margin=1.0, bake_time=timedelta(hours=1), min_requests=1)


def test_the_defaults_are_a_plan() -> None:
    plan = ReleasePlan()
    assert [plan.weight(step) for step in range(plan.last + 1)] == [0.05, 0.25, 0.5, 1.0]
    assert plan.threshold == pytest.approx(math.log(8 / 0.01))


@pytest.mark.parametrize(("seen", "allowed"), [(None, 0.25), (0.05, 0.25), (0.4, 0.8)])
def test_scores_may_lie_twice_as_far_apart_as_the_gate_saw_them_and_no_plan_gets_stricter(
    seen: float | None, allowed: float
) -> None:
    assert ReleasePlan().knowing(seen) == ReleasePlan(max_score_psi=allowed)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"steps": ()}, "steps"),
        ({"steps": (5, 50)}, "end at 100"),
        ({"steps": (50, 5, 100)}, "growing"),
        ({"steps": (0, 100)}, "growing"),
        ({"steps": (5, 100, 120)}, "end at 100"),
        ({"deadline": timedelta(minutes=10)}, "leaves nothing"),
        ({"bake_time": timedelta(seconds=-1)}, "bake_time"),
        ({"min_requests": 0}, "min_requests"),
        ({"alpha": 0.5}, "alpha"),
        ({"bake": 3}, "bake"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ReleasePlan(**fields)


@pytest.mark.parametrize(("power", "ratio"), [(0.32, 2.0), (0.90, 3.0)])
def test_the_detectable_ratio_is_near_the_published_power(power: float, ratio: float) -> None:
    found = detectable_ratio(PUBLISHED, Expected(20_000, 0.01), power=power)
    assert found is not None
    assert ratio <= found <= ratio * 1.15  # the table looks at every tick, the plan counts on the last one only


def test_what_is_promised_is_found_at_least_that_often() -> None:
    plan, expected = ReleasePlan(), Expected(30_000, 0.004)
    ratio = detectable_ratio(plan, expected)
    assert ratio is not None
    random, found, hours = np.random.default_rng(5), 0, plan.bake_time / timedelta(hours=1)
    for _ in range(300):
        steps = []
        for step in range(plan.last):
            requests = max(expected.requests_per_hour * hours, plan.min_requests / plan.weight(step))
            ours, theirs = requests * plan.weight(step), requests * (1 - plan.weight(step))
            bad = random.poisson([ours * expected.bad_share * ratio, theirs * expected.bad_share])
            steps.append(ArmEvents(plan.weight(step), int(bad[0]), int(bad[1])))
        found += rate_ratio_log_e(steps, plan.margin) >= plan.threshold
    assert found / 300 >= 0.88


def test_more_traffic_sees_less_harm() -> None:
    found = [detectable_ratio(ReleasePlan(), Expected(rate, 0.01)) for rate in (1e3, 1e4, 1e5, 1e6)]
    assert None not in found
    assert found == sorted(found, reverse=True, key=lambda ratio: ratio or 0)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (ReleasePlan(steps=(100,)), Expected(10_000, 0.01)),
        (ReleasePlan(min_requests=1), Expected(1, 0.2)),
        (ReleasePlan(), Expected(10_000, 0.0)),
        (ReleasePlan(), Expected(0, 0.01)),
        (ReleasePlan(), Expected(10_000, 0.95)),
    ],
)
def test_a_plan_that_can_notice_nothing_says_so(plan: ReleasePlan, expected: Expected) -> None:
    assert detectable_ratio(plan, expected) is None


PARCELS = """
name: parcels
task: {task}
grain: [id]
time: null
columns: [{{name: id, type: long, input: false}}, {{name: kg, type: double}}, {{name: late, type: long, input: false}}]
target: {{column: late}}
features: {{numbers: [kg]}}
evaluation: {{metric: {metric}, floors: {{}}}}
"""


@pytest.mark.parametrize(
    ("more", "task", "fault"),
    [
        ("release: {max_flipped: 0.1, act_above: 0.5}", "binary", "say `predictions: {shadow: {}}`"),
        ("release: {max_flipped: 0.1}\npredictions: {shadow: {}}", "binary", "needs `act_above`"),
        ("release: {max_flipped: 0.1, act_above: 0.5}\npredictions: {shadow: {}}", "binary", None),
        ("release: {max_flipped: 0.1}\npredictions: {shadow: {}}", "multiclass", None),
    ],
)
def test_a_limit_on_decisions_needs_somebody_who_makes_them_twice(more: str, task: str, fault: str | None) -> None:
    metric = {"binary": "auc", "multiclass": "accuracy"}[task]
    text = PARCELS.format(task=task, metric=metric) + more
    if fault is None:
        assert parse(text, source="product.yaml").release.max_flipped == 0.1
    else:
        with pytest.raises(SpecError, match=re.escape(fault)):
            parse(text, source="product.yaml")
