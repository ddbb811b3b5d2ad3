"""The training profile: counts that add up, of bounded size, read back as they were written."""

import json
from typing import Any

import numpy as np
import pytest

from lifecycle.columns import Column
from lifecycle.errors import BundleError
from lifecycle.evaluation import Scorecard
from lifecycle.features import FeatureSpec, fit
from lifecycle.profiles import Reference, read
from lifecycle.reference import OnHoldout, profile
from lifecycle.watched import watched

CARD = Scorecard(rows=100, base=0.2, metrics={"auc": 0.7}, calibration_error=0.01)
LABELS = (np.arange(100) % 5 == 0).astype(np.float64)


def written(inputs: tuple[Column, ...], columns: dict[str, Any], card: Scorecard = CARD) -> str:
    seen = watched(fit(FeatureSpec(inputs, numbers=(inputs[0].name,)), columns), columns)
    return profile(seen, OnHoldout(np.linspace(0, 1, 100), LABELS, card), {inputs[0].name: 1.0})


def made(inputs: tuple[Column, ...], columns: dict[str, Any]) -> Reference:
    return read(written(inputs, columns))


def test_every_row_is_counted_once_per_column() -> None:
    random = np.random.default_rng(1)
    amount = random.normal(size=5000)
    amount[:70] = np.nan
    kind = random.choice(["a", "b", None], 5000).astype(object)
    inputs = (Column("amount", "double"), Column("kind", "string"), Column("at", "datetime"))
    found = made(inputs, {"amount": amount, "kind": kind, "at": np.full(5000, "2013-01-01", "M8[us]")})
    number, category = found.numbers["amount"], found.categories["kind"]
    assert (number.rows, number.missing, category.rows) == (5000, 70, 5000)
    assert set(found.numbers) | set(found.categories) == {"amount", "kind"}
    assert found.scores.present == 100
    assert (found.rows, found.holdout.base, found.metrics) == (5000, 0.2, {"auc": 0.7})
    assert (found.uses("amount"), found.uses("kind")) == (1.0, 0.0)


def test_the_labels_are_summed_where_the_scores_are_counted() -> None:
    found = made((Column("one", "double"),), {"one": np.ones(9)})
    assert (sum(found.scores.counts), sum(found.holdout.labels)) == (100, LABELS.sum())
    assert found.holdout.labels == (1.0,) * 20


def test_many_columns_and_many_levels_stay_small() -> None:
    random = np.random.default_rng(2)
    inputs = (*(Column(f"n{at}", "double") for at in range(800)), Column("name", "string"))
    columns: dict[str, Any] = {f"n{at}": random.normal(size=500) for at in range(800)}
    columns["name"] = np.array([f"level-{at}" for at in range(500)], dtype=object)
    text = written(inputs, columns)
    assert len(text) < 1_500_000
    assert len(json.loads(text)["categories"]["name"]["levels"]) == 255
    assert json.loads(text)["categories"]["name"]["other"] == 245


def test_a_column_of_one_value_or_of_none_is_profiled_too() -> None:
    inputs = (Column("same", "double"), Column("none", "double"))
    found = made(inputs, {"same": np.ones(50), "none": np.full(50, np.nan)}).numbers
    assert found["same"].present == 50
    assert (found["none"].missing, found["none"].edges) == (50, ())


def test_what_could_not_be_computed_is_no_number_and_no_reason_to_fail() -> None:
    card = Scorecard(rows=100, base=float("nan"), metrics={"auc": float("nan")}, calibration_error=float("nan"))
    found = read(written((Column("one", "double"),), {"one": np.ones(9)}, card))
    assert (found.metrics, found.holdout.base, found.holdout.calibration_error) == ({"auc": None}, None, None)


@pytest.mark.parametrize(
    ("change", "place"),
    [({"format": 1}, "format"), ({"metrics": {"auc": "high"}}, "metrics.auc"), ({"holdout": None}, "holdout")],
)
def test_another_profile_is_refused_with_the_place(change: dict[str, object], place: str) -> None:
    text = written((Column("one", "double"),), {"one": np.ones(9)})
    with pytest.raises(BundleError, match=f"{place}: .*Train again"):
        read(json.dumps(json.loads(text) | change))
