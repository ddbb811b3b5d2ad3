"""Features that are declared instead of written: parts of dates, lengths of text, missingness, ratios.

Each looks at its own row only and has nothing to fit, so training and serving cannot differ. Everything comes
out as a number, NaN where it is not known. What is fitted is `lifecycle/encoding.py` and `lifecycle/level_means.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array, Column, is_missing
from lifecycle.encoding import FeatureError

# `days`: since 1970, for what grows with time. `age`: days before the row's event time.
DatePart = Literal["year", "month", "day", "weekday", "hour", "yearday", "days", "age"]
Kind = Literal["date", "length", "words", "missing", "ratio"]
DATE_PARTS: tuple[str, ...] = get_args(DatePart)

_DAY = np.timedelta64(1, "D")
_THURSDAY = 3  # 1970-01-01, counted from Monday


@dataclass(frozen=True)
class Transform:
    """One declared feature: its name, what is done, with which columns; `part` of a date."""

    name: str
    kind: Kind
    columns: tuple[str, ...]
    part: str = ""


def check(transform: Transform, inputs: Mapping[str, Column]) -> None:
    """Raise FeatureError unless the columns are inputs of a type the transform can use."""
    for name in transform.columns:
        if name not in inputs:
            raise FeatureError(f"The feature {transform.name!r} needs {name!r}, which is no input.")
        wanted = _TYPES[transform.kind]
        if wanted and inputs[name].type not in wanted:
            raise FeatureError(
                f"The feature {transform.name!r} needs {' or '.join(wanted)}, and {name!r} is {inputs[name].type}."
            )


def apply(transform: Transform, table: Mapping[str, Array]) -> NDArray[np.float64]:
    """Return one declared feature (n,) of normalised columns."""
    given = [table[name] for name in transform.columns]
    if transform.kind == "date":
        return _part(transform.part, *given)
    return _ROWWISE[transform.kind](*given)


def _part(part: str, dates: Array, *event_times: Array) -> NDArray[np.float64]:
    """Return a part of dates (n,) in UTC; weekday 0 is Monday, yearday 1 is the first of January."""
    days = dates.astype("datetime64[D]")
    if part == "age":
        return _days(event_times[0] - dates)
    if part == "days":
        return _days(dates - np.datetime64(0, "us"))
    months = dates.astype("datetime64[M]")
    years = dates.astype("datetime64[Y]")
    wholes: dict[str, Any] = {
        "year": years.astype(np.int64) + 1970,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        "weekday": (days.astype(np.int64) + _THURSDAY) % 7,
        "hour": (dates - days).astype("timedelta64[h]").astype(np.int64),
        "yearday": (days - years.astype("datetime64[D]")).astype(np.int64) + 1,
    }
    return np.where(np.isnat(dates), np.nan, wholes[part].astype(np.float64))


def _days(spans: Array) -> NDArray[np.float64]:
    return np.asarray(spans / _DAY, dtype=np.float64)  # NaT becomes NaN


def _length(texts: Array) -> NDArray[np.float64]:
    return np.array([np.nan if text is None else len(text) for text in texts.tolist()], dtype=np.float64)


def _words(texts: Array) -> NDArray[np.float64]:
    return np.array([np.nan if text is None else len(text.split()) for text in texts.tolist()], dtype=np.float64)


def _missing(values: Array) -> NDArray[np.float64]:
    if values.dtype.kind == "M":
        return np.isnat(values).astype(np.float64)
    if values.dtype.kind == "O":
        return np.array([is_missing(value) for value in values.tolist()], dtype=np.float64)
    return np.isnan(values).astype(np.float64)


def _ratio(dividend: Array, divisor: Array) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        found = dividend / np.where(divisor == 0, np.nan, divisor)
    return np.where(np.isfinite(found), found, np.nan)


_ROWWISE: dict[str, Callable[..., NDArray[np.float64]]] = {
    "length": _length,
    "words": _words,
    "missing": _missing,
    "ratio": _ratio,
}
_NUMBERS = ("double", "long", "boolean")
_TYPES: dict[Kind, tuple[str, ...]] = {
    "date": ("datetime",),
    "length": ("string",),
    "words": ("string",),
    "missing": (),
    "ratio": _NUMBERS,
}
