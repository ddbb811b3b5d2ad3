"""The type of a column nobody has declared yet: of texts by what all of them can be read as, of Parquet by its own.

A column becomes a number or a date when nearly every value is one; the few others will cost their rows, and are
told. Numbers that are names (leading zeros, more digits than a float holds) stay text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.declaration import Column, ColumnType
from tasks.parsing import MISSING, parse_text

# One value in a hundred may be something else: more, and the column is what it says it is, text.
TOLERATED = 0.01
# A hundred values in the order they came tell what a column is not, at a hundredth of the time.
_FIRST, _HOPELESS = 100, 0.2
_DATE_FORMATS = (
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S",
    "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%m/%d/%y", "%d/%m/%y",
)  # fmt: skip
_NAME_IN_DIGITS = re.compile(r"[+-]?0\d+|[+-]?\d{16,}")
_MONEY = re.compile(r"[$€£]\s?-?[\d.,]+|-?[\d.,]+\s?[$€£%]")
_COMPACT_DATE = re.compile(r"(19|20)\d{6}")


@dataclass(frozen=True)
class Typed:
    """A column's type, the share of its values that are none, and what a person should know about it."""

    type: ColumnType
    format: str | None = None
    bad: float = 0.0
    note: str = ""


def type_of_texts(name: str, texts: pa.Array, decimal: str) -> Typed:
    """Return what the texts of a CSV column are."""
    counted = pc.value_counts(pc.utf8_trim_whitespace(texts))
    values, counts = counted.field("values"), np.asarray(counted.field("counts"))
    given = np.asarray(pc.invert(pc.is_in(values, value_set=pa.array(MISSING))))
    values, counts = values.filter(pa.array(given)), counts[given]
    if not len(values):
        return Typed("string", note="no value at all")
    plain = cast("list[str]", values.to_pylist())
    if all(_COMPACT_DATE.fullmatch(text) for text in plain) and _bad(name, "datetime", values, counts, "%Y%m%d") == 0:
        return Typed("datetime", "%Y%m%d")
    if {text.lower() for text in plain} <= {"true", "false"}:
        return Typed("boolean")
    if not any(_NAME_IN_DIGITS.fullmatch(text) for text in plain):
        tried = [Typed(kind, bad=_bad(name, kind, values, counts, None, decimal)) for kind in _NUMBERS]
        best = min(tried, key=lambda one: one.bad)  # one fraction among whole numbers is no fault
        if best.bad <= TOLERATED:
            return best
    return _date(name, values, counts) or _text(plain)


def date_of_texts(name: str, texts: pa.Array) -> Typed | None:
    """Return the form of dates that a text column of Parquet holds, None when it holds other text."""
    counted = pc.value_counts(texts.drop_null())
    if not len(counted):
        return None
    return _date(name, counted.field("values"), np.asarray(counted.field("counts")))


def type_of_arrow(kind: pa.DataType) -> Typed | None:
    """Return what a Parquet column is, None for what no product can declare: lists, structs, bytes, times."""
    if pa.types.is_dictionary(kind):
        return type_of_arrow(kind.value_type)
    for of_kind, declared in _KINDS:
        if of_kind(kind):
            return Typed(declared)
    return None


def _date(name: str, values: pa.Array, counts: np.ndarray) -> Typed | None:
    """Return the form of dates that fits best; of day first and month first alike, that is said."""
    found = [(form, _bad(name, "datetime", values, counts, form)) for form in (None, *_DATE_FORMATS)]
    fits = [(form, bad) for form, bad in found if bad <= TOLERATED]
    if not fits:
        return None
    form, bad = min(fits, key=lambda one: one[1])
    alike = [other for other, share in fits if share == bad and other != form]
    note = f"its dates also read as {alike[0]}" if alike else ""
    return Typed("datetime", form, bad, note)


def _text(plain: list[str]) -> Typed:
    money = sum(_MONEY.fullmatch(text) is not None for text in plain)
    if money > (1 - TOLERATED) * len(plain):
        return Typed(
            "string", note="amounts with a sign, which are text here: deliver plain numbers to learn from them"
        )
    return Typed("string")


def _bad(
    name: str, kind: ColumnType, values: pa.Array, counts: np.ndarray, form: str | None, decimal: str = "."
) -> float:
    """Return the share of values that are nothing of a kind; 1 when already many of the first are not."""
    column = Column(name=name or "x", type=kind, format=form)
    if len(values) > _FIRST and parse_text(column, values.slice(0, _FIRST), decimal).bad.mean() > _HOPELESS:
        return 1.0
    parsed = parse_text(column, values, decimal)
    wrong = parsed.bad | parsed.infinite
    return float(counts[wrong].sum() / counts.sum())


_NUMBERS: tuple[ColumnType, ...] = ("long", "double")
_KINDS: tuple[tuple[Callable[[pa.DataType], bool], ColumnType], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "long"),
    (pa.types.is_floating, "double"),
    (pa.types.is_decimal, "double"),
    (pa.types.is_timestamp, "datetime"),
    (pa.types.is_date, "datetime"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_null, "string"),
)
