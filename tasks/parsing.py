"""One delivered column to the product's type, with the rows that do not hold what they should.

Texts of a CSV are parsed; the types of a Parquet file are kept or widened, never parsed from text except dates.
It deliberately guesses nothing: "1,400 mi" is no number, and text keeps its case and blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lifecycle.columns import parse_instant
from lifecycle.spec import Column

Mask = NDArray[np.bool_]

# What pandas, R and databases write for "no value" in a column that is not text. In a text column only the
# empty field is missing: "NA" is also Namibia.
MISSING = ("", "NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_INSTANT = pa.timestamp("us", tz="UTC")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Parsed:
    """A column in its type; where a value was `bad` (another kind of thing) or `infinite` it is null."""

    values: pa.Array
    bad: Mask
    infinite: Mask


def arrow_type(column: Column) -> pa.DataType:
    """Return the type a published column has."""
    return {
        "double": pa.float64(),
        "long": pa.int64(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "datetime": _INSTANT,
    }[column.type]


def parse_text(column: Column, texts: pa.Array, decimal: str = ".") -> Parsed:
    """Parse the texts of a CSV column. With a decimal comma a point makes no number: 1.234 may mean either."""
    if column.type == "string":
        return _clean(_nulled(texts, pc.equal(texts, "")))
    trimmed = pc.utf8_trim_whitespace(texts)
    given = _nulled(trimmed, pc.is_in(trimmed, value_set=pa.array(MISSING)))
    if column.type == "boolean":
        return _by_value(given, lambda text: _TRUTHS[text.lower()], pa.bool_())
    if column.type == "datetime":
        return _by_value(given, _reader(column), _INSTANT)
    if decimal != ".":
        pointed = pc.match_substring(given, ".")
        given = pc.if_else(pointed, pa.scalar("?"), pc.replace_substring(given, decimal, "."))
    return _parse_whole(given) if column.type == "long" else _parse_numbers(given)


def convert(column: Column, values: pa.Array) -> Parsed | None:
    """Keep or widen the values of a Parquet column; None when its type is another kind of thing altogether."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return convert(column, pc.cast(values, kind.value_type))
    if pa.types.is_null(kind):
        return _clean(pa.nulls(len(values), arrow_type(column)))
    if column.type in ("long", "double") and _is_number(kind):
        return _whole(values) if column.type == "long" else _finite(pc.cast(values, pa.float64(), safe=False))
    if column.type == "datetime" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return _clean(
            pc.cast(pc.cast(values, pa.timestamp("us", kind.tz if _is_zoned(kind) else None), safe=False), _INSTANT)
        )
    if column.type == "datetime" and _is_text(kind):
        return _by_value(pc.cast(values, pa.string()), _reader(column), _INSTANT)
    as_declared = {"string": _is_text, "boolean": pa.types.is_boolean}.get(column.type)
    return _clean(pc.cast(values, arrow_type(column))) if as_declared and as_declared(kind) else None


def _parse_numbers(texts: pa.Array) -> Parsed:
    """Parse doubles. The fast way parses all at once and fails on the first text that is none."""
    try:
        return _finite(pc.cast(texts, pa.float64()))
    except pa.ArrowInvalid:
        parsed = _by_value(texts, _number, pa.float64())
        return Parsed(*_finite_parts(parsed.values, parsed.bad))


def _parse_whole(texts: pa.Array) -> Parsed:
    """Parse whole numbers; "517.0" is one, as pandas writes it in a column that also has missing values."""
    try:
        return _clean(pc.cast(texts, pa.int64()))
    except pa.ArrowInvalid:
        parsed = _by_value(texts, _whole_number, pa.int64())
        infinite = _mask(pc.match_substring_regex(texts, r"(?i)^[+-]?inf(inity)?$"))
        return Parsed(parsed.values, parsed.bad & ~infinite, infinite)


def _whole(values: pa.Array) -> Parsed:
    """Turn numbers of any kind into whole ones."""
    if pa.types.is_integer(values.type):
        whole = pc.cast(values, pa.int64(), safe=False)
        wrapped = pc.and_(pc.less(whole, 0), values.type == pa.uint64())  # beyond 63 bits
        return Parsed(_nulled(whole, wrapped), _mask(wrapped), _none(values))
    numbers = _finite(pc.cast(values, pa.float64(), safe=False))
    odd = pc.or_(pc.not_equal(numbers.values, pc.round(numbers.values)), pc.greater(pc.abs(numbers.values), 2.0**53))
    return Parsed(pc.cast(_nulled(numbers.values, odd), pa.int64()), _mask(odd), numbers.infinite)


def _finite(numbers: pa.Array) -> Parsed:
    return Parsed(*_finite_parts(numbers, _none(numbers)))


def _finite_parts(numbers: pa.Array, bad: Mask) -> tuple[pa.Array, Mask, Mask]:
    return _nulled(numbers, pc.invert(pc.is_finite(numbers))), bad, _mask(pc.is_inf(numbers))


def _by_value(texts: pa.Array, parse: Callable[[str], float | datetime], kind: pa.DataType) -> Parsed:
    """Parse each different text once; `parse` raises ValueError, KeyError or OverflowError for what it cannot read."""
    coded = pc.dictionary_encode(texts)
    meaning: list[float | datetime | None] = []
    for text in coded.dictionary.to_pylist():
        try:
            meaning.append(parse(text))
        except (ValueError, KeyError, OverflowError):
            meaning.append(None)
    values = pc.take(pa.array(meaning, kind), coded.indices)
    return Parsed(values, _mask(pc.and_(pc.is_null(values), pc.is_valid(texts))), _none(texts))


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return float(text)


def _whole_number(text: str) -> int:
    number = _number(text)
    if not number.is_integer():
        raise ValueError
    whole = int(text) if text.lstrip("+-").isdigit() else int(number)
    if not -(2**63) <= whole < 2**63:
        raise OverflowError
    return whole


def _reader(column: Column) -> Callable[[str], datetime]:
    """Return what reads a date of this column: ISO 8601, or its declared format; without an offset it is UTC."""
    form = column.format
    return _instant if form is None else lambda text: _instant(datetime.strptime(text, form).isoformat())  # noqa: DTZ007


def _instant(text: str) -> datetime:
    return cast("datetime", parse_instant(text).item())


def _clean(values: pa.Array) -> Parsed:
    return Parsed(values, _none(values), _none(values))


def _nulled(values: pa.Array, where: pa.Array) -> pa.Array:
    return pc.if_else(pc.fill_null(where, False), pa.scalar(None, values.type), values)  # noqa: FBT003  arrow's own


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_zoned(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _none(values: pa.Array) -> Mask:
    return np.zeros(len(values), dtype=bool)


def _mask(values: pa.Array) -> Mask:
    mask: Mask = np.asarray(pc.fill_null(values, False), dtype=bool)  # noqa: FBT003  arrow's own signature
    return mask
