"""Measured use, priced."""

from datetime import timedelta

import pytest

from lifecycle.cost import Usage, bill

MONTH = timedelta(days=30)


def full(stage: str, **used: float) -> Usage:
    nothing = dict.fromkeys(("gb_seconds", "requests", "vcpu_seconds", "memory_gb_seconds", "stored_gb"), 0.0)
    return Usage(stage=stage, **{**nothing, **used})


def test_the_examples_of_the_price_pages() -> None:
    # 3 million requests of a second at half a gigabyte, before any free tier.
    found = bill([full("predict", gb_seconds=1_500_000, requests=3_000_000)], MONTH, 3_000_000)
    assert found.total == pytest.approx(25.0 + 0.60, abs=0.01)
    assert found.per_thousand == pytest.approx(found.total / 3_000)
    task = bill([full("train", vcpu_seconds=3_600, memory_gb_seconds=4 * 3_600)], MONTH, 0)
    assert task.total == pytest.approx(0.04048 + 4 * 0.004445)
    assert bill([full("log", stored_gb=100)], MONTH / 2, 1).total == pytest.approx(1.15)


def test_stages_add_up_beside_an_instance_that_is_always_on() -> None:
    found = bill([full("predict", requests=1_000_000), full("log", stored_gb=10)], MONTH, 1_000_000)
    assert found.total == pytest.approx(sum(found.stages.values())) == pytest.approx(0.43)
    assert found.always_on == pytest.approx(720 * 0.0416)


def test_what_nobody_measured_is_said_and_no_prediction_has_no_price() -> None:
    found = bill([Usage(stage="predict", requests=10, gb_seconds=1, vcpu_seconds=0, memory_gb_seconds=0)], MONTH, 0)
    assert (found.unknown, found.per_thousand) == (("predict.stored_gb",), None)


def test_no_time_and_a_stage_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        bill([full("a"), full("a")], MONTH, 1)
    with pytest.raises(ValueError, match="expected some time"):
        bill([full("a")], timedelta(0), 1)
