"""What is kept of one hour of the prediction log: sums, and under which keys. Pure.

The log is kept by the hour of delivery, so one part belongs to one such hour; a record that was delivered late is
summed under the hour in which it was answered. A part is made again when its objects are others than they were, and
the same objects make the same part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle.monitoring import MonitorPolicy
from lifecycle.profiles import Count
from lifecycle.sketch import Sketch, merge
from lifecycle.sketching import NO_BUNDLE

HOUR = timedelta(hours=1)
_CLOSED = ConfigDict(frozen=True, extra="forbid")


class HourSketch(BaseModel):
    """The requests of one bundle that were answered in one hour."""

    model_config = _CLOSED

    hour: AwareDatetime
    sketch: Sketch


class LogPart(BaseModel):
    """The sums of everything delivered in one hour.

    `listing` is the digest of the objects they were made of. `repeats`: records met before; `strangers`: lines that
    are no record; `undescribed`: answered rows whose columns the bundle could not read.
    """

    model_config = _CLOSED

    format: Literal[1] = 1
    hour: AwareDatetime
    listing: str
    records: Count = 0
    repeats: Count = 0
    strangers: Count = 0
    undescribed: Count = 0
    sketches: tuple[HourSketch, ...] = ()


@dataclass(frozen=True)
class Window:
    """Requests answered in [since, until) by one bundle, added up; `none`: those that reached no model."""

    since: datetime
    until: datetime
    sketch: Sketch
    none: Sketch | None

    @property
    def serving(self) -> Sketch:
        """Return the sums with the requests that reached no model, which are the product's failures all the same."""
        if self.none is None:
            return self.sketch
        counted = ("requests", "failed", "refused", "cold")
        sums = {name: getattr(self.sketch, name) + getattr(self.none, name) for name in counted}
        return self.sketch.model_copy(update={**sums, "warm": self.sketch.warm.merged(self.none.warm)})


def part_key(product: str, hour: datetime) -> str:
    """Return the key of a part's sums."""
    return f"{parts_prefix(product)}{hour.astimezone(UTC):dt=%Y-%m-%d/hour=%H}/sums.json"


def rows_key(product: str, hour: datetime) -> str:
    """Return the key of a part's rows: digests of prediction ids with scores and times."""
    return f"{parts_prefix(product)}{hour.astimezone(UTC):dt=%Y-%m-%d/hour=%H}/rows.parquet"


def parts_prefix(product: str) -> str:
    """Return the prefix of a product's parts."""
    return f"metrics/{product}/parts/"


def hour_of(moment: datetime) -> datetime:
    """Return the hour (UTC) a moment lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hours_between(since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the hours (UTC) that touch [since, until], the oldest first."""
    hour = hour_of(since)
    while hour <= until:
        yield hour
        hour += HOUR


def listing_of(objects: Iterable[tuple[str, int, datetime]]) -> str:
    """Return the digest of keys, sizes and times of objects, in any order."""
    lines = sorted(f"{key} {size} {modified.isoformat()}" for key, size, modified in objects)
    return sha256("\n".join(lines).encode()).hexdigest()


def gather(parts: Iterable[LogPart], start: Sketch, span: timedelta, policy: MonitorPolicy, now: datetime) -> Window:
    """Add up the newest hours of a bundle: at least `span`, and further back until there are rows enough.

    `parts` come newest first, without a gap in what matters, and only as many as needed are taken. `start` is the
    bundle's empty sketch. The recent window goes back no further than `recent_reach`, any other than `reach`.
    """
    farthest = now - (policy.recent_reach if span <= policy.recent else policy.reach)
    wanted, reached, rows = now - span, hour_of(now) + HOUR, 0
    known: dict[datetime, list[Sketch]] = {}
    for part in parts:
        if _enough(reached, wanted, rows, policy) or part.hour < farthest - HOUR:
            break
        for one in part.sketches:
            if one.sketch.bundle in (start.bundle, NO_BUNDLE):
                known.setdefault(one.hour, []).append(one.sketch)
        reached = part.hour
        rows = sum(one.rows for hour, found in known.items() if hour >= reached for one in found)
    since = max(hour_of(farthest), min(reached, hour_of(wanted)))
    inside = [one for hour, found in sorted(known.items()) if hour >= since for one in found]
    none = [one for one in inside if one.bundle == NO_BUNDLE]
    return Window(
        since=since,
        until=now,
        sketch=merge(start, (one for one in inside if one.bundle == start.bundle)),
        none=merge(none[0], none[1:]) if none else None,
    )


def between(parts: Iterable[LogPart], start: Sketch, since: datetime, until: datetime) -> Sketch:
    """Add up a bundle's hours in [since, until); `parts` are those delivered then and for a day after."""
    found = [
        one.sketch
        for part in parts
        for one in part.sketches
        if since <= one.hour < until and one.sketch.bundle == start.bundle
    ]
    return merge(start, found)


def _enough(reached: datetime, wanted: datetime, rows: int, policy: MonitorPolicy) -> bool:
    return reached <= wanted and rows >= policy.min_rows
