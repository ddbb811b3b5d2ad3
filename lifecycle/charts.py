"""Charts as values: what is drawn, named and explained, before anybody draws it. Pure.

Every chart can be read without being seen: it is a table as well. Drawing is `tasks/drawing.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["bars", "stacked", "lines", "points", "across"]
Tone = Literal["first", "second", "third", "fourth", "muted", "ok", "warn", "bad"]
# In the order in which series without a meaning of their own are told apart.
PALETTE: tuple[Tone, ...] = ("first", "second", "third", "fourth")
ABSENT = "—"


@dataclass(frozen=True)
class Series:
    """One value per place of a chart (n,), None where there is none; `lower` and `upper` bound it where they are given.

    `dashed` lines are limits that move from place to place; `hollow` points may still change.
    """

    name: str
    values: tuple[float | None, ...]
    tone: Tone = "first"
    lower: tuple[float | None, ...] | None = None
    upper: tuple[float | None, ...] | None = None
    dashed: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class Limit:
    """A value that is not to be exceeded, or one to compare with."""

    name: str
    value: float
    tone: Tone = "warn"


@dataclass(frozen=True)
class Table:
    """Rows under headings, all text; columns named in `numeric` hold numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    caption: str = ""


@dataclass(frozen=True)
class Chart:
    """Series over the same places, which are moments or names. Axes say their unit; `caption` is a sentence.

    `across` lies on its side: names go down, values to the right. Raises ValueError for a series of another length.
    """

    kind: Kind
    title: str
    x_label: str
    y_label: str
    places: tuple[datetime | str, ...]
    series: tuple[Series, ...]
    caption: str
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that belong to no place."""
        for one in self.series:
            for values in (one.values, one.lower or one.values, one.upper or one.values):
                if len(values) != len(self.places):
                    raise ValueError(f"{self.title}: {len(values)} values of {one.name} for {len(self.places)} places")

    @property
    def over_time(self) -> bool:
        """Say whether the places are moments."""
        return bool(self.places) and isinstance(self.places[0], datetime)

    def table(self) -> Table:
        """Return the same numbers as a table, with the limits as a last sentence."""
        names = [one.name for one in self.series]
        rows = tuple((_place(place), *(_shown(one, at) for one in self.series)) for at, place in enumerate(self.places))
        limits = "; ".join(f"{one.name}: {number(one.value)}" for one in self.limits)
        head = (self.y_label, self.x_label) if self.kind == "across" else (self.x_label, self.y_label)
        caption = f"{self.title}: {head[1]}. {limits}".strip()
        return Table((head[0], *names), rows, frozenset(names), caption)


def number(value: float | None) -> str:
    """Return a number in three figures, whole ones as they are; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if float(value).is_integer() and abs(value) < 1e15:  # noqa: PLR2004  beyond it floats are no longer exact
        return f"{int(value):,}"
    return f"{value:,.3g}" if abs(value) < 1_000 else f"{value:,.0f}"  # noqa: PLR2004


def percent(value: float | None) -> str:
    """Return a share within 0 and 1 as percent; a dash where there is none."""
    return ABSENT if value is None else f"{value:.3g} %" if value == 0 else f"{100 * value:.3g} %"


def moment(at: datetime | None) -> str:
    """Return a time in UTC to the minute; a dash where there is none."""
    return ABSENT if at is None else f"{at:%Y-%m-%d %H:%M}"


def lasting(span: timedelta) -> str:
    """Return a length of time in its largest whole units: `1 d`, `1 h 30 min`."""
    left, told = int(span.total_seconds()), list[str]()
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        if count:
            told.append(f"{count} {unit}")
    return " ".join(told) or "0 s"


def toned(position: int) -> Tone:
    """Return the tone of the series at a position."""
    return PALETTE[position % len(PALETTE)]


def _place(place: datetime | str) -> str:
    return moment(place) if isinstance(place, datetime) else place


def _shown(series: Series, at: int) -> str:
    value, bounds = number(series.values[at]), (series.lower, series.upper)
    low, high = (None if one is None else one[at] for one in bounds)
    return value if low is None or high is None else f"{value} [{number(low)}, {number(high)}]"
