"""What each column of a table is for: key, time, feature and of which kind, or nothing, with the reason.

Made from a profile alone. Which columns give the target away is found on values, in `lifecycle/giveaways.py`, and
laid over it. Every guess is written into `product.yaml` with its reason, where a person changes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lifecycle.profiling import ColumnProfile, TableProfile

Role = Literal[
    "target", "time", "number", "category", "encoded", "text", "date", "missing",
    "key", "identifier", "constant", "empty", "giveaway", "later",
]  # fmt: skip
USED: frozenset[Role] = frozenset({"number", "category", "encoded", "text", "date", "missing"})

# A category of so many levels is coded; more are told by their mean label (see lifecycle/encoding.py).
CODED_LEVELS = 255
# A level that comes once or twice teaches nothing: with fewer rows per level a column names its rows.
_ROWS_PER_LEVEL = 2
_SENTENCE_WORDS = 4
_LONG_TEXT = 100
# Of an event time nearly every row must have one; the others take no part.
_UNTIMED = 0.01
_FEWEST_TIMES = 10
# Of all pairs of an instant and a level nearly every one is there.
_FULL_GRID = 0.8
_ID = re.compile(r"(^|[_\W])(id|ids|key|uuid|guid|no|nr|num|number|code|zip|postcode|ref)$|[a-z]Id$", re.IGNORECASE)
_ROW_NUMBER = re.compile(r"^(index|idx|row|row_?(id|no|nr|num|number)|line|unnamed.*)$", re.IGNORECASE)
_EVENT = re.compile(r"(^|[_\W])(time|timestamp|date|datetime|day|at|when|created|month|week)$", re.IGNORECASE)
_NO_EVENT = re.compile(r"birth|dob|expir|due|end|valid|closed|finish|until", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """What one column is for, and why."""

    name: str
    role: Role
    why: str


def guess_time(table: TableProfile, target: str) -> str | None:
    """Return the column that says when a row happened: a date nearly every row has, by its name, then its detail."""
    fits = [
        one
        for one in table.columns
        if one.moments is not None
        and one.name != target
        and one.missing_share <= _UNTIMED
        and one.distinct >= _FEWEST_TIMES
        and not _NO_EVENT.search(one.name)
    ]
    named = [one for one in fits if _EVENT.search(one.name)]
    return max(named or fits, key=lambda one: one.distinct).name if fits else None


def key_candidates(table: TableProfile, target: str, time: str | None) -> tuple[tuple[str, ...], ...]:
    """Return sets of columns that may identify a row, the likeliest first; whether one does is for values to say."""
    whole = [one for one in table.columns if one.missing == 0 and one.name != target and not _is_row_number(one)]
    named = [one.name for one in whole if _ID.search(one.name) and _can_name(one)]
    words = [one.name for one in whole if one.texts is not None and one.texts.words < _ROWS_PER_LEVEL]
    single = [*named, *(name for name in words if name not in named)]
    when = [time] if time and table[time].missing == 0 else []
    pairs = [(name, other) for at, name in enumerate(named) for other in [*named[at + 1 :], *when]]
    triples = [(first, second, *when) for first, second in pairs if when and second != time]
    grids = [(*when, one.name) for one in whole if when and _is_grid(table, table[when[0]], one)]
    return (*((name,) for name in single), *pairs, *triples, *grids)


def guess_parts(table: TableProfile, target: str, time: str | None, grain: Sequence[str]) -> tuple[Part, ...]:
    """Return what every column is for, in the table's order."""
    return tuple(_part(one, target, time, grain) for one in table.columns)


def overlay(parts: Sequence[Part], found: Mapping[str, tuple[Role, str]]) -> tuple[Part, ...]:
    """Return the parts with what values said about some columns laid over."""
    return tuple(
        Part(part.name, *found[part.name]) if part.name in found and part.role in USED else part for part in parts
    )


def _part(one: ColumnProfile, target: str, time: str | None, grain: Sequence[str]) -> Part:
    if one.name == target:
        return Part(one.name, "target", "what is predicted")
    if one.name == time:
        return Part(one.name, "time", "when the row happened")
    role, why = _role(one)
    if one.name in grain and role in ("number", "encoded", "identifier"):
        return Part(one.name, "key", "identifies the row, no quantity")
    return Part(one.name, role, why)


def _role(one: ColumnProfile) -> tuple[Role, str]:
    if one.empty:
        return "empty", "no value at all"
    if one.distinct == 1:
        if one.missing:
            return "missing", "one value or none: whether there is one"
        return "constant", "the same value in every row"
    if one.moments is not None:
        return "date", "a date"
    return _text_role(one) if one.texts is not None else _number_role(one)


def _text_role(one: ColumnProfile) -> tuple[Role, str]:
    assert one.texts is not None  # noqa: S101  for the type checker
    prose = one.texts.words >= _SENTENCE_WORDS or one.texts.longest > _LONG_TEXT
    if prose and one.distinct > CODED_LEVELS:
        return "text", "sentences: their length, not their meaning"
    return _levels_role(one)


def _number_role(one: ColumnProfile) -> tuple[Role, str]:
    assert one.numbers is not None  # noqa: S101  for the type checker
    if _is_row_number(one):
        return "identifier", "counts the rows"
    if one.numbers.whole and _ID.search(one.name):
        return _levels_role(one)
    return "number", f"{_short(one.numbers.least)} to {_short(one.numbers.most)}"


def _levels_role(one: ColumnProfile) -> tuple[Role, str]:
    if one.present < _ROWS_PER_LEVEL * one.distinct:
        return "identifier", f"{one.distinct:,} different values in {one.present:,} rows: it names rows"
    if one.distinct <= CODED_LEVELS:
        return "category", f"{one.distinct:,} levels"
    return "encoded", f"{one.distinct:,} levels: the mean label of each"


def _is_grid(table: TableProfile, time: ColumnProfile, one: ColumnProfile) -> bool:
    """Say whether a column cuts each instant into its rows: a table with nearly a row for each of both.

    Otherwise two columns of many values are unique together by chance.
    """
    levels = one.distinct if one.name != time.name and _can_name(one) else 0
    return levels > 1 and table.rows - table.repeats >= _FULL_GRID * time.distinct * levels


def _can_name(one: ColumnProfile) -> bool:
    return one.texts is not None or (one.numbers is not None and one.numbers.whole)


def _is_row_number(one: ColumnProfile) -> bool:
    return one.numbers is not None and one.numbers.counting and bool(_ROW_NUMBER.match(one.name))


def _short(value: float) -> str:
    return (
        f"{value:,.0f}" if float(value).is_integer() else f"{np.format_float_positional(value, precision=4, trim='-')}"
    )
