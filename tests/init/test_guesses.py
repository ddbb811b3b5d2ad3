"""What is guessed of columns, targets, keys, times and dialects; and what of it can be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lifecycle.columns import Column
from lifecycle.dialect import decimal_of, encoding_of, separator_of
from lifecycle.errors import UsageError
from lifecycle.giveaways import that_add_up, that_come_later, that_predict
from lifecycle.guessing import guess_parts, guess_time, key_candidates
from lifecycle.profiling import ColumnProfile, TableProfile, profile_column
from lifecycle.task_guess import guess_task
from tasks.column_types import date_of_texts, type_of_arrow, type_of_texts

RANDOM = np.random.default_rng(0)


def column(name: str, values: Any, kind: Any = None) -> ColumnProfile:
    array = np.asarray(values)
    if kind is None:
        kind = {"M": "datetime", "O": "string", "U": "string"}.get(array.dtype.kind, "double")
    if kind == "string":
        array = array.astype(object)
    elif kind in ("double", "long", "boolean"):
        array = array.astype(float)
    else:
        array = array.astype("datetime64[us]")
    return profile_column(Column(name, kind), array, np.arange(len(array)))


def table(*columns: ColumnProfile) -> TableProfile:
    return TableProfile(columns, columns[0].rows, 0)


def role(one: ColumnProfile, grain: tuple[str, ...] = ()) -> str:
    (part,) = guess_parts(table(one), "y", None, grain)
    return part.role


ROWS = 2000


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (column("size", RANDOM.normal(size=ROWS)), "number"),
        (column("flag", np.arange(ROWS) % 2, "boolean"), "number"),
        (column("customer_id", np.arange(ROWS)), "identifier"),
        (column("Unnamed: 7", np.arange(ROWS)), "identifier"),
        (column("shop_id", np.arange(ROWS) % 40), "category"),
        (column("zip", np.arange(ROWS) % 700), "encoded"),
        (column("plan", np.array(["a", "b"])[np.arange(ROWS) % 2]), "category"),
        (column("village", [f"v {n % 900}" for n in range(ROWS)]), "encoded"),
        (column("token", [f"t{n}" for n in range(ROWS)]), "identifier"),
        (column("note", [f"a note of several words {n}" for n in range(ROWS)]), "text"),
        (column("same", np.full(ROWS, 3.0)), "constant"),
        (column("nothing", np.full(ROWS, np.nan)), "empty"),
        (column("sometimes", np.where(np.arange(ROWS) % 2, 1.0, np.nan)), "missing"),
        (column("born", np.datetime64("1980-01-01") + np.arange(ROWS).astype("m8[D]")), "date"),
    ],
    ids=lambda one: one.name if isinstance(one, ColumnProfile) else "",
)
def test_a_column_is_for_what_its_values_say(one: ColumnProfile, expected: str) -> None:
    assert role(one) == expected


def test_a_key_of_numbers_is_a_key_and_a_category_in_a_key_stays_one() -> None:
    assert role(column("order", RANDOM.permutation(ROWS)), ("order",)) == "key"
    assert role(column("shop_id", np.arange(ROWS) % 40), ("shop_id", "day")) == "category"


DAY = np.datetime64("2024-01-01", "us") + np.arange(ROWS).astype("m8[D]")


def test_the_event_time_is_a_whole_date_column_by_its_name() -> None:
    birth, seen = column("birth_date", DAY), column("seen_at", DAY)
    due, holes = column("due", DAY), column("created_at", np.where(np.arange(ROWS) % 9, DAY, np.datetime64("NaT")))
    assert guess_time(table(birth, due, holes, seen), "y") == "seen_at"
    assert guess_time(table(birth, due, holes), "y") is None
    assert guess_time(table(column("joined", DAY)), "y") == "joined"


def test_a_full_grid_of_days_and_hours_is_a_key_and_a_chance_is_none() -> None:
    day = column("day", np.repeat(DAY[:100], 20))
    hour = column("hour", np.array([f"{n}h" for n in range(20)])[np.arange(ROWS) % 20])
    amount = column("amount", RANDOM.integers(0, 5000, ROWS))
    assert key_candidates(table(day, hour, amount), "y", "day") == (("hour",), ("day", "hour"))


def test_keys_are_tried_from_the_likeliest_on() -> None:
    shop, day = column("shop_id", np.arange(ROWS) % 40), column("day", DAY)
    order = column("order_no", RANDOM.permutation(ROWS))
    rows, words = column("index", np.arange(ROWS)), column("code name", [f"x{n}" for n in range(ROWS)])
    found = key_candidates(table(rows, shop, day, order, words), "y", "day")
    assert found[0] == ("shop_id",)
    assert found[1] == ("order_no",)
    assert ("shop_id", "day") in found
    assert all("index" not in one for one in found)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (np.arange(ROWS) % 2, "binary", ()),
        (1 + np.arange(ROWS) % 2, "binary", ("2", "1")),
        (np.array(["No", "Yes"])[np.arange(ROWS) % 2], "binary", ("No", "Yes")),
        (np.array(["alive", "gone"])[(np.arange(ROWS) % 9 == 0).astype(int)], "binary", ("alive", "gone")),
        (np.arange(ROWS) % 3, "multiclass", ()),
        (np.array(list("abcd"))[np.arange(ROWS) % 4], "multiclass", ()),
        (RANDOM.integers(0, 10, ROWS), "multiclass", ()),
        (RANDOM.poisson(2, ROWS), "counts", ()),
        (RANDOM.poisson(6, ROWS), "counts", ()),
        (RANDOM.normal(size=ROWS), "regression", ()),
        (RANDOM.integers(0, 1000, ROWS), "regression", ()),
    ],
    ids=["0 1", "1 2", "yes", "rarer", "codes", "words", "digits", "counts", "larger counts", "fractions", "amounts"],
)
def test_a_task_follows_from_the_target(values: Any, task: str, classes: tuple[str, ...]) -> None:
    found = guess_task(column("y", values), None)
    assert found.task == task
    assert set(found.classes) == set(classes)
    assert found.classes[1:] == classes[1:]


@pytest.mark.parametrize(
    ("values", "wanted", "sentence"),
    [
        (np.full(ROWS, 1.0), None, "one value only"),
        (np.full(ROWS, np.nan), None, "no value at all"),
        ([f"t{n}" for n in range(ROWS)], None, "2,000 different values in 2,000 rows, expected at most 100 classes"),
        (np.arange(ROWS) % 3, "binary", "3 different values, expected two for a binary task"),
        (np.array(["a", "b"])[np.arange(ROWS) % 2], "regression", "words, expected numbers for regression"),
        (RANDOM.normal(size=ROWS), "counts", "fractions or values below 0"),
        (RANDOM.normal(size=ROWS), "multiclass", "expected at most 100 classes"),
    ],
)
def test_a_target_that_cannot_be_what_is_wanted_is_refused(values: Any, wanted: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        guess_task(column("y", values), wanted)


def test_a_person_may_want_another_task_than_the_guess() -> None:
    assert guess_task(column("y", np.arange(ROWS) % 9), "regression").task == "regression"
    assert guess_task(column("y", RANDOM.poisson(3, ROWS)), "multiclass").task == "multiclass"


def test_what_alone_predicts_the_target_is_named_and_what_helps_is_not() -> None:
    labels = (RANDOM.random(ROWS) < 0.3).astype(float)
    columns = {
        "helps": RANDOM.normal(size=ROWS) + labels,
        "copy": np.where(labels == 1, "gone", "here").astype(object),
        "ended": np.where(labels == 1, DAY, np.datetime64("NaT")),
        "names": np.array([f"n{n}" for n in range(ROWS)], dtype=object),
    }
    assert {leak.feature for leak in that_predict(list(columns), columns, "binary", labels)} == {"copy", "ended"}


def test_parts_that_add_up_to_the_target_are_named_and_others_are_not() -> None:
    casual, member = RANDOM.gamma(2, 20, ROWS), RANDOM.gamma(3, 50, ROWS)
    columns = {"casual": casual, "member": member, "warm": RANDOM.normal(size=ROWS) + casual}
    assert that_add_up(list(columns), columns, casual + member) == ("casual", "member")
    assert that_add_up(list(columns), columns, casual + member + RANDOM.normal(0, 30, ROWS)) == ()


def test_a_date_after_the_event_is_known_only_afterwards() -> None:
    columns = {"at": DAY, "closed": DAY + np.timedelta64(3, "D"), "born": DAY - np.timedelta64(9000, "D")}
    assert that_come_later(["closed", "born"], columns, "at") == {"closed": 1.0}


@pytest.mark.parametrize(
    ("texts", "kind", "form"),
    [
        (["1", "2", "NA", ""], "long", None),
        (["1.5", "2", "1e3"], "double", None),
        (["true", "False"], "boolean", None),
        (["007", "123"], "string", None),
        (["12345678901234567", "1"], "string", None),
        (["2024-01-01", "2024-12-31T23:59:59Z"], "datetime", None),
        (["20240101", "20241231"], "datetime", "%Y%m%d"),
        (["31.12.2024", "01.02.2024"], "datetime", "%d.%m.%Y"),
        (["12/31/2024", "01/02/2024"], "datetime", "%m/%d/%Y"),
        (["31/12/2024 10:00", "01/02/2024 11:30"], "datetime", "%d/%m/%Y %H:%M"),
        (["6am", "7pm"], "string", None),
        (["", "NA"], "string", None),
        (["nan", "x"], "string", None),
    ],
)
def test_the_type_of_texts(texts: list[str], kind: str, form: str | None) -> None:
    found = type_of_texts("x", pa.array(texts), ".")
    assert (found.type, found.format) == (kind, form)


def test_one_bad_value_in_two_hundred_costs_its_row_and_ten_make_it_text() -> None:
    good = [str(n / 7) for n in range(200)]
    few = type_of_texts("x", pa.array([*good, "1,400 mi"]), ".")
    assert (few.type, round(few.bad, 4)) == ("double", 0.005)
    assert type_of_texts("x", pa.array([*good, *["n. a."] * 10]), ".").type == "string"


def test_one_fraction_among_many_whole_numbers_is_a_number_and_costs_nothing() -> None:
    texts = [*(str(n) for n in range(300)), "70.5"]
    found = type_of_texts("x", pa.array(texts), ".")
    assert (found.type, found.bad) == ("double", 0.0)
    assert type_of_texts("x", pa.array(texts[:-1]), ".").type == "long"


def test_dates_that_read_two_ways_say_so() -> None:
    assert "also read as" in type_of_texts("x", pa.array(["01/02/2024", "03/04/2024"]), ".").note


def test_amounts_with_a_sign_are_told() -> None:
    assert "with a sign" in type_of_texts("x", pa.array(["$1,200.00", "$5"]), ".").note


def test_dates_in_a_text_column_of_parquet_are_dates() -> None:
    found = date_of_texts("x", pa.array(["2024-01-01", None]))
    assert found is not None
    assert found.type == "datetime"
    assert date_of_texts("x", pa.array(["a", "b"])) is None
    assert type_of_arrow(pa.list_(pa.int64())) is None


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("a;b;c\n1,5;2,5;3\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('a,b\n"x;y;z",2\n"u;v;w",3\n', ","),
        ("only\n1\n2\n", ","),
        ('a,b\n"unclosed', ","),
    ],
)
def test_the_separator_is_what_cuts_lines_alike(text: str, sign: str) -> None:
    assert separator_of(text) == sign


def test_the_decimal_sign_is_a_comma_where_numbers_have_one() -> None:
    assert decimal_of([["1,5", "2,25", "3"]], ";") == ","
    assert decimal_of([["1,5", "2,25"], ["1.5", "2.5"]], ";") == "."
    assert decimal_of([["well, 5", "1,5"]], ";") == "."
    assert decimal_of([["1,5"]], ",") == "."


def test_the_encoding_is_told_by_marks_and_bytes() -> None:
    assert [encoding_of("Köln".encode(name)) for name in ("utf-8", "cp1252", "utf-16")] == ["utf-8", "cp1252", "utf-16"]
    assert encoding_of(b"\x81\x8d") is None


def test_a_profile_holds_shares_levels_and_stretches_and_no_rows() -> None:
    values = pd.Series(np.arange(1000.0)).where(lambda one: one % 4 != 0)
    one = column("x", values)
    assert (one.rows, one.missing, one.distinct) == (1000, 250, 750)
    assert one.numbers is not None
    assert one.numbers.quartiles.shape == (10, 3)
    assert one.numbers.quantile(0.5) == pytest.approx(500, abs=2)
    assert len(one.missing_by_stretch) == 10
