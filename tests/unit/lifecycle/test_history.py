"""What a row knows of earlier ones: nothing of itself or later, the same in training and serving, and bounded."""

import json
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
from lifecycle.history import History
from lifecycle.past import Past, PastSpec, fit_past

DAY, HOUR = np.timedelta64(1, "D"), np.timedelta64(3_600_000_000, "us")
START = np.datetime64("2024-01-04", "us")  # a Thursday: weeks from 1970 on begin on Thursdays
EVERYTHING = History("spent", ("card",), "amount", ("mean", "count", "sum", "min", "max", "last"))
Columns = dict[str, Any]


def rows(days: list[float], cards: list[str | None], amounts: list[float]) -> Columns:
    at = np.array([START + np.timedelta64(round(day * 86_400_000_000), "us") for day in days])
    return {"at": at, "card": np.array(cards, dtype=object), "amount": np.array(amounts)}


def past(table: Columns, *histories: History, refresh: timedelta = timedelta(days=1), **more: Any) -> Past:
    spec = PastSpec("at", refresh, histories or (EVERYTHING,))
    return fit_past(spec, table, {"amount": table["amount"]}, {}, **more)


def told(table: Columns, *histories: History, asked: Columns | None = None, **more: Any) -> Any:
    return past(table, *histories, **more).features(asked or table)


def test_a_row_is_told_what_happened_before_its_own_stretch() -> None:
    table = rows([0.5, 0.6, 1.5, 3.0], ["a"] * 4, [2.0, 4.0, 9.0, 0.0])
    nothing = [np.nan, 0, 0, np.nan, np.nan, np.nan]
    expected = [nothing, nothing, [3, 2, 6, 2, 4, 4], [5, 3, 15, 2, 9, 9]]
    np.testing.assert_array_equal(told(table), np.array(expected, dtype=np.float32))


def test_a_row_at_the_beginning_of_a_stretch_is_not_told_of_another_one_at_that_instant() -> None:
    table = rows([1.0, 1.0, 2.0], ["a"] * 3, [2.0, 4.0, 8.0])
    assert told(table, History("n", ("card",), "", ("count",))).ravel().tolist() == [0, 0, 2]


def test_what_comes_after_the_data_is_told_everything() -> None:
    table = rows([0.5, 0.6, 0.7], ["a", "a", "b"], [2.0, 4.0, 9.0])
    asked = rows([0.70001, 9.0, 0.69], ["a", "a", "a"], [0.0, 0.0, 0.0])
    assert told(table, History("n", ("card",), "", ("count",)), asked=asked).ravel().tolist() == [2, 2, 0]


def test_a_window_forgets_and_a_delay_waits() -> None:
    table = rows([0.5, 5.0, 6.0, 10.0], ["a"] * 4, [2.0, 4.0, 8.0, 0.0])
    asked = rows([3.0, 4.0, 6.0, 9.0, 10.0], ["a"] * 5, [0.0] * 5)
    window = History("w", ("card",), "amount", ("sum",), window=timedelta(days=3))
    assert told(table, window, asked=asked).ravel().tolist() == [2, 0, 4, 8, 0]
    delay = History("d", ("card",), "amount", ("sum",), delay=timedelta(days=3))
    assert told(table, delay, asked=asked).ravel().tolist() == [0, 2, 2, 14, 14]


def test_a_label_is_known_at_its_delay_and_not_an_instant_before() -> None:
    late = History("d", ("card",), "amount", ("sum",), delay=timedelta(days=2))
    table = rows([1.0, 2.0, 9.0], ["a", "a", "b"], [1.0, 10.0, 0.0])
    asked = rows([2.9999, 3.0, 3.5, 4.0], ["a"] * 4, [0.0] * 4)
    assert told(table, late, asked=asked).ravel().tolist() == [0, 1, 1, 11]


