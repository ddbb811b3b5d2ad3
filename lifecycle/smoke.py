"""The first question a new function version is asked, and whether its answer will do.

Pure. It proves that the version starts, holds the model it should and computes numbers; how good those numbers
are was judged before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.columns import Column
from lifecycle.contract import Contract

_VALUES: dict[str, object] = {
    "double": 1.0,  # not 0: a product's own feature may divide or take a logarithm
    "long": 1,
    "boolean": True,
    "string": "a",
    "datetime": "2026-01-01T00:00:00Z",
}
_OK = 200


@dataclass(frozen=True)
class SmokeVerdict:
    """Whether a version may take traffic. `reason` says what was found and what was expected."""

    passed: bool
    reason: str


def request(contract: Contract) -> dict[str, object]:
    """Return a body of POST /invocations with two rows: every value present, and everything optional missing.

    It says that it is synthetic, so that its record is never counted as somebody's request.
    """
    first = [_value(column, contract) for column in contract.columns]
    second = [None if column.nullable else value for column, value in zip(contract.columns, first, strict=True)]
    split = {"columns": [column.name for column in contract.columns], "data": [first, second]}
    return {"dataframe_split": split, "params": {"synthetic": True}}


def judge(answer: Mapping[str, Any], model_version: str) -> SmokeVerdict:
    """Judge what a direct invoke of POST /invocations returned."""
    if answer.get("status") != _OK:
        found = str(answer.get("message") or answer.get("errorMessage") or answer.get("error") or "no reason")
        return SmokeVerdict(passed=False, reason=f"It answered status {answer.get('status')}: {found[:300]}")
    if answer.get("model_version") != model_version:
        found = f"It answers as model {answer.get('model_version')}, expected {model_version}."
        return SmokeVerdict(passed=False, reason=found)
    predictions = answer.get("predictions")
    if not isinstance(predictions, list) or not predictions:
        return SmokeVerdict(passed=False, reason="It answered without predictions.")
    if not all(_finite(prediction) for prediction in predictions):
        return SmokeVerdict(passed=False, reason="It answered with a prediction that is no finite number.")
    return SmokeVerdict(passed=True, reason=f"{len(predictions)} finite predictions as model {model_version}.")


def _value(column: Column, contract: Contract) -> object:
    levels = contract.categories.get(column.name)
    return levels[0] if levels and column.type == "string" else _VALUES[column.type]


def _finite(prediction: object) -> bool:
    if isinstance(prediction, list):
        return bool(prediction) and all(_finite(part) for part in prediction)
    return isinstance(prediction, int | float) and not isinstance(prediction, bool) and math.isfinite(prediction)
