"""Declared features: dates, text, missingness, ratios; many levels as mean labels; the same when it serves."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle.columns import Column
from lifecycle.encoding import FeatureError
from lifecycle.features import FeatureSpec, FittedFeatures, fit, training_matrix
from lifecycle.level_means import Outcomes, outcomes
from lifecycle.transforms import DATE_PARTS, Transform, apply

MOMENTS = ["2024-02-29T23:59:59", "1969-07-20T20:17:40", "2000-01-01T00:00:00", "1900-03-01T12:00:00", "NaT"]
DATES = np.array(MOMENTS, dtype="datetime64[us]")


@pytest.mark.parametrize("part", sorted(set(DATE_PARTS) - {"days", "age"}))
def test_parts_of_dates_are_those_of_pandas(part: str) -> None:
    frame = pd.Series(DATES).dt
    expected = getattr(frame, {"yearday": "day_of_year", "weekday": "day_of_week"}.get(part, part)).to_numpy(
        dtype=float
    )
    np.testing.assert_array_equal(apply(Transform("x", "date", ("at",), part), {"at": DATES}), expected)


def test_days_count_from_1970_and_ages_to_the_event() -> None:
    days = apply(Transform("x", "date", ("at",), "days"), {"at": DATES})
    np.testing.assert_allclose(days[[1, 2, 4]], [-164.1544, 10957.0, np.nan], atol=1e-4)
    event = np.full(5, np.datetime64("2024-03-01T00:00:00", "us"))
    ages = apply(Transform("x", "date", ("at", "event"), "age"), {"at": DATES, "event": event})
    np.testing.assert_allclose(ages[[0, 4]], [1 / 86400 + 1e-12, np.nan], atol=1e-4)


def test_texts_have_a_length_and_words_and_missing_ones_have_neither() -> None:
    texts = np.array(["ein wörtlein  mehr", "", None], dtype=object)
    np.testing.assert_array_equal(apply(Transform("x", "length", ("t",)), {"t": texts}), [18, 0, np.nan])
    np.testing.assert_array_equal(apply(Transform("x", "words", ("t",)), {"t": texts}), [3, 0, np.nan])


@pytest.mark.parametrize(
    "values", [np.array([1.0, np.nan]), np.array(["a", None], dtype=object), np.array(["2024-01-01", "NaT"], "M8[us]")]
)
def test_missing_is_one_where_nothing_is(values: Any) -> None:
    np.testing.assert_array_equal(apply(Transform("x", "missing", ("v",)), {"v": values}), [0, 1])


def test_a_ratio_by_zero_is_missing_and_never_infinite() -> None:
    columns = {"a": np.array([1.0, 0.0, 5.0, 1e308]), "b": np.array([2.0, 0.0, 0.0, 1e-308])}
    np.testing.assert_array_equal(apply(Transform("x", "ratio", ("a", "b")), columns), [0.5, np.nan, np.nan, np.nan])


INPUTS = (
    Column("at", "datetime"),
    Column("joined", "datetime", required=False),
    Column("note", "string"),
    Column("shop", "string"),
    Column("plan", "string"),
    Column("a", "double"),
    Column("b", "long"),
)
SPEC = FeatureSpec(
    INPUTS,
    numbers=("a",),
    categories={"plan": 10},
    transforms=(
        Transform("at.weekday", "date", ("at",), "weekday"),
        Transform("joined.age", "date", ("joined", "at"), "age"),
        Transform("note.length", "length", ("note",)),
        Transform("a.missing", "missing", ("a",)),
        Transform("a per b", "ratio", ("a", "b")),
    ),
    encoded={"shop": 5000},
)


def table(rows: int = 400, seed: int = 0) -> tuple[dict[str, Any], Any]:
    random = np.random.default_rng(seed)
    shop = random.integers(0, 60, rows)
    days = random.integers(0, 900, rows).astype("timedelta64[D]")
    columns = {
        "at": np.datetime64("2024-01-01", "us") + days,
        "joined": np.where(random.random(rows) < 0.2, np.datetime64("NaT"), np.datetime64("2020-05-05", "us")),
        "note": np.array(["wort " * int(n) if n else None for n in random.integers(0, 5, rows)], dtype=object),
        "shop": np.array([f"läden {n}" for n in shop], dtype=object),
        "plan": np.array(random.choice(["a", "b", None], rows), dtype=object),
        "a": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows)),
        "b": random.integers(0, 3, rows),
    }
    return columns, (random.random(rows) < shop / 60).astype(float)


def test_the_matrix_is_numbers_then_declared_then_means_then_codes() -> None:
    columns, labels = table()
    fitted = fit(SPEC, columns, outcomes(labels, ()))
    declared = ("at.weekday", "joined.age", "note.length", "a.missing", "a per b")
    assert fitted.feature_names == ("a", *declared, "shop.mean", "plan")
    assert fitted.feature_types == ("q",) * 7 + ("c",)
    assert fitted.transform(columns).shape == (400, 8)


def test_serving_computes_what_evaluation_computed_row_by_row_and_bit_by_bit() -> None:
    """The fitted state travels as text; each row comes alone; optional columns stay away."""
    columns, labels = table()
    fitted = fit(SPEC, columns, outcomes(labels, ()))
    serving = FittedFeatures.from_json(fitted.to_json())
    assert serving == fitted
    later, _ = table(40, seed=9)
    later["shop"][0], later["shop"][1] = "nie gesehen", None
    whole = fitted.transform(later)
    alone = [serving.transform({name: values[row : row + 1] for name, values in later.items()}) for row in range(40)]
    assert np.concatenate(alone).tobytes() == whole.tobytes()
    without = {name: values for name, values in later.items() if name != "joined"}
    assert np.isnan(serving.transform(without)[:, 2]).all()


def test_an_unseen_level_gets_the_mean_of_all_and_a_missing_one_nothing() -> None:
    columns, labels = table()
    fitted = fit(SPEC, columns, outcomes(labels, ()))
    strange = {name: values[:2] for name, values in columns.items()}
    strange["shop"] = np.array(["nie gesehen", None], dtype=object)
    found = fitted.transform_counted(strange)
    np.testing.assert_allclose(found.matrix[:, 6], [labels.mean(), np.nan], rtol=1e-6)
    assert found.unseen == {"shop": 1}


def test_a_level_seen_often_keeps_its_own_mean_and_a_rare_one_leans_to_the_mean_of_all() -> None:
    shop = np.array(["often"] * 400 + ["once"] + ["rest"] * 400, dtype=object)
    labels = np.array([1.0] * 400 + [1.0] + [0.0] * 400)
    spec = FeatureSpec((Column("shop", "string"),), encoded={"shop": 10})
    matrix = fit(spec, {"shop": shop}, outcomes(labels, ())).transform({"shop": shop})
    assert matrix[0, 0] > 0.97
    assert matrix[400, 0] == pytest.approx(0.52, abs=0.01)


def test_no_training_row_reads_its_own_label_off_its_level() -> None:
    """With levels of one row each there is nothing to learn, and a mean that kept the label would say everything."""
    rows = 1000
    shop = np.array([f"s{n % (rows // 2)}" for n in range(rows)], dtype=object)
    labels = (np.random.default_rng(4).random(rows) < 0.5).astype(float)
    spec = FeatureSpec((Column("shop", "string"),), encoded={"shop": 5000})
    columns, seen = {"shop": shop}, outcomes(labels, ())
    fitted = fit(spec, columns, seen)
    told = np.corrcoef(fitted.transform(columns)[:, 0], labels)[0, 1]
    fair = np.corrcoef(training_matrix(fitted, columns, seen)[:, 0], labels)[0, 1]
    assert told > 0.5
    assert abs(fair) < 0.1


def test_many_classes_have_a_mean_each_of_the_most_frequent_eight() -> None:
    codes = np.repeat(np.arange(10.0), np.arange(10, 110, 10))
    seen = outcomes(codes, tuple("abcdefghij"))
    assert seen.names == tuple("cdefghij")
    spec = FeatureSpec((Column("shop", "string"),), encoded={"shop": 10})
    shop = np.array([f"s{int(code) % 2}" for code in codes], dtype=object)
    fitted = fit(spec, {"shop": shop}, seen)
    assert fitted.feature_names[:2] == ("shop.mean of c", "shop.mean of d")
    assert fitted.transform({"shop": shop}).shape == (len(codes), 8)


def test_rows_without_a_label_teach_no_mean() -> None:
    shop = np.array(["a", "a", "b", "b"], dtype=object)
    spec = FeatureSpec((Column("shop", "string"),), encoded={"shop": 10})
    some = fit(spec, {"shop": shop}, outcomes(np.array([1.0, np.nan, 0.0, np.nan]), ()))
    assert some.means["shop"].means[0][0] == pytest.approx((1 + 20 * 0.5) / 21)


def test_the_same_rows_make_the_same_text() -> None:
    columns, labels = table()
    first, again = (fit(SPEC, columns, outcomes(labels, ())).to_json() for _ in range(2))
    assert first == again
    assert json.loads(first)["encoded"][0]["outputs"] == [""]


def test_means_of_nothing_are_refused() -> None:
    columns, _ = table()
    with pytest.raises(FeatureError, match="'shop' is a mean of labels, and there are none"):
        fit(SPEC, columns)


def test_five_thousand_levels_are_kept_and_no_more() -> None:
    rows = np.arange(12_000)
    shop = np.array([f"s{n % 6000}" for n in rows], dtype=object)
    spec = FeatureSpec((Column("shop", "string"),), encoded={"shop": 5000})
    fitted = fit(spec, {"shop": shop}, Outcomes(("",), (rows % 2).astype(float)[:, None]))
    assert len(fitted.means["shop"].levels) == 5000
    assert fitted.transform_counted({"shop": shop}).unseen == {"shop": 2000}
