"""One column of a JSON request to an array: strict about types, blind to values in its messages."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lifecycle.columns import Array, Column, is_missing, parse_instant
from lifecycle.refusal import ContractError, RefusalCode

# The model computes in float32; beyond this a finite number becomes infinite.
FLOAT32_MAX = float(np.finfo(np.float32).max)

_EXPECTED = {
    "double": "a number",
    "long": "a whole number",
    "boolean": "true or false",
    "string": "a string",
    "datetime": "a string with an ISO 8601 date",
}
_ALLOWED: dict[str, frozenset[type]] = {
    "double": frozenset({int, float}),
    "long": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "string": frozenset({str}),
    "datetime": frozenset({str}),
}
_FOUND: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    type(None): "null",
    list: "a list",
    dict: "an object",
}


def read_values(column: Column, values: Sequence[object], *, max_string: int) -> Array:
    """Return `values` (n) as the column's kind of array. Raises ContractError naming the column and the row."""
    kinds = set(map(type, values)) - {type(None)}
    if strange := kinds - _ALLOWED[column.type]:
        row = _first(values, lambda value: type(value) in strange)
        found = _FOUND.get(type(values[row]), "something else")
        raise _refuse("wrong_type", column, row, f"expected {_EXPECTED[column.type]}, found {found}")
    if not column.nullable and (row := _first(values, is_missing)) >= 0:
        raise _refuse("missing_value", column, row, f"expected {_EXPECTED[column.type]}, found nothing")
    if column.type == "string":
        return _strings(column, values, max_string)
    if column.type == "datetime":
        return _instants(column, values)
    return _numbers(column, values)


def _numbers(column: Column, values: Sequence[Any]) -> Array:
    try:
        numbers = np.array(values, dtype=np.float64)  # None becomes NaN
        large = np.abs(numbers) > FLOAT32_MAX
        row = int(large.argmax()) if large.any() else -1
    except OverflowError:  # a whole number beyond float64
        row = _first(values, lambda value: value is not None and abs(value) > FLOAT32_MAX)
    if row >= 0:
        raise _refuse("not_finite", column, row, "expected a finite number of at most 3.4e38, found a larger one")
    if column.type == "long" and (broken := np.flatnonzero(numbers != np.trunc(numbers))).size:
        rows = [row for row in broken.tolist() if not np.isnan(numbers[row])]
        if rows:
            raise _refuse("wrong_type", column, rows[0], "expected a whole number, found a fraction")
    return numbers


def _strings(column: Column, values: Sequence[Any], max_string: int) -> Array:
    if (row := _first(values, lambda value: value is not None and len(value) > max_string)) >= 0:
        found = f"expected at most {max_string} characters, found {len(values[row])}"
        raise _refuse("string_too_long", column, row, found)
    texts = np.empty(len(values), dtype=object)
    texts[:] = values
    return texts


def _instants(column: Column, values: Sequence[Any]) -> Array:
    instants = np.full(len(values), "NaT", dtype="datetime64[us]")
    for row, text in enumerate(values):
        if text is None:
            continue
        try:
            instants[row] = parse_instant(text)
        except (ValueError, OverflowError):
            raise _refuse("wrong_type", column, row, "expected an ISO 8601 date, found other text") from None
    return instants


def _first(values: Sequence[Any], holds: Callable[[Any], bool]) -> int:
    return next((row for row, value in enumerate(values) if holds(value)), -1)


def _refuse(code: RefusalCode, column: Column, row: int, what: str) -> ContractError:
    return ContractError(code, f"Column {column.name!r}, row {row}: {what}.")
