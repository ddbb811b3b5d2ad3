"""The Open Inference Protocol v2, as far as it is spoken here."""

from typing import Any

import pytest

VALUES = {"amount": [1000.0, 50000.0], "income": [30000.0, 20000.0], "term": [36, 60]}
TYPES = {"amount": "FP64", "income": "FP64", "term": "INT64"}
INFER = "/v2/models/loans/infer"


def tensor(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": [2], "datatype": TYPES[name], "data": VALUES[name]} | more


TENSORS = [tensor(name) for name in VALUES]
MATRIX: dict[str, Any] = {
    "name": "x",
    "shape": [2, 3],
    "datatype": "FP64",
    "data": [list(row) for row in zip(*VALUES.values(), strict=True)],
}
FLAT = MATRIX | {"data": [value for row in MATRIX["data"] for value in row]}


@pytest.fixture
def expected(numeric: Any, ask: Any) -> list[float]:
    predictions: list[float] = ask(numeric.root, {"inputs": VALUES}).body["predictions"]
    return predictions


@pytest.mark.parametrize("path", [INFER, "/v2/models/loans/versions/3/infer"])
@pytest.mark.parametrize(
    "inputs",
    [TENSORS, TENSORS[::-1], [tensor(name, shape=[2, 1]) for name in VALUES], [MATRIX], [FLAT]],
    ids=["columns", "another order", "columns of shape n,1", "matrix", "flat matrix"],
)
def test_tensors_get_the_same_predictions_as_mlflows_protocol(
    inputs: Any, path: str, numeric: Any, ask: Any, expected: list[float]
) -> None:
    answer = ask(numeric.root, {"id": "42", "inputs": inputs}, path)
    assert answer.status == 200
    assert answer.body | {"parameters": None} == {
        "id": "42",
        "model_name": "loans",
        "model_version": "3",
        "parameters": None,
        "outputs": [{"name": "predictions", "datatype": "FP32", "shape": [2], "data": expected}],
    }


def test_text_booleans_and_dates_come_as_tensors_too(loans: Any, ask: Any) -> None:
    row = {"amount": 1.0, "income": 2.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01"}
    types = {"amount": "FP32", "income": "FP32", "sched": "INT32", "new": "BOOL", "purpose": "BYTES", "at": "BYTES"}
    inputs = [{"name": n, "shape": [1], "datatype": types[n], "data": [value]} for n, value in row.items()]
    answer = ask(loans.root, {"inputs": inputs}, INFER)
    assert answer.body["outputs"][0]["data"] == ask(loans.root, {"dataframe_records": [row]}).body["predictions"]


def test_several_classes_come_as_a_matrix(any_task: Any, ask: Any) -> None:
    row = {"amount": 1.0, "income": 2.0, "sched": 915, "new": True, "purpose": "car"}
    inputs = [{"name": n, "shape": [1], "datatype": "BYTES", "data": [value]} for n, value in row.items()]
    output = ask(any_task.root, {"inputs": inputs}, INFER).body["outputs"][0]
    assert output["shape"] == ([1, 3] if any_task.contract.task.kind == "multiclass" else [1])


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        [],
        [1],
        {},
        [tensor("amount") | {"name": 7}],
        [tensor("amount", datatype="FLOAT")],
        [tensor("amount", shape=[3])],
        [tensor("amount", shape=[-1])],
        [tensor("amount", shape=[1, 1, 2])],
        [tensor("amount", shape=[True])],
        [tensor("amount", data=1)],
        [tensor("amount"), tensor("amount")],
        [MATRIX, tensor("amount")],
        [MATRIX | {"shape": [3, 2]}],
        [MATRIX | {"data": [[1, 2, 3, 4], [5, 6]]}],
        TENSORS[:2],
    ],
)
def test_a_broken_tensor_is_a_400(inputs: Any, numeric: Any, ask: Any) -> None:
    answer = ask(numeric.root, {"inputs": inputs}, INFER)
    assert answer.status == 400
    assert answer.body["error"] == answer.body["message"]


def test_the_metadata_names_inputs_and_outputs(numeric: Any, ask: Any) -> None:
    answer = ask(numeric.root, None, "/v2/models/loans", "GET")
    assert answer.body == {
        "name": "loans",
        "versions": ["3"],
        "platform": "xgboost",
        "inputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in TYPES.items()],
        "outputs": [{"name": "predictions", "datatype": "FP32", "shape": [-1]}],
    }
    assert ask(numeric.root, None, "/v2/models/loans/versions/3/ready", "GET").body == {"ready": True}
