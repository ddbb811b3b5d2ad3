"""The first expectation suites of a product, written from its profile: every rule with a severity and a why.

critical for what makes a whole delivery another kind of thing (volume, gaps, distributions, codings); warning for
single values that cannot be; nothing else, for an alarm that nobody acts on teaches people to ignore alarms. The
grain, types and the header are ingest's own business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lifecycle import tolerances
from lifecycle.columns import level
from lifecycle.expectation import Expectation
from lifecycle.guessing import CODED_LEVELS, USED, Part
from lifecycle.profiling import ColumnProfile, TableProfile
from lifecycle.task_guess import class_counts

_YEARS = np.timedelta64(5 * 365, "D")
_FIRST, _LAST = np.datetime64("1000-01-01", "s"), np.datetime64("9999-12-31", "s")  # ISO 8601 has four digits
_ROOM_FOR_TEXT = 4
_TWO = 2
_QUARTILES = (0.25, 0.5, 0.75)
Scalar = str | float | int | bool | None


@dataclass(frozen=True)
class Subject:
    """What a suite is about: the profile, what the columns are for, the target's classes, the usual rows of a file."""

    table: TableProfile
    parts: Sequence[Part]
    target: str
    classes: bool
    usual_rows: int
    nullable: Mapping[str, bool] = field(default_factory=dict)

    @property
    def least(self) -> int:
        """Return the fewest rows of a delivery."""
        return tolerances.row_bounds(self.usual_rows)[0]


def raw_suite(subject: Subject) -> tuple[Expectation, ...]:
    """Return the rules for a delivery as it lands."""
    found = [_row_count(subject)]
    for part in subject.parts:
        one = subject.table[part.name]
        if part.role in ("empty", "identifier"):
            continue
        found += _missing(one, subject)
        if part.role == "target":
            found += _target(one, subject)
        elif part.role not in ("key", "constant"):
            found += _values(one, part, subject)
    return tuple(found)


def features_suite(subject: Subject, min_rows: int) -> tuple[Expectation, ...]:
    """Return the rules for the matrix that a model learns from: what the gate let in, and nothing made on the way."""
    why = "Fewer rows teach nothing; the training policy asks for as many."
    found = [Expectation("expect_table_row_count_to_be_between", "critical", {"min_value": min_rows}, why)]
    for part in subject.parts:
        one = subject.table[part.name]
        if part.role == "number" and one.numbers is not None and tolerances.always_seen(one, min_rows):
            low, high = (_as_float32(bound) for bound in tolerances.number_range(one.numbers))
            kwargs = {"column": part.name, "min_value": low, "max_value": high}
            why = "As in the raw suite: the gate has let nothing else in, so another value was made by the transform."
            found.append(Expectation("expect_column_values_to_be_between", "critical", kwargs, why))
    return tuple(found)


def _row_count(subject: Subject) -> Expectation:
    least, most = tolerances.row_bounds(subject.usual_rows)
    why = (
        f"The smallest file has {subject.usual_rows:,} rows. Fewer than {least:,} are a stub to judge nothing by; "
        f"more than {tolerances.MOST_TIMES} times as many are several deliveries in one. Set both to your own rhythm."
    )
    return Expectation("expect_table_row_count_to_be_between", "critical", {"min_value": least, "max_value": most}, why)


def _missing(one: ColumnProfile, subject: Subject) -> Iterator[Expectation]:
    """A column that may be missing may not be missing more than it was."""
    if not subject.nullable.get(one.name, True):
        return
    most = tolerances.most_missing(one, subject.least)
    if most >= 1 - 1 / subject.least:
        return
    why = f"Missing in {_percent(one.missing_share)} of the rows seen. More than {_percent(most)} is a lost column."
    kwargs = {"column": one.name, "mostly": round(1 - most, 4)}
    yield Expectation("expect_column_values_to_not_be_null", "critical", kwargs, why)


def _values(one: ColumnProfile, part: Part, subject: Subject) -> Iterator[Expectation]:
    if not tolerances.always_seen(one, subject.least):
        return
    if one.numbers is not None:
        yield from _number(one, subject, quartiles=part.role in USED)
    elif one.moments is not None:
        yield _date(one)
    elif one.texts is not None:
        if part.role in ("category", "giveaway") and one.distinct <= CODED_LEVELS:
            yield from _levels(one, subject)
        yield _length(one)


