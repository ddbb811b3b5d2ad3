"""Which row of a further table a row gets: the latest of its key at or before its time, as far as it was there."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle import past as past_module
from lifecycle.columns import Column
from lifecycle.encoding import FeatureError
from lifecycle.features import FeatureSpec, FittedFeatures, fit
from lifecycle.joining import Join
from lifecycle.past import Past, PastSpec, fit_past
from lifecycle.transforms import Transform

START = np.datetime64("2024-01-04", "us")  # a Thursday: stretches of a day begin at midnight, those of a week here
VALUES = (Column("temp", "double"), Column("sky", "string"), Column("until", "datetime"))
GROWING = Join("weather", ("city",), ("city",), "since", VALUES)
AHEAD = Join("weather", ("city",), ("city",), "since", VALUES, ahead=True)


def at(*days: float) -> Any:
    return np.array([START + np.timedelta64(round(day * 86_400_000_000), "us") for day in days])


def objects(*values: str | None) -> Any:
    return np.array(values, dtype=object)


def weather(days: list[float], cities: list[str], temps: list[float]) -> dict[str, Any]:
    """The sky says which row it is; a row is true until a day after."""
    sky = objects(*(f"{city}{temp:g}" for city, temp in zip(cities, temps, strict=True)))
    since = at(*days)
    until = since + np.timedelta64(1, "D")
    return {"since": since, "city": objects(*cities), "temp": np.array(temps), "sky": sky, "until": until}


def past(join: Join, table: dict[str, Any], rows: dict[str, Any], **more: Any) -> Past:
    return fit_past(PastSpec("at", timedelta(days=1), joins=(join,)), rows, {}, {"weather": table}, **more)


def temps(join: Join, table: dict[str, Any], rows: dict[str, Any], asked: dict[str, Any] | None = None) -> list[float]:
    found: list[float] = past(join, table, rows).columns(asked or rows)["weather.temp"].tolist()
    return [-1.0 if np.isnan(temp) else temp for temp in found]


SECOND = 1 / 86_400


def test_of_a_table_known_ahead_a_row_gets_the_latest_at_or_before_its_time_and_not_a_second_later() -> None:
    table = weather([1.0, 2.0, 2.0, 3.0], ["ulm", "ulm", "graz", "ulm"], [1, 2, 7, 3])
    days = [1 - SECOND, 1.0, 2 - SECOND, 2.0, 2 + SECOND, 3.0, 9.0]
    asked = {"at": at(*days), "city": objects(*["ulm"] * len(days))}
    assert temps(AHEAD, table, asked) == [-1, 1, 1, 2, 2, 3, 3]


def test_of_a_table_that_grows_a_row_gets_what_was_there_at_the_beginning_of_its_stretch() -> None:
    table = weather([1.0, 2.2, 2.5, 4.3], ["ulm"] * 4, [1, 2, 3, 4])
    rows = {"at": at(1.0, 2.1, 2.9, 3.0, 4.2, 4.4), "city": objects(*["ulm"] * 6)}
    assert temps(GROWING, table, rows) == [1, 1, 1, 3, 3, 3]
    later = {"at": at(4.4 + SECOND, 4.9, 5.0), "city": objects(*["ulm"] * 3)}
    assert temps(GROWING, table, rows, later) == [4, 4, 4]  # when it serves it knows all of the table


def test_what_is_in_the_table_later_than_the_training_data_is_used_once_it_is_true() -> None:
    table = weather([1.0, 6.0], ["ulm"] * 2, [1, 2])
    rows = {"at": at(1.5, 2.0), "city": objects("ulm", "ulm")}
    asked = {"at": at(2.1, 6 - SECOND, 6.0), "city": objects(*["ulm"] * 3)}
    assert temps(GROWING, table, rows, asked) == [1, 1, 2]


def test_a_lag_waits_and_an_age_ends() -> None:
    table = weather([1.0, 4.0], ["ulm"] * 2, [1, 2])
    days = [1.0, 1.5 - SECOND, 1.5, 3.0, 3.0 + SECOND, 4.5, 6.0 + SECOND]
    asked = {"at": at(*days), "city": objects(*["ulm"] * len(days))}
    join = Join("weather", ("city",), ("city",), "since", VALUES, timedelta(hours=12), timedelta(days=2), ahead=True)
    assert temps(join, table, asked) == [-1, -1, 1, 1, -1, 2, -1]


def test_unknown_keys_missing_keys_and_missing_times_get_nothing_and_missing_values_stay_missing() -> None:
    table = weather([1.0, 2.0], ["ulm", "ulm"], [1, np.nan])
    rows = {"at": at(3.0, 3.0, 3.0, 1.5), "city": objects("oslo", None, "ulm", "ulm")}
    assert temps(AHEAD, table, rows) == [-1, -1, -1, 1]
    rows["at"][3] = np.datetime64("NaT")
    found = past(AHEAD, table, rows).columns(rows)
    assert found["weather.sky"].tolist() == [None, None, "ulmnan", None]
    assert np.isnat(found["weather.until"]).tolist() == [True, True, False, True]


TABLES = st.lists(
    st.tuples(st.integers(0, 60).map(lambda n: n / 8), st.sampled_from(["ulm", "graz"]), st.integers(0, 9)),
    unique_by=lambda row: row[:2],
    min_size=1,
    max_size=15,
)
ROWS = st.lists(
    st.tuples(st.integers(0, 80).map(lambda n: n / 8), st.sampled_from(["ulm", "graz", None])), min_size=1, max_size=15
)
JOINS = st.builds(
    lambda lag, age, ahead: Join("weather", ("city",), ("city",), "since", VALUES, lag, age, ahead),
    st.sampled_from([timedelta(0), timedelta(hours=7)]),
    st.sampled_from([None, timedelta(days=2)]),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(TABLES, ROWS, JOINS, st.data())
def test_a_later_row_of_the_table_never_changes_what_an_earlier_row_gets(
    listed: list[Any], asked: list[Any], join: Join, data: Any
) -> None:
    table = weather(*map(list, zip(*listed, strict=True)))
    days, cities = map(list, zip(*asked, strict=True))
    rows = {"at": at(*days), "city": objects(*cities)}
    cut = np.datetime64(data.draw(st.sampled_from(sorted(table["since"].tolist()))), "us")
    known, early = table["since"] < cut, rows["at"] < cut
    changed = {**table, "temp": np.where(known, table["temp"], -7.0)}
    gone = {name: values[known] for name, values in table.items()}
    expected = past(join, table, rows).columns(rows)["weather.temp"]
    for other in (changed, gone):
        found = past(join, other, rows).columns(rows)["weather.temp"]
        np.testing.assert_array_equal(found[early], expected[early])


@settings(max_examples=200, deadline=None)
@given(TABLES, ROWS, JOINS)
def test_a_row_gets_what_looking_by_hand_gets(listed: list[Any], asked: list[Any], join: Join) -> None:
    table = weather(*map(list, zip(*listed, strict=True)))
    days, cities = map(list, zip(*asked, strict=True))
    rows = {"at": at(*days), "city": objects(*cities)}
    found = past(join, table, rows).columns(rows)["weather.temp"]
    for row, moment in enumerate(rows["at"]):
        sees = moment if join.ahead else moment.astype("datetime64[D]").astype("datetime64[us]")
        there = (table["city"] == cities[row]) & (table["since"] + np.timedelta64(join.lag, "us") <= sees)
        newest = max(np.flatnonzero(there), key=lambda at: table["since"][at], default=None)
        if newest is not None and join.max_age is not None:
            newest = newest if moment - table["since"][newest] <= np.timedelta64(join.max_age, "us") else None
        np.testing.assert_equal(found[row], np.nan if newest is None else float(table["temp"][newest]))


INPUTS = (Column("at", "datetime"), Column("city", "string"))


def test_joined_columns_are_features_of_every_kind_and_a_bundle_answers_them_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hook = "def derive(columns):\n    return {'double': columns['weather.temp'] * 2}\n"
    table = weather([1.0, 2.0, 3.0, 4.0], ["ulm", "graz", "ulm", "graz"], [1, 2, 3, np.nan])
    rows = {"at": at(1.5, 2.5, 3.5, 4.5, 4.6), "city": objects("ulm", "graz", "ulm", "graz", "oslo")}
    spec = PastSpec("at", timedelta(days=1), joins=(AHEAD,))
    wanted = FeatureSpec(
        INPUTS,
        ("weather.temp", "double"),
        {"weather.sky": 9},
        hook,
        (Transform("weather.until.age", "date", ("weather.until", "at"), "age"),),
        past=spec,
    )
    fitted = fit(wanted, rows, past=fit_past(spec, rows, {}, {"weather": table}))
    nan = np.nan
    expected = [[1, 2, -0.5, 2], [2, 4, -0.5, 0], [3, 6, -0.5, 3], [nan, nan, -0.5, 1], [nan, nan, nan, nan]]
    np.testing.assert_array_equal(fitted.transform(rows), np.array(expected, dtype=np.float32))
    text = fitted.to_json()
    opened = FittedFeatures.from_json(text, hook)
    np.testing.assert_array_equal(opened.transform(rows), fitted.transform(rows))
    assert opened.to_json() == text
    monkeypatch.setattr(past_module, "MOST_ENTRIES", 2)
    newest = FittedFeatures.from_json(fitted.to_json(), hook).transform(rows)
    np.testing.assert_array_equal(newest[3:], fitted.transform(rows)[3:])
    assert np.isnan(newest[:2]).all()


def test_a_table_too_large_for_a_model_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_module, "MOST_ENTRIES", 2)
    rows = {"at": at(1.5), "city": objects("ulm")}
    table = weather([1.0, 2.0, 3.0], ["ulm", "graz", "oslo"], [1, 2, 3])
    with pytest.raises(FeatureError, match=r"joined table 'weather' has .* 3 keys.* at most 2"):
        past(AHEAD, table, rows, needed=rows["at"].max())
