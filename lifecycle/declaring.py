"""From what each column is for to what `product.yaml` declares: features, columns, limits.

Plain consequences of the guesses; nothing is guessed here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lifecycle.batch import Limits
from lifecycle.declaration import Column, Features
from lifecycle.guessing import USED, Part
from lifecycle.profiling import ColumnProfile, TableProfile
from lifecycle.transforms import DatePart

# Below so many rows a column without gaps may merely not have shown one yet.
_SURE_OF_GAPS = 1_000
_NUMBERS = ("long", "double")
# Of less than two years a month of the year is seen once: a model would learn the year, not the season.
_TWO_YEARS = np.timedelta64(730, "D")
# The next files may be twenty times the first one before they are refused unread.
_TIMES_AS_MUCH = 20
_LEAST_BYTES, _LEAST_ROWS, _LEAST_COLUMNS, _LEAST_CHARACTERS = 10_000_000, 10_000, 100, 100


def features_of(table: TableProfile, parts: Sequence[Part], time: str | None) -> Features:
    """Return the declared features."""

    def named(*roles: str) -> tuple[str, ...]:
        return tuple(part.name for part in parts if part.role in roles)

    dates = {part.name: _date_parts(table[part.name], time) for part in parts if part.role == "date"}
    if time is not None and (own := _event_parts(table[time])):
        dates = {time: own, **dates}
    return Features(
        numbers=named("number"),
        categories=named("category"),
        encoded=named("encoded"),
        dates=dates,
        lengths=named("text"),
        missing=named("missing"),
    )


def columns_of(
    found: Sequence[Column], table: TableProfile, parts: Sequence[Part], needed: Sequence[str], features: Features
) -> tuple[Column, ...]:
    """Return the columns with their gaps and inputs declared. `needed`: those without which a row is no row.

    Where one number has gaps, another one without has not had them yet: what measures or joins them is the same.
    """
    roles = {part.name: part.role for part in parts}
    torn = {column.type for column in found if column.type in _NUMBERS and table[column.name].missing}
    columns = []
    for column in found:
        one = table[column.name]
        unsure = one.rows < _SURE_OF_GAPS or column.type in torn
        gaps = one.missing > 0 or (unsure and column.name not in needed)
        used = roles[column.name] in USED or column.name in features.dates
        columns.append(column.model_copy(update={"nullable": gaps, "input": used}))
    return tuple(columns)


def limits_of(size: int, table: TableProfile) -> Limits:
    """Return limits with room for growth, from the largest file's bytes and the profile."""
    longest = max((one.texts.longest for one in table.columns if one.texts is not None), default=0)
    rows = max(_LEAST_ROWS, _round(table.rows * _TIMES_AS_MUCH))
    columns = max(_LEAST_COLUMNS, 2 * len(table.columns))
    return Limits(
        max_bytes=max(_LEAST_BYTES, _round(size * _TIMES_AS_MUCH)),
        max_rows=rows,
        max_columns=columns,
        max_cells=max(rows * columns, Limits().max_cells),
        max_field_characters=max(_LEAST_CHARACTERS, _round(4 * longest)),
    )


def _event_parts(one: ColumnProfile) -> tuple[DatePart, ...]:
    """Return what of the event time may be learned: what comes round again, never the date itself."""
    assert one.moments is not None  # noqa: S101  for the type checker
    parts: list[DatePart] = ["weekday"]
    if one.moments.clock:
        parts.append("hour")
    if one.moments.last - one.moments.first >= _TWO_YEARS:
        parts.append("month")
    return tuple(parts)


def _date_parts(one: ColumnProfile, time: str | None) -> tuple[DatePart, ...]:
    """Return what of another date may be learned: how long ago it was, or when, and where in the year and week."""
    assert one.moments is not None  # noqa: S101  for the type checker
    parts: list[DatePart] = ["days" if time is None else "age", "month", "weekday"]
    return (*parts, "hour") if one.moments.clock else tuple(parts)


def _round(number: int) -> int:
    """Round up to two digits, so that a limit reads like one."""
    step = int(10 ** max(len(str(number)) - 2, 0))
    return -(-number // step) * step
