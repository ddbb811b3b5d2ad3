"""Which period a delivery is of, by its name: a year, a month, a day or an hour, in the producer's own time zone.

A name that tells a period promises the whole of it and nothing else. Where it ends is a matter of the zone: the last
flight of July in New York is one of August in UTC. A name that tells none promises nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Every = Literal["year", "month", "day", "hour"]
Instants = NDArray[np.datetime64]

_DIGITS = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}", "%H": r"\d{2}"}
_NEEDS: dict[Every, tuple[str, ...]] = {
    "year": ("%Y",),
    "month": ("%Y", "%m"),
    "day": ("%Y", "%m", "%d"),
    "hour": ("%Y", "%m", "%d", "%H"),
}
_LABELS: dict[Every, str] = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
_LONGER: dict[Every, timedelta] = {
    "year": timedelta(days=366),
    "month": timedelta(days=31),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
}


@dataclass(frozen=True)
class Span:
    """One period: its label, and the instants from `begin` until before `end`, in UTC."""

    label: str
    begin: datetime
    end: datetime

    def outside(self, instants: Instants) -> NDArray[np.bool_]:
        """Say for each instant (n,) in UTC whether it lies outside; a missing one does not."""
        begin, end = (np.datetime64(at.replace(tzinfo=None), "us") for at in (self.begin, self.end))
        return ((instants < begin) | (instants >= end)) & ~np.isnat(instants)


class PeriodPolicy(BaseModel):
    """One delivery is one period of the product's time column, as its file's name says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Every
    name: Annotated[
        str, Field(min_length=2, description="How a file's name tells its period, as in strptime: %Y-%m in a-2013-07.")
    ]
    zone: Annotated[str, Field(description="The zone whose midnight begins a period.")] = "UTC"

    @model_validator(mode="after")
    def _tells_a_period(self) -> Self:
        told = re.findall("%.", self.name)
        if sorted(told) != sorted(_NEEDS[self.every]):
            raise ValueError(f"period.name: a {self.every} is told by {' '.join(_NEEDS[self.every])}, each once")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"period.zone: there is no time zone {self.zone!r}") from None
        return self

    def of_name(self, key: str) -> Span | None:
        """Return the period a file's name tells; None when it tells none, an impossible one, or two different ones."""
        parts = re.split("(%.)", self.name)
        pattern = "".join(_DIGITS.get(part) or re.escape(part) for part in parts)
        told = set(re.findall(rf"(?<!\d){pattern}(?!\d)", key.rpartition("/")[2]))
        if len(told) != 1:
            return None
        try:
            return self._span(datetime.strptime(told.pop(), self.name))  # noqa: DTZ007  it gets its zone below
        except (ValueError, OverflowError):
            return None

    def label(self, instant: datetime) -> str:
        """Return the label of the period an instant lies in; one without a zone is UTC."""
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return aware.astimezone(ZoneInfo(self.zone)).strftime(_LABELS[self.every])

    def _span(self, begin: datetime) -> Span:
        return Span(begin.strftime(_LABELS[self.every]), self._instant(begin), self._instant(self._next(begin)))

    def _next(self, begin: datetime) -> datetime:
        """Return where the next period begins on the wall's clock: an hour that repeats is one period of two hours."""
        later = begin + _LONGER[self.every]
        if self.every == "year":
            return datetime(begin.year + 1, 1, 1)  # noqa: DTZ001  wall-clock
        return later.replace(day=1) if self.every == "month" else later

    def _instant(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)
