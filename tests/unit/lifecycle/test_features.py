"""One transform for training and serving: types, levels, the hook, the fitted state as text."""

from typing import Any

import numpy as np
import pytest

from lifecycle.columns import Column, ColumnError, parse_instant
from lifecycle.encoding import FeatureError, InfiniteFeatureError
from lifecycle.features import FeatureSpec, FittedFeatures, fit
from lifecycle.hook import HookError
from lifecycle.transforms import Transform

INPUTS = (
    Column("carrier", "string"),
    Column("sched", "long"),
    Column("at", "datetime"),
    Column("temp", "double", required=False),
)
HOOK = """
import numpy as np

def derive(columns):
    days = columns["at"].astype("datetime64[D]").view("int64").astype(float)
    days[np.isnat(columns["at"])] = np.nan
    return {"hour": columns["sched"] // 100, "weekday": (days + 3) % 7}
"""
SPEC = FeatureSpec(INPUTS, numbers=("hour", "temp"), categories={"carrier": 3, "weekday": 7}, hook=HOOK)


def columns(**changed: Any) -> dict[str, Any]:
    return {
        "carrier": np.array(["UA", "AA", None, "UA", "B6"], dtype=object),
        "sched": np.array([515, 2359, 5, 915, 1200]),
        "at": np.array(["2013-01-01", "2013-01-02", "2013-01-03", "NaT", "2013-01-05"], dtype="datetime64[ns]"),
        "temp": np.array([1.5, np.nan, -3, 0, 2]),
    } | changed


def test_numbers_and_codes_of_sorted_levels_make_the_matrix() -> None:
    fitted = fit(SPEC, columns())
    nan = np.nan
    assert fitted.feature_names == ("hour", "temp", "carrier", "weekday")
    assert fitted.feature_types == ("q", "q", "c", "c")
    assert fitted.levels == {"carrier": ("AA", "B6", "UA"), "weekday": ("1", "2", "3", "5")}
    matrix = fitted.transform(columns())
    assert matrix.dtype == np.float32
    expected = [[5, 1.5, 2, 0], [23, nan, 0, 1], [0, -3, nan, 2], [9, 0, 2, nan], [12, 2, 1, 3]]
    assert np.array_equal(matrix, np.array(expected, dtype=np.float32), equal_nan=True)


def test_unseen_levels_are_missing_and_counted_and_missing_ones_are_not() -> None:
    fitted = fit(SPEC, columns())
    strange = fitted.transform_counted(columns(carrier=np.array(["ZZ", "AA", None, "", "ua"], dtype=object)))
    assert strange.unseen == {"carrier": 3}
    assert np.isnan(strange.matrix[:, 2]).tolist() == [True, False, True, True, True]


def test_only_the_most_frequent_levels_are_kept_with_ties_by_name() -> None:
    spec = FeatureSpec((Column("c", "string"),), categories={"c": 2})
    assert fit(spec, {"c": np.array(["z", "b", "a", "z", "c"], dtype=object)}).levels == {"c": ("a", "z")}


def test_the_same_state_is_the_same_text_and_comes_back_as_it_was() -> None:
    fitted = fit(SPEC, columns())
    text = fitted.to_json()
    assert fit(SPEC, columns()).to_json() == text
    again = FittedFeatures.from_json(text, hook=HOOK)
    assert again == fitted
    assert again.transform(columns()).tobytes() == fitted.transform(columns()).tobytes()


def test_state_fitted_with_another_hook_is_refused() -> None:
    text = fit(SPEC, columns()).to_json()
    with pytest.raises(FeatureError, match="sha256 differs"):
        FittedFeatures.from_json(text, hook=HOOK + "\n")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 2}'])
def test_text_that_is_no_fitted_state_is_refused(text: str) -> None:
    with pytest.raises(FeatureError, match=r"features\.json"):
        FittedFeatures.from_json(text)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("sched", np.array([515, 2359, 5, 915, 1200], dtype=np.int16)),
        ("sched", np.array([515, 2359, 5, 915, 1200], dtype=object)),
        ("sched", np.array([515.0, 2359.0, 5.0, 915.0, 1200.0])),
        ("carrier", np.array(["UA", "AA", np.nan, "UA", "B6"], dtype=object)),
        (
            "at",
            np.array(
                ["2013-01-01T00:00:00Z", "2013-01-02", "2013-01-03T05:00:00+05:00", None, "2013-01-05"], dtype=object
            ),
        ),
    ],
)
def test_whatever_a_column_was_read_from_the_matrix_is_the_same(column: str, values: Any) -> None:
    fitted = fit(SPEC, columns())
    assert fitted.transform(columns(**{column: values})).tobytes() == fitted.transform(columns()).tobytes()


def test_numbers_booleans_and_text_read_as_the_same_level() -> None:
    spec = FeatureSpec((Column("c", "double"),), categories={"c": 9})
    fitted = fit(spec, {"c": np.array([3, 36, 1])})
    assert fitted.levels == {"c": ("1", "3", "36")}
    for same in (np.array([3.0, 36.0, 1.0]), np.array([3, 36, True], dtype=object)):
        assert fitted.transform({"c": same}).tolist() == [[1.0], [2.0], [0.0]]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"sched": np.array(["5"] * 5, dtype=object)},
            "Column 'sched' is declared long and holds str; expected numbers.",
        ),
        ({"carrier": np.arange(5)}, "Column 'carrier' is declared string and holds int64; expected text."),
        (
            {"carrier": np.array(["AA", 1, 2, 3, 4], dtype=object)},
            "Column 'carrier' is declared string and holds int; expected text.",
        ),
        ({"at": np.arange(5)}, "Column 'at' is declared datetime and holds int64; expected text."),
        (
            {"at": np.array(["noon"] * 5, dtype=object)},
            "Column 'at' is declared datetime and holds text of another form; expected ISO 8601 dates.",
        ),
        ({"temp": np.zeros((5, 1))}, "Column 'temp' has 2 dimensions, expected 1."),
    ],
)
def test_a_column_of_another_type_is_refused_by_name(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ColumnError) as raised:
        fit(SPEC, columns(**changed))
    assert str(raised.value) == sentence