def test_missing_values_do_not_count_and_rows_without_key_or_time_are_told_nothing() -> None:
    table = rows([0.5, 0.6, 0.7, 2.0, 2.0, 2.0, 2.0], ["a", "a", None, "a", None, "b", "a"], [np.nan, 4, 5] + [0] * 4)
    table["at"][6] = np.datetime64("NaT")
    found = told(table, History("h", ("card",), "amount", ("mean", "count")))[3:]
    np.testing.assert_array_equal(found, np.array([[4, 1], [np.nan] * 2, [np.nan, 0], [np.nan] * 2], dtype=np.float32))


def test_a_key_may_be_several_columns_and_values_never_run_together() -> None:
    table = rows([0.5, 0.6, 2.0, 2.0], ["a", 'a", "b', "a", None], [1.0, 2.0, 0.0, 0.0])
    table["shop"] = np.array(['b", "c', "c", 'b", "c', "c"], dtype=object)
    found = told(table, History("h", ("card", "shop"), "amount", ("sum",)))
    np.testing.assert_array_equal(found.ravel(), np.array([0, 0, 1, np.nan], dtype=np.float32))


TABLES = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda hours: hours / 4),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([0.1, 0.2, 0.7, 1e9, -3.0, float("nan")]),
    ),
    min_size=2,
    max_size=25,
)
HISTORIES = st.builds(
    lambda window, delay: History("h", ("card",), "amount", EVERYTHING.take, window, delay),
    st.sampled_from([None, timedelta(days=1), timedelta(days=2, hours=5)]),
    st.sampled_from([timedelta(0), timedelta(hours=7), timedelta(days=2)]),
)


@settings(max_examples=150, deadline=None)
@given(TABLES, HISTORIES, st.sampled_from([timedelta(hours=6), timedelta(days=1), timedelta(days=3)]), st.data())
def test_nothing_at_or_after_a_row_ever_changes_what_it_is_told(
    listed: list[Any], one: History, refresh: timedelta, data: Any
) -> None:
    """Not one bit of it: rows from an instant on are changed, doubled or taken away, those before stay as they were."""
    whole = rows(*map(list, zip(*listed, strict=True)))
    cut = data.draw(st.sampled_from(sorted(whole["at"].tolist())))
    early = whole["at"] <= np.datetime64(cut, "us")
    before = whole["at"] < np.datetime64(cut, "us")
    asked = {name: values[early] for name, values in whole.items()}
    expected = told(whole, one, asked=asked, refresh=refresh)
    changed = {**whole, "amount": np.where(before, whole["amount"], -7e5)}
    fewer = {name: values[before] for name, values in whole.items()}
    more = {name: np.concatenate((values, values[~before], values[~before])) for name, values in whole.items()}
    more["at"][len(early) :] += 3 * HOUR
    for other in (changed, more, fewer) if before.any() else (changed, more):
        found = told(other, one, asked=asked, refresh=refresh)
        np.testing.assert_array_equal(found[before[early]], expected[before[early]])
    np.testing.assert_array_equal(told(changed, one, asked=asked, refresh=refresh), expected)


@settings(max_examples=100, deadline=None)
@given(TABLES, HISTORIES)
def test_a_row_is_told_what_counting_by_hand_tells(listed: list[Any], one: History) -> None:
    table = rows(*map(list, zip(*listed, strict=True)))
    found = told(table, one)
    for row, at in enumerate(table["at"]):
        begins = at.astype("datetime64[D]").astype("datetime64[us]")
        known = table["at"] + np.timedelta64(max(one.delay, timedelta(microseconds=1)), "us")
        seen = (known <= begins) & (table["card"] == table["card"][row]) & ~np.isnan(table["amount"])
        if one.window is not None:
            seen &= known > begins - np.timedelta64(one.window, "us")
        values = table["amount"][seen][np.argsort(known[seen], kind="stable")]
        by_hand = [np.nan] * 6 if table["card"][row] is None else [
            values.mean() if len(values) else np.nan, len(values), values.sum() if len(values) else 0,
            *((values.min(), values.max(), values[-1]) if len(values) else [np.nan] * 3),
        ]  # fmt: skip
        np.testing.assert_allclose(found[row], np.array(by_hand, dtype=np.float32), rtol=1e-5, atol=100)


