"""Raw columns: their declared types, and the three kinds of array everything after them may rely on.

Whatever a column was read from, the code behind it sees float64 with NaN (double, long, boolean), object of
str with None (string) or datetime64[us] in UTC with NaT (datetime). One function makes them, for training and
for serving. It deliberately repairs nothing: a string is never read as a number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lifecycle.errors import ProductError

ColumnType = Literal["double", "long", "boolean", "string", "datetime"]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)

Array = NDArray[Any]
Columns = Mapping[str, Array]

_NUMBER_KINDS = "fiub"


class ColumnError(ProductError):
    """A column does not hold what it is declared to hold. The message never quotes a value."""


@dataclass(frozen=True)
class Column:
    """One raw column known at prediction time.

    `required`: a request without it is refused; an optional one that is absent counts as missing.
    `nullable`: single values may be missing.
    """

    name: str
    type: ColumnType
    required: bool = True
    nullable: bool = True

    def __post_init__(self) -> None:
        """Refuse an unknown type."""
        if not self.name:
            raise ColumnError("A column has no name.")
        if self.type not in COLUMN_TYPES:
            raise ColumnError(f"Column {self.name!r} has the type {self.type!r}; known are {', '.join(COLUMN_TYPES)}.")


def missing(column: Column, rows: int) -> Array:
    """Return a column of `rows` missing values in the column's kind of array."""
    if column.type == "string":
        return np.full(rows, None, dtype=object)
    if column.type == "datetime":
        return np.full(rows, "NaT", dtype="datetime64[us]")
    return np.full(rows, np.nan)


def normalise(column: Column, values: Array) -> Array:
    """Return `values` (n,) as the column's kind of array, themselves when they are. Raises ColumnError."""
    if values.ndim != 1:
        raise ColumnError(f"Column {column.name!r} has {values.ndim} dimensions, expected 1.")
    if column.type == "string":
        return _strings(column, values)
    if column.type == "datetime":
        return _instants(column, values)
    return _numbers(column, values)


def is_missing(value: object) -> bool:
    """Tell whether one value of an object array stands for nothing: None, NaN or NaT."""
    if value is None:
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def parse_instant(text: str) -> np.datetime64:
    """Return the instant of an ISO 8601 text in UTC; a text without an offset is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "us")


def level(value: object) -> str | None:
    """Return the text of one category level, None for missing. 3, 3.0 and True-as-1 read the same in every source."""
    if is_missing(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, int | float | np.number | np.bool_):
        number = float(value)
        return str(int(number)) if math.isfinite(number) and number.is_integer() else repr(number)
    raise ColumnError(f"A category level is a {type(value).__name__}; expected text or a number.")


def _numbers(column: Column, values: Array) -> Array:
    if values.dtype.kind in _NUMBER_KINDS:
        return values.astype(np.float64, copy=False)
    if values.dtype.kind != "O":
        raise _unexpected(column, str(values.dtype), "numbers")
    plain = [np.nan if is_missing(value) else value for value in values.tolist()]
    strange = next((value for value in plain if not isinstance(value, int | float | np.number | np.bool_)), None)
    if strange is not None:
        raise _unexpected(column, type(strange).__name__, "numbers")
    return np.array(plain, dtype=np.float64)


def _strings(column: Column, values: Array) -> Array:
    if values.dtype.kind not in "OU":
        raise _unexpected(column, str(values.dtype), "text")
    plain = [None if is_missing(value) else value for value in values.tolist()]
    strange = next((value for value in plain if value is not None and not isinstance(value, str)), None)
    if strange is not None:
        raise _unexpected(column, type(strange).__name__, "text")
    return _objects(plain)


def _instants(column: Column, values: Array) -> Array:
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]", copy=False)
    texts = _strings(column, values).tolist()
    try:
        return np.array([np.datetime64("NaT") if text is None else parse_instant(text) for text in texts], "M8[us]")
    except (ValueError, OverflowError):
        raise _unexpected(column, "text of another form", "ISO 8601 dates") from None


def _objects(values: list[Any]) -> Array:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _unexpected(column: Column, found: str, expected: str) -> ColumnError:
    return ColumnError(f"Column {column.name!r} is declared {column.type} and holds {found}; expected {expected}.")
