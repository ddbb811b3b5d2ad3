"""The same payloads through MLflow's own scoring server and through the handler: equal but for a written list."""

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle.columns import Column, ColumnType
from lifecycle.contract import Contract, Task
from lifecycle.refusal import ContractError

with warnings.catch_warnings():
    # MLflow warns about its own type hints when it is imported, starlette about the httpx it runs on.
    warnings.simplefilter("ignore")
    import mlflow
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import PyFuncModel, load_model, scoring_server
    from mlflow.types import ColSpec, Schema
    from starlette.testclient import TestClient

# MLflow warns about what it is sent; the statuses are what is compared.
pytestmark = pytest.mark.filterwarnings("ignore")

DOCS = Path(__file__).parents[2] / "docs" / "serving.md"
COLUMNS = ["amount", "income", "term"]
ROWS = [[1000.0, 30000.0, 36], [50000.0, 20000.0, 60]]
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
BY_COLUMN = {name: [row[i] for row in ROWS] for i, name in enumerate(COLUMNS)}


def split(data: list[Any], columns: list[str] = COLUMNS, **more: Any) -> dict[str, Any]:
    return {"dataframe_split": {"columns": columns, "data": data, **more}}


IDENTICAL: dict[str, Any] = {
    "split": split(ROWS),
    "split with an index": split(ROWS, index=[0, 1]),
    "split in another order": split([row[::-1] for row in ROWS], COLUMNS[::-1]),
    "split with an extra column": split([[*row, 1] for row in ROWS], [*COLUMNS, "other"]),
    "split with an extra key": split(ROWS, name="x"),
    "split without columns": {"dataframe_split": {"data": ROWS}},
    "split without data": {"dataframe_split": {"columns": COLUMNS}},
    "split that is a list": {"dataframe_split": [1]},
    "split naming a column twice": split([[*row, 1] for row in ROWS], [*COLUMNS, "term"]),
    "split with a short row": split([[1.0, 2.0, 3], [1.0, 2.0]]),
    "split with a short index": split(ROWS, index=[0]),
    "records": {"dataframe_records": RECORDS},
    "records that are an object": {"dataframe_records": RECORDS[0]},
    "records, one lacks a column": {"dataframe_records": [RECORDS[0], {"income": 2.0, "term": 3}]},
    "no records": {"dataframe_records": []},
    "records that are lists": {"dataframe_records": ROWS},
    "instances as records": {"instances": RECORDS},
    "instances as columns": {"instances": BY_COLUMN},
    "no instances": {"instances": []},
    "instances of other lengths": {"instances": {"amount": [1.0], "income": [1.0, 2.0], "term": [1, 2]}},
    "inputs as columns": {"inputs": BY_COLUMN},
    "inputs as one row": {"inputs": RECORDS[0]},
    "inputs as records": {"inputs": RECORDS},
    "a missing column": split([row[:2] for row in ROWS], COLUMNS[:2]),
    "text for a number": split([["abc", 1.0, 36]]),
    "null in a double": split([[None, 1.0, 36]]),
    "whole number for a double": split([[1, 1, 36]]),
    "36.0 for a long": split([[1.0, 1.0, 36.0]]),
    "a list for a number": split([[[1.0], 1.0, 36]]),
    "an object for a number": split([[{"a": 1}, 1.0, 36]]),
    "two formats": {"instances": [], "inputs": {}},
    "two formats that are both good": {"dataframe_records": RECORDS, "inputs": BY_COLUMN},
    "no format": {"foo": 1},
    "a strange key": {**split(ROWS), "foo": 1},
    "params that explain": {**split(ROWS), "params": {"explain": True}},
    "params nobody knows": {**split(ROWS), "params": {"foo": True}},
    "params that are null": {**split(ROWS), "params": None},
    "a large whole number": split([[10**30, 1.0, 36]]),
    "a number of 400 digits": split([[10**400, 1.0, 36]]),
    "no JSON": "not json",
    "a list": "[1, 2]",
    "a string": '"x"',
    "null": "null",
    "an empty body": "",
    "NaN": json.dumps(split([[float("nan"), 1.0, 36]])),
    "Infinity": json.dumps(split([[float("inf"), 1.0, 36]])),
    "1e999": '{"dataframe_split": {"columns": ["amount", "income", "term"], "data": [[1e999, 1.0, 36]]}}',
    "beyond float32": split([[1e39, 1.0, 36]]),
}


@dataclass(frozen=True)
class Different:
    """A deliberate difference: the payload, and the two statuses."""

    body: Any
    mlflow: int
    ours: int
    content_type: str | None = "application/json"


def parquet() -> bytes:
    out = BytesIO()
    pd.DataFrame(RECORDS).to_parquet(out)
    return out.getvalue()


