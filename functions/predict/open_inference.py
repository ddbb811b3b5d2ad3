"""The Open Inference Protocol v2, thinly: JSON tensors in, one tensor of predictions out.

Binary tensors, gRPC and model repositories are deliberately not here.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from functions.predict.answer import Answer
from functions.predict.invocations import Given
from functions.predict.refusals import malformed
from lifecycle.contract import Contract

_TENSOR_TYPES = {"double": "FP64", "long": "INT64", "boolean": "BOOL", "string": "BYTES", "datetime": "BYTES"}
_DATATYPES = frozenset(
    {"BOOL", "BYTES", "FP16", "FP32", "FP64"} | {f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
)
_MATRIX = 2  # dimensions


def parse(body: Mapping[str, object], names: Sequence[str]) -> Given:
    """Return columns: from a tensor (n) or (n, 1) each, or from one matrix (n, columns). Raises RefusalError."""
    tensors = body.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        raise malformed("inputs must be a list of at least one tensor.")
    columns: dict[str, Sequence[object]] = {}
    for position, tensor in enumerate(tensors):
        name, shape, values = _tensor(position, tensor)
        if len(shape) == _MATRIX and shape[1] != 1:
            if len(tensors) != 1 or shape[1] != len(names):
                raise malformed(f"A matrix must be the only tensor and have {len(names)} columns.")
            return {column: values[index :: shape[1]] for index, column in enumerate(names)}
        if name in columns:
            raise malformed(f"Tensor {position} repeats the name of an earlier one.")
        columns[name] = values
    return columns


def describe(contract: Contract, version: str) -> dict[str, object]:
    """Return the model's metadata."""
    inputs = [{"name": one.name, "datatype": _TENSOR_TYPES[one.type], "shape": [-1]} for one in contract.columns]
    shape = [-1, len(contract.task.classes)] if contract.task.kind == "multiclass" else [-1]
    return {
        "name": contract.product,
        "versions": [version],
        "platform": "xgboost",
        "inputs": inputs,
        "outputs": [{"name": "predictions", "datatype": "FP32", "shape": shape}],
    }


def render(answer: Answer, body: Mapping[str, object], contract: Contract, version: str) -> dict[str, object]:
    """Return the body of an inference response; the caller's id comes back when it is text."""
    asked = body.get("id")
    parameters = {"prediction_ids": list(answer.prediction_ids), **answer.violations()}
    output = {
        "name": "predictions",
        "datatype": "FP32",
        "shape": list(answer.predictions.shape),
        "data": np.ravel(answer.predictions).tolist(),
    }
    named = {"id": asked} if isinstance(asked, str) else {}
    return {
        "model_name": contract.product,
        "model_version": version,
        **named,
        "parameters": parameters,
        "outputs": [output],
    }


def _tensor(position: int, tensor: object) -> tuple[str, list[int], list[object]]:
    if not isinstance(tensor, dict):
        raise malformed(f"Tensor {position} is not an object.")
    name, shape, data = tensor.get("name"), tensor.get("shape"), tensor.get("data")
    if not isinstance(name, str):
        raise malformed(f"Tensor {position} has no name.")
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in _DATATYPES:
        raise malformed(f"Tensor {position} has no datatype of the protocol, such as FP64, INT64 or BYTES.")
    if not isinstance(shape, list) or len(shape) not in (1, _MATRIX) or not all(type(size) is int for size in shape):
        raise malformed(f"Tensor {position} needs a shape of one or two whole numbers.")
    if not isinstance(data, list):
        raise malformed(f"Tensor {position} needs data, a list.")
    flat = _flat(data, shape[-1])
    if flat is None or min(shape) < 0 or math.prod(shape) != len(flat):
        raise malformed(f"Tensor {position} does not hold what its shape says.")
    return name, shape, flat


def _flat(data: list[object], width: int) -> list[object] | None:
    """Return row-major values given flat or as rows of `width`; None when the rows are of another width."""
    if not any(isinstance(row, list) for row in data):
        return data
    if not all(isinstance(row, list) and len(row) == width for row in data):
        return None
    return [value for row in data if isinstance(row, list) for value in row]