def many(cards: int, days: int) -> Columns:
    random = np.random.default_rng(3)
    day = np.sort(random.uniform(0, days, 40 * cards))
    return rows(
        day.tolist(),
        [f"c{card}" for card in random.integers(0, cards, len(day))],
        random.gamma(2, 2, len(day)).tolist(),
    )


def test_a_bundle_carries_the_newest_part_and_tells_rows_from_there_on_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past_module, "MOST_ENTRIES", 400)
    table = many(50, 40)
    window = History("w", ("card",), "amount", ("mean", "count"), window=timedelta(days=2))
    whole = past(table, EVERYTHING, window, needed=START + 38 * DAY)
    opened = Past.from_state(json.loads(json.dumps(whole.state())))
    assert [len(one.values) <= 200 for one in opened.histories] == [True, True]
    begins = max(one.timeline.begins for one in opened.histories)
    late = table["at"] >= begins
    np.testing.assert_array_equal(opened.features(table)[late], whole.features(table)[late])
    assert np.isnan(opened.features(table)[table["at"] < min(one.timeline.begins for one in opened.histories)]).all()
    assert 100 < late.sum() < len(late)
    assert opened.state() == whole.state()


def test_a_history_too_large_for_a_model_says_so_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_module, "MOST_ENTRIES", 100)
    table = many(50, 40)
    with pytest.raises(FeatureError, match=r"history 'spent'.*at most 100.*`refresh`.*`window`"):
        past(table, needed=START + 20 * DAY)


def test_the_past_is_as_old_as_its_stretch_while_training_and_as_its_data_while_serving() -> None:
    fitted = past(rows([0.5, 4.25], ["a", "a"], [1.0, 2.0]), refresh=timedelta(days=2))
    ages = fitted.ages(START + np.array([0.5, 3.5, 4.25, 14.25]) * DAY.astype("timedelta64[us]"))
    assert np.round(ages, 6).tolist() == [0.5, 1.5, 0.25, 10.0]


INPUTS = (Column("at", "datetime"), Column("card", "string"), Column("amount", "double"))


def test_histories_stand_in_the_matrix_and_the_state_is_read_back_by_one_format_more() -> None:
    table = rows([0.5, 1.5, 2.5], ["a", "a", "b"], [1.0, 2.0, 3.0])
    counted = PastSpec("at", timedelta(days=1), (History("n", ("card",), "", ("count",)),))
    spec = FeatureSpec(INPUTS, ("amount",), {"card": 9}, past=counted)
    fitted = fit(spec, table, past=fit_past(counted, table, {}, {}))
    assert fitted.feature_names == ("amount", "n.count", "card")
    assert fitted.transform(table).tolist() == [[1, 0, 0], [2, 1, 0], [3, 0, 1]]
    text = fitted.to_json()
    again = FittedFeatures.from_json(text)
    assert (again.to_json(), json.loads(text)["format"]) == (text, 2)
    np.testing.assert_array_equal(again.transform(table), fitted.transform(table))
    plain = fit(FeatureSpec(INPUTS, ("amount",)), table)
    assert json.loads(plain.to_json())["format"] == 1
    with pytest.raises(FeatureError, match="not fitted state"):
        FittedFeatures.from_json(text.replace('"codes": "', '"codes": "?'))


def test_a_past_needs_its_key_and_its_time_in_a_request() -> None:
    counted = PastSpec("at", timedelta(days=1), (History("n", ("card",), "", ("count",)),))
    with pytest.raises(FeatureError, match="looked up by 'at', which is no input"):
        FeatureSpec(INPUTS[1:], ("amount",), past=counted)
