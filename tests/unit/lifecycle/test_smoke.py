import pytest

from lifecycle.columns import Column
from lifecycle.contract import Contract, Task
from lifecycle.smoke import judge, request

CONTRACT = Contract(
    "flights",
    Task("binary", ("0", "1")),
    (
        Column("amount", "double"),
        Column("sched", "long", nullable=False),
        Column("new", "boolean"),
        Column("purpose", "string"),
        Column("at", "datetime"),
    ),
    categories={"purpose": ("car", "home")},
)


def test_the_made_up_request_keeps_the_contract_with_everything_and_with_only_what_must_be_there() -> None:
    split = request(CONTRACT)["dataframe_split"]
    assert split == {
        "columns": ["amount", "sched", "new", "purpose", "at"],
        "data": [[1.0, 1, True, "car", "2026-01-01T00:00:00Z"], [None, 1, None, None, None]],
    }
    assert isinstance(split, dict)
    given = {name: [row[place] for row in split["data"]] for place, name in enumerate(split["columns"])}
    checked = CONTRACT.check(given)
    assert (checked.rows, checked.unseen) == (2, {})


GOOD = {"status": 200, "model_version": "3", "predictions": [0.1, 1]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": 503, "message": "no bundle"}, "status 503: no bundle"),
        ({"status": None, "errorMessage": "boom"}, "status None: boom"),
        ({"model_version": "2"}, "as model 2, expected 3"),
        ({"model_version": "unreleased"}, "as model unreleased"),
        ({"predictions": []}, "without predictions"),
        ({"predictions": "0.1"}, "without predictions"),
        ({"predictions": [0.1, float("nan")]}, "no finite number"),
        ({"predictions": [[0.1, float("inf")]]}, "no finite number"),
        ({"predictions": [True]}, "no finite number"),
        ({"predictions": [None]}, "no finite number"),
    ],
)
def test_an_answer_that_will_not_do_says_why(change: dict[str, object], reason: str) -> None:
    verdict = judge({**GOOD, **change}, "3")
    assert not verdict.passed
    assert reason in verdict.reason


def test_finite_predictions_as_the_right_model_pass() -> None:
    assert judge(GOOD, "3").passed
    assert judge({**GOOD, "predictions": [[0.1, 0.9]]}, "3").passed
