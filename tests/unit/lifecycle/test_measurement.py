"""When something measured counts."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from lifecycle.measurement import Gap, Limits, Metric, Sample, State, blind, judge

LIMITS = Limits(warn=0.1, breach=0.25)
SAMPLE = Sample(Metric.PSI, "amount", 1_000, 0.05, LIMITS, chance=0.02, p=0.5, power=0.99, importance=0.4)


def state(**changes: object) -> State:
    return judge([replace(SAMPLE, **changes)], 0.01)[0].state  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ok"),
        ({"statistic": 0.2, "p": 0.001}, "warned"),
        ({"statistic": 0.3, "p": 0.001}, "breached"),
        ({"statistic": 0.3, "p": 0.2}, "ok"),  # large, and no surprise
        ({"statistic": 0.3, "p": 0.001, "chance": 0.4}, "ok"),  # within chance
        ({"statistic": 0.3, "p": 0.001, "chance": 0.28}, "breached"),
        ({"statistic": 0.3, "p": 0.001, "usual": 0.1}, "warned"),
        ({"statistic": 0.3, "p": 0.001, "importance": 0.0}, "noted"),
        ({"statistic": 0.3, "p": 0.001, "importance": None}, "breached"),
        ({"power": 0.3}, "undecidable"),
        ({"statistic": 0.3, "p": 0.001, "power": 0.3}, "breached"),  # found all the same
        ({"statistic": float("nan")}, "undecidable"),
        ({"usual": float("nan")}, "undecidable"),
        ({"chance": float("inf")}, "undecidable"),
    ],
)
def test_a_sample_is_judged(changes: dict[str, object], expected: State) -> None:
    assert state(**changes) == expected


def test_one_surprise_among_many_is_none() -> None:
    surprise = replace(SAMPLE, statistic=0.3, p=0.005)
    assert judge([surprise], 0.01)[0].state == "breached"
    many = judge([surprise, *[SAMPLE] * 30], 0.01)
    assert (many[0].state, many[0].adjusted_p) == ("ok", pytest.approx(0.155))


def test_columns_that_the_model_does_not_use_do_not_count_among_the_many() -> None:
    surprise, unused = replace(SAMPLE, statistic=0.3, p=0.005), replace(SAMPLE, importance=0.0)
    found = judge([surprise, *[unused] * 30], 0.01)
    assert (found[0].state, found[0].adjusted_p, found[1].adjusted_p) == ("breached", 0.005, None)


def test_under_chance_alone_one_window_in_a_hundred_alerts() -> None:
    random = np.random.default_rng(9)
    alarms = sum(
        any(one.alerts for one in judge([replace(SAMPLE, statistic=1.0, p=float(p)) for p in random.random(20)], 0.01))
        for _ in range(2_000)
    )
    assert 8 <= alarms <= 34


def test_what_cannot_be_measured_says_why() -> None:
    assert str(blind(Metric.PSI, "amount", 0, Gap.NO_TRAFFIC)) == "psi amount cannot be judged: NO_TRAFFIC (n = 0)."


def test_limits_are_in_order() -> None:
    with pytest.raises(ValidationError, match=r"warn: 0\.3 lies above breach: 0\.2"):
        Limits(warn=0.3, breach=0.2)
