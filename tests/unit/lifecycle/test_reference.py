"""The training profile: counts that add up, of bounded size."""

import json
from typing import Any

import numpy as np

from lifecycle.columns import Column
from lifecycle.evaluation import Scorecard
from lifecycle.reference import profile

CARD = Scorecard(rows=100, base=0.2, metrics={"auc": 0.7}, calibration_error=0.01)


def made(inputs: tuple[Column, ...], columns: dict[str, Any]) -> Any:
    return json.loads(profile(inputs, columns, np.linspace(0, 1, 100), CARD))


def test_every_row_is_counted_once_per_column() -> None:
    random = np.random.default_rng(1)
    amount = random.normal(size=5000)
    amount[:70] = np.nan
    kind = random.choice(["a", "b", None], 5000).astype(object)
    inputs = (Column("amount", "double"), Column("kind", "string"), Column("at", "datetime"))
    found = made(inputs, {"amount": amount, "kind": kind, "at": np.full(5000, "2013-01-01", "M8[us]")})
    number, category = found["numbers"]["amount"], found["categories"]["kind"]
    assert sum(number["counts"]) + number["missing"] == 5000
    assert number["missing"] == 70
    assert len(number["counts"]) == len(number["edges"]) + 1
    assert sum(category["levels"].values()) + category["other"] + category["missing"] == 5000
    assert set(found["numbers"]) | set(found["categories"]) == {"amount", "kind"}
    assert sum(found["scores"]["counts"]) == 100
    assert (found["rows"], found["holdout"]["base"], found["metrics"]) == (5000, 0.2, {"auc": 0.7})


def test_many_columns_and_many_levels_stay_small() -> None:
    random = np.random.default_rng(2)
    inputs = (*(Column(f"n{at}", "double") for at in range(800)), Column("name", "string"))
    columns: dict[str, Any] = {f"n{at}": random.normal(size=500) for at in range(800)}
    columns["name"] = np.array([f"level-{at}" for at in range(500)], dtype=object)
    text = profile(inputs, columns, np.linspace(0, 1, 100), CARD)
    assert len(text) < 1_500_000
    assert len(json.loads(text)["categories"]["name"]["levels"]) == 255
    assert json.loads(text)["categories"]["name"]["other"] == 245


def test_a_column_of_one_value_or_of_none_is_profiled_too() -> None:
    inputs = (Column("same", "double"), Column("none", "double"))
    found = made(inputs, {"same": np.ones(50), "none": np.full(50, np.nan)})["numbers"]
    assert sum(found["same"]["counts"]) == 50
    assert (found["none"]["missing"], found["none"]["edges"]) == (50, [])
