"""Which requests keep the contract, and the sentence for each that does not."""

from typing import Any

import numpy as np
import pytest

from lifecycle.columns import Column
from lifecycle.contract import Contract, Task
from lifecycle.errors import BundleError
from lifecycle.refusal import ContractError

CONTRACT = Contract(
    product="flights",
    task=Task("binary", ("0", "1")),
    columns=(
        Column("carrier", "string"),
        Column("dest", "string", nullable=False),
        Column("sched", "long"),
        Column("temp", "double", required=False),
        Column("new", "boolean", required=False),
        Column("at", "datetime", required=False),
    ),
    categories={"carrier": ("AA", "UA"), "dest": ("IAH",)},
    max_rows=3,
    explain_max_rows=2,
    max_string=5,
)


def given(**changed: Any) -> dict[str, Any]:
    return {"carrier": ["UA", "AA"], "dest": ["IAH", "IAH"], "sched": [515, None]} | changed


def test_columns_become_the_three_kinds_of_array() -> None:
    checked = CONTRACT.check(given(new=[True, None], at=["2013-01-01T05:00:00+05:00", None], temp=[1, None]))
    assert checked.rows == 2
    assert checked.columns["carrier"].tolist() == ["UA", "AA"]
    assert np.array_equal(checked.columns["sched"], [515.0, np.nan], equal_nan=True)
    assert np.array_equal(checked.columns["new"], [1.0, np.nan], equal_nan=True)
    assert np.array_equal(checked.columns["temp"], [1.0, np.nan], equal_nan=True)
    instants = np.array(["2013-01-01T00:00:00", "NaT"], dtype="datetime64[us]")
    assert checked.columns["at"].tobytes() == instants.tobytes()


def test_an_optional_column_that_is_absent_is_all_missing() -> None:
    checked = CONTRACT.check(given())
    assert np.isnan(checked.columns["temp"]).all()
    assert np.isnat(checked.columns["at"]).all()
    assert (checked.unseen, checked.extra_columns) == ({}, 0)


def test_unseen_levels_and_extra_columns_are_counted_and_pass() -> None:
    checked = CONTRACT.check(given(carrier=["ZZ", None], dest=["SFO", "LAX"], colour=["red", "red"], x=[1]))
    assert checked.unseen == {"carrier": 1, "dest": 2}
    assert checked.extra_columns == 2
    assert checked.columns.keys() == {column.name for column in CONTRACT.columns}


@pytest.mark.parametrize(
    ("columns", "code", "sentence"),
    [
        ({}, "no_rows", "There are no rows; send 1 to 3."),
        (given(carrier=[], dest=[], sched=[]), "no_rows", "There are no rows; send 1 to 3."),
        (given(carrier=[], dest=[], sched=[], other=[1]), "no_rows", "There are no rows; send 1 to 3."),
        ({"carrier": ["UA"], "dest": ["IAH"]}, "missing_column", "1 required column is missing: 'sched'."),
        (
            {"carier": ["UA"], "dest": ["IAH"]},
            "missing_column",
            "2 required columns are missing: 'carrier', 'sched'. You sent 'carier'; did you mean 'carrier'?",
        ),
        (given(dest=["IAH"]), "ragged", "Column 'dest' has 1 rows, the others have 2."),
        (
            {"carrier": ["UA"] * 4, "dest": ["IAH"] * 4, "sched": [1] * 4},
            "too_many_rows",
            "There are 4 rows; one request carries 1 to 3.",
        ),
        (given(sched=[1, "515"]), "wrong_type", "Column 'sched', row 1: expected a whole number, found a string."),
        (given(sched=[1, True]), "wrong_type", "Column 'sched', row 1: expected a whole number, found true or false."),
        (given(sched=[None, 1.5]), "wrong_type", "Column 'sched', row 1: expected a whole number, found a fraction."),
        (given(temp=[[1], 1.5]), "wrong_type", "Column 'temp', row 0: expected a number, found a list."),
        (given(temp=[{}, 1.5]), "wrong_type", "Column 'temp', row 0: expected a number, found an object."),
        (given(carrier=[7, "AA"]), "wrong_type", "Column 'carrier', row 0: expected a string, found a number."),
        (given(new=[1, True]), "wrong_type", "Column 'new', row 0: expected true or false, found a number."),
        (
            given(at=[1, None]),
            "wrong_type",
            "Column 'at', row 0: expected a string with an ISO 8601 date, found a number.",
        ),
        (given(at=["x", None]), "wrong_type", "Column 'at', row 0: expected an ISO 8601 date, found other text."),
        (given(dest=["IAH", None]), "missing_value", "Column 'dest', row 1: expected a string, found nothing."),
        (
            given(carrier=["UA", "secret"]),
            "string_too_long",
            "Column 'carrier', row 1: expected at most 5 characters, found 6.",
        ),
        *(
            (
                given(temp=[0, value]),
                "not_finite",
                "Column 'temp', row 1: expected a finite number of at most 3.4e38, found a larger one.",
            )
            for value in (float("inf"), float("-inf"), 1e39, 10**400, -(10**39))
        ),
    ],
)
def test_a_broken_request_is_refused_with_one_exact_sentence(columns: Any, code: str, sentence: str) -> None:
    with pytest.raises(ContractError) as raised:
        CONTRACT.check(columns)
    assert (raised.value.code, str(raised.value)) == (code, sentence)


def test_nan_is_missing_and_refused_where_nothing_may_be_missing() -> None:
    contract = Contract("p", Task("regression"), (Column("x", "double", nullable=False),))
    with pytest.raises(ContractError, match="row 0: expected a number, found nothing"):
        contract.check({"x": [float("nan")]})


def test_the_largest_float32_passes() -> None:
    largest = float(np.finfo(np.float32).max)
    checked = CONTRACT.check(given(temp=[largest, -largest]))
    assert np.isfinite(checked.columns["temp"].astype(np.float32)).all()


def test_explanations_have_a_cap_of_their_own() -> None:
    rows: dict[str, Any] = {"carrier": ["UA"] * 3, "dest": ["IAH"] * 3, "sched": [1] * 3}
    assert CONTRACT.check(rows).rows == 3
    with pytest.raises(ContractError, match="There are 3 rows; with explain one request carries 1 to 2"):
        CONTRACT.check(rows, explain=True)


def test_a_contract_comes_back_from_its_text_as_it_was() -> None:
    assert Contract.from_json(CONTRACT.to_json()) == CONTRACT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 2}', '{"format": 1, "task": 3}'])
def test_text_that_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"contract\.json"):
        Contract.from_json(text)


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("binary", ()),
        ("binary", ("a",)),
        ("binary", ("a", "b", "c")),
        ("regression", ("a",)),
        ("multiclass", ("a",)),
    ],
)
def test_a_task_has_the_classes_its_kind_wants(kind: Any, classes: tuple[str, ...]) -> None:
    with pytest.raises(BundleError, match="binary has two, multiclass two or more, regression none"):
        Task(kind, classes)