DIFFERENT: dict[str, Different] = {
    "boolean_for_number": Different(split([[True, 1.0, 36]]), 200, 400),
    "column_as_tensor": Different({"inputs": {k: [[v] for v in vs] for k, vs in BY_COLUMN.items()}}, 400, 200),
    "content_type_in_capitals": Different(split(ROWS), 415, 200, "APPLICATION/JSON"),
    "csv_body": Different("amount,income,term\n1.0,2.0,36\n", 200, 415, "text/csv"),
    "deep_nesting": Different("[" * 100_000, 500, 400),
    "fraction_for_long": Different(split([[1.0, 1.0, 36.5]]), 200, 400),
    "no_content_type": Different(split(ROWS), 500, 415, None),
    "no_rows": Different(split([]), 200, 400),
    "null_in_long": Different(split([[1.0, 1.0, None]]), 400, 200),
    "numeric_string": Different(split([["12.5", 1.0, 36]]), 200, 400),
    "params_not_an_object": Different({**split(ROWS), "params": [1]}, 200, 400),
    "parquet_body": Different(parquet(), 200, 415, "application/vnd.apache.parquet"),
    "positional_inputs": Different({"inputs": ROWS}, 400, 200),
    "positional_instances": Different({"instances": ROWS}, 400, 200),
    "record_lacks_a_column": Different({"instances": [RECORDS[0], {"income": 2.0, "term": 3}]}, 400, 200),
    "too_many_rows": Different(split(ROWS * 501), 200, 413),
}
# The model above has no such columns: these are asked of a server that only checks the signature.
DIFFERENT_TYPES: dict[str, tuple[ColumnType, Any, int, int]] = {
    "datetime_with_offset": ("datetime", "2013-01-01T05:00:00Z", 400, 200),
    "number_for_boolean": ("boolean", 1, 200, 400),
    "number_for_datetime": ("datetime", 1, 200, 400),
    "number_for_string": ("string", 7, 200, 400),
    "text_for_boolean": ("boolean", "yes", 200, 400),
}
SAME_TYPES: list[tuple[ColumnType, Any, int]] = [
    ("string", "text", 200),
    ("string", None, 200),
    ("boolean", True, 200),
    ("boolean", None, 200),
    ("datetime", "2013-01-01", 200),
    ("datetime", "2013-01-01T05:00:00", 200),
    ("datetime", None, 200),
    ("datetime", "noon", 400),
    ("datetime", True, 400),
    ("double", "text", 400),
    ("long", "text", 400),
]


@pytest.fixture(scope="module")
def server(numeric: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """MLflow's scoring server on the booster that the bundle holds."""
    folder = tmp_path_factory.mktemp("mlflow") / "model"
    specs = [ColSpec("double", "amount"), ColSpec("double", "income"), ColSpec("long", "term")]
    mlflow.xgboost.save_model(numeric.booster, str(folder), signature=ModelSignature(Schema(specs)))
    with TestClient(scoring_server.init(load_model(str(folder))), raise_server_exceptions=False) as client:
        yield client


def theirs(server: TestClient, body: Any, content_type: str | None = "application/json") -> tuple[int, Any]:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {"content-type": content_type} if content_type else {}
    answer = server.post("/invocations", content=content, headers=headers)
    return answer.status_code, answer.json() if answer.status_code == 200 else None


@pytest.mark.parametrize("case", IDENTICAL)
def test_the_same_payload_gets_the_same_status_and_predictions_as_from_mlflow(
    case: str, server: TestClient, numeric: Any, ask: Any
) -> None:
    status, body = theirs(server, IDENTICAL[case])
    ours = ask(numeric.root, IDENTICAL[case])
    assert ours.status == status
    if status == 200:
        assert ours.body["predictions"] == body["predictions"]


@pytest.mark.parametrize("case", DIFFERENT)
def test_a_deliberate_difference_is_exactly_the_documented_one(
    case: str, server: TestClient, numeric: Any, ask: Any
) -> None:
    different = DIFFERENT[case]
    body = "" if isinstance(different.body, bytes) else different.body
    assert theirs(server, different.body, different.content_type)[0] == different.mlflow
    assert ask(numeric.root, body, content_type=different.content_type or "").status == different.ours


def typed_server(kind: ColumnType) -> TestClient:
    """MLflow's server in front of a model that has one column of `kind` and answers zeros."""
    model = Model(signature=ModelSignature(Schema([ColSpec(kind, "x")])))
    model.add_flavor("python_function", loader_module="none")
    return TestClient(scoring_server.init(PyFuncModel(model, Zeros())), raise_server_exceptions=False)


class Zeros:
    """A model."""

    def predict(self, frame: pd.DataFrame, params: object = None) -> Any:  # noqa: ARG002  MLflow's signature
        return np.zeros(len(frame))


def contract_status(kind: ColumnType, value: Any) -> int:
    contract = Contract("p", Task("regression"), (Column("x", kind),))
    try:
        contract.check({"x": [value]})
    except ContractError:
        return 400
    return 200


@pytest.mark.parametrize(("kind", "value", "status"), SAME_TYPES)
def test_a_value_of_each_type_is_taken_or_refused_as_by_mlflow(kind: ColumnType, value: Any, status: int) -> None:
    with typed_server(kind) as server:
        assert theirs(server, split([[value]], ["x"]))[0] == status
    assert contract_status(kind, value) == status


@pytest.mark.parametrize("case", DIFFERENT_TYPES)
def test_a_deliberate_difference_in_types_is_exactly_the_documented_one(case: str) -> None:
    kind, value, status, ours = DIFFERENT_TYPES[case]
    with typed_server(kind) as server:
        assert theirs(server, split([[value]], ["x"]))[0] == status
    assert contract_status(kind, value) == ours


def test_the_documented_differences_are_the_tested_ones() -> None:
    section = DOCS.read_text(encoding="utf-8").split("## Where it differs")[1].split("\n## ")[0]
    documented = {
        name: (int(mlflow_status), int(ours))
        for name, mlflow_status, ours in re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", section, re.MULTILINE)
    }
    tested = {name: (case.mlflow, case.ours) for name, case in DIFFERENT.items()}
    tested |= {name: (case[2], case[3]) for name, case in DIFFERENT_TYPES.items()}
    assert documented == tested


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_the_paths_of_mlflow_answer(path: str, server: TestClient, numeric: Any, ask: Any) -> None:
    assert server.get(path).status_code == 200
    assert ask(numeric.root, None, path, "GET").status == 200
