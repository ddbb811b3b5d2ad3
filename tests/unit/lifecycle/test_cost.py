"""Measured use, priced."""

from datetime import timedelta

import pytest

from lifecycle.cost import AMOUNTS, Usage, bill
from lifecycle.prices import PRICES, SOURCES

MONTH = timedelta(days=30)


def test_the_examples_of_the_price_pages() -> None:
    # 3 million requests of a second at half a gigabyte, before any free tier.
    found = bill([Usage(stage="predict", gb_seconds=1_500_000, requests=3_000_000)], MONTH, 3_000_000)
    assert found.total == pytest.approx(25.0 + 0.60, abs=0.01)
    assert found.per_thousand == pytest.approx(found.total / 3_000)
    task = bill([Usage(stage="train", vcpu_seconds=3_600, memory_gb_seconds=4 * 3_600)], MONTH, 0)
    assert task.total == pytest.approx(0.04048 + 4 * 0.004445)
    assert bill([Usage(stage="log", stored_gb=100)], MONTH / 2, 1).total == pytest.approx(1.15)
    assert bill([Usage(stage="log", logged_gb=2, delivered_gb=1)], MONTH, 1).total == pytest.approx(1.029)


def test_every_amount_has_a_price() -> None:
    for name in AMOUNTS:
        found = bill([Usage(stage="one", **{name: 1_000_000})], MONTH, 1)
        assert found.total > 0, name


def test_stages_add_up_and_what_computes_is_beside_an_instance_that_is_always_on() -> None:
    usage = [Usage(stage="predict", requests=1_000_000), Usage(stage="log", stored_gb=10)]
    found = bill(usage, MONTH, 1_000_000)
    assert found.total == pytest.approx(sum(found.stages.values())) == pytest.approx(0.43)
    assert found.compute == pytest.approx(0.20)
    assert found.always_on == pytest.approx(720 * 0.0416)


def test_what_nobody_measured_is_said_and_never_taken_for_nothing() -> None:
    usage = Usage(stage="predict", requests=None, stored_gb=0, gaps=("start-ups",))
    found = bill([usage], MONTH, None)
    assert found.unknown == ("predict: requests", "predict: start-ups", "predictions")
    assert (found.per_thousand, bill([usage], MONTH, 0).per_thousand) == (None, None)


def test_no_time_and_a_stage_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        bill([Usage(stage="a"), Usage(stage="a")], MONTH, 1)
    with pytest.raises(ValueError, match="expected some time"):
        bill([Usage(stage="a")], timedelta(0), 1)


def test_every_price_has_its_source() -> None:
    prices = {name for name, value in PRICES.model_dump().items() if isinstance(value, float)}
    assert prices == set(SOURCES)