def _number(one: ColumnProfile, subject: Subject, *, quartiles: bool) -> Iterator[Expectation]:
    assert one.numbers is not None  # noqa: S101  for the type checker
    low, high = tolerances.number_range(one.numbers)
    kwargs: dict[str, object] = {"column": one.name, "min_value": _plain(low), "max_value": _plain(high)}
    why = f"Seen: {_told(one.numbers.least)} to {_told(one.numbers.most)}, with room beyond. -999 is a missing value."
    yield Expectation("expect_column_values_to_be_between", "warning", kwargs, why)
    if not quartiles or one.present < subject.least or one.distinct <= _TWO:
        return
    least = max(int(subject.least * (1 - tolerances.most_missing(one, subject.least))), 2)
    found = {share: tolerances.quantile_bounds(one.numbers, share, one.present, least) for share in _QUARTILES}
    bounds = {share: bound for share, bound in found.items() if bound is not None}
    if bounds:
        # One rule for all: Great Expectations judges two rules on quantiles of one column by the same quantiles.
        ranges = [[_plain(end) for end in bound] for bound in bounds.values()]
        seen = ", ".join(f"{_told(one.numbers.quantile(share))} at {share:.0%}" for share in bounds)
        yield Expectation(
            "expect_column_quantile_values_to_be_between",
            "critical",
            {"column": one.name, "quantile_ranges": {"quantiles": list(bounds), "value_ranges": ranges}},
            f"Seen: {seen} of the values. Further off it is another unit, or another population.",
        )


def _date(one: ColumnProfile) -> Expectation:
    assert one.moments is not None  # noqa: S101  for the type checker
    first, last = (value.astype("datetime64[s]") for value in (one.moments.first, one.moments.last))
    span = max(last - first, np.timedelta64(365, "D"))
    until = min(last + _YEARS, _LAST)
    kwargs = {"column": one.name, "min_value": _instant(max(first - span, _FIRST)), "max_value": _instant(until)}
    why = f"Seen: {str(first)[:10]} to {str(last)[:10]}. Before is a wrong clock; five years on, move the bound."
    return Expectation("expect_column_values_to_be_between", "warning", kwargs, why)


def _levels(one: ColumnProfile, subject: Subject) -> Iterator[Expectation]:
    assert one.texts is not None  # noqa: S101  for the type checker
    allowed = tolerances.new_levels(one.texts, one.present)
    if allowed >= 1 - 1 / subject.least:
        return
    chance = tolerances.SPREADS * (allowed * (1 - allowed) / subject.least) ** 0.5
    kwargs = {
        "column": one.name,
        "value_set": sorted(one.texts.levels),
        "mostly": round(1 - min(allowed + chance, 0.95), 4),
    }
    why = f"The {one.distinct} levels seen. New ones may come; more than {_percent(allowed)} of them is another coding."
    yield Expectation("expect_column_values_to_be_in_set", "critical", kwargs, why)


def _length(one: ColumnProfile) -> Expectation:
    assert one.texts is not None  # noqa: S101  for the type checker
    most = max(_ROOM_FOR_TEXT * one.texts.longest, 20)
    kwargs = {"column": one.name, "min_value": min(one.texts.shortest, 1), "max_value": most}
    why = f"Texts seen have {one.texts.shortest} to {one.texts.longest} characters."
    return Expectation("expect_column_value_lengths_to_be_between", "warning", kwargs, why)


def _target(one: ColumnProfile, subject: Subject) -> Iterator[Expectation]:
    """Classes keep their names and, within bounds, their shares; a number keeps its range and its quartiles."""
    if not subject.classes:
        yield from _number(one, subject, quartiles=True)
        return
    counts = class_counts(one)
    values: list[Scalar] = [*sorted(counts)] if one.texts is not None else _values_of(one)
    if len(counts) == _TWO:
        why = "The two classes. Another value is no label."
        kwargs: dict[str, object] = {"column": one.name, "value_set": values}
        yield Expectation("expect_column_values_to_be_in_set", "warning", kwargs, why)
    else:
        kwargs = {"column": one.name, "value_set": values, "mostly": round(1 - tolerances.NEW_LEVELS, 4)}
        why = "The classes seen. New ones may come; more than 5 % under new names is another coding."
        yield Expectation("expect_column_values_to_be_in_set", "critical", kwargs, why)
    most = max(counts, key=lambda text: counts[text])
    low = tolerances.usual_share(counts[most], one.present, subject.least)
    if low > 0:
        value = most if one.texts is not None else next(v for v in _values_of(one) if level(v) == most)
        kwargs = {"column": one.name, "value_set": [value], "mostly": round(low, 4)}
        why = f"{_percent(counts[most] / one.present)} of the labels seen. Less than {_percent(low)} is another target."
        yield Expectation("expect_column_values_to_be_in_set", "critical", kwargs, why, "DISTRIBUTION")


def _values_of(one: ColumnProfile) -> list[Scalar]:
    values = sorted(one.numbers.levels) if one.numbers is not None else []
    if one.column.type == "boolean":
        return [bool(value) for value in values]
    return [_plain(value) for value in values]


def _plain(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _as_float32(bound: float) -> float:
    """Return a bound that no float32 of a value within it passes."""
    outward = np.float32(np.inf if bound > 0 else -np.inf)
    return 0 if bound == 0 else float(np.nextafter(np.float32(bound), outward))


def _instant(value: np.datetime64) -> str:
    return f"{np.datetime_as_string(value, unit='s')}+00:00"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _told(value: float) -> str:
    return f"{value:,.6g}"