def test_a_missing_required_column_is_refused_and_an_optional_one_is_missing() -> None:
    fitted = fit(SPEC, columns())
    without = {name: values for name, values in columns().items() if name != "temp"}
    assert np.isnan(fitted.transform(without)[:, 1]).all()
    with pytest.raises(FeatureError, match="The input column 'sched' is missing"):
        fitted.transform({name: values for name, values in columns().items() if name != "sched"})


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(FeatureError, match="Column 'temp' has 4 rows, expected 5"):
        fit(SPEC, columns(temp=np.zeros(4)))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_an_infinite_feature_is_refused_with_its_row(value: float) -> None:
    fitted = fit(SPEC, columns())
    with pytest.raises(InfiniteFeatureError, match="The feature 'temp' is infinite in row 3"):
        fitted.transform(columns(temp=np.array([1, 2, 3, value, 5])))


def test_a_column_the_spec_does_not_name_never_reaches_the_hook() -> None:
    """The label and everything known only afterwards stay outside, whatever the training frame holds."""
    hook = "def derive(columns):\n    return {'n': columns['dep_delay']}\n"
    spec = FeatureSpec(INPUTS, numbers=("n",), hook=hook)
    with pytest.raises(HookError, match="broke with KeyError"):
        fit(spec, columns(dep_delay=np.arange(5)))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import pandas as pd\ndef derive(columns): return {}", "line 1 imports 'pandas'"),
        ("def derive(columns):\n    from scipy.stats import rankdata", "line 2 imports 'scipy'"),
        ("from . import other\ndef derive(columns): return {}", r"line 1 imports '\.'|line 1 imports ''"),
        ("def derive(columns:\n", "line 1 is not Python"),
        ("def drive(columns): return {}", r"defines no function derive\(columns\)"),
        ("def derive(columns): return {'n': columns['temp'] - columns['temp'].mean()}", "may only use its own row"),
        ("def derive(columns): return {'n': columns['temp'][:2]}", "expected an array of 5 values"),
        ("def derive(columns): return {'n': 1.0}", "'n' as a float, expected an array of 5 values"),
        ("def derive(columns): return [1]", "returns a list, expected a mapping"),
        ("def derive(columns): return {'temp': columns['temp']}", "'temp', which is a raw column"),
        ("def derive(columns):\n    columns['temp'][0] = 7\n    return {}", "broke with ValueError"),
        ("raise RuntimeError('x')\ndef derive(columns): return {}", "does not load: RuntimeError"),
    ],
)
def test_a_hook_that_would_not_serve_is_refused_when_it_is_fitted(source: str, sentence: str) -> None:
    with pytest.raises(HookError, match=sentence):
        fit(FeatureSpec(INPUTS, numbers=("n",), hook=source), columns(temp=np.array([1.0, 2, 3, 4, 5])))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "There are no features"),
        ({"numbers": ("speed",)}, "'speed' is no input and there is no features.py to derive it"),
        ({"numbers": ("sched", "sched")}, "The feature 'sched' is listed twice"),
        ({"numbers": ("sched",), "categories": {"sched": 3}}, "The feature 'sched' is listed twice"),
        ({"encoded": {"speed": 9}}, "'speed' is to be encoded and is no input"),
        ({"transforms": (Transform("speed.length", "length", ("speed",)),)}, "needs 'speed', which is no input"),
        ({"transforms": (Transform("sched.length", "length", ("sched",)),)}, "needs string, and 'sched' is long"),
        (
            {"numbers": ("sched",), "transforms": (Transform("sched", "missing", ("sched",)),)},
            "The feature 'sched' is listed twice",
        ),
    ],
)
def test_a_spec_that_cannot_work_is_refused(spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FeatureError, match=sentence):
        FeatureSpec(INPUTS, **spec)


def test_a_derived_feature_that_is_never_returned_is_named() -> None:
    with pytest.raises(FeatureError, match="'speed' is neither an input nor returned by derive"):
        fit(FeatureSpec(INPUTS, numbers=("speed",), hook=HOOK), columns())


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_a_datetime_is_no_feature_by_itself(kind: str) -> None:
    spec: Any = {"numbers": ("at",)} if kind == "numbers" else {"categories": {"at": 5}}
    with pytest.raises(FeatureError, match="is a datetime; derive"):
        fit(FeatureSpec(INPUTS, **spec), columns())


def test_an_instant_with_an_offset_is_read_as_utc() -> None:
    assert parse_instant("2013-07-01T05:00:00-04:00") == np.datetime64("2013-07-01T09:00:00", "us")


def test_the_callers_arrays_stay_as_they_were() -> None:
    given = columns(temp=np.arange(5.0))
    fit(SPEC, given).transform(given)
    given["temp"][0] = 7
    assert given["temp"].tolist() == [7, 1, 2, 3, 4]
