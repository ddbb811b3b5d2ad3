"""A batch's place among the others of its product: which ones it replaces, and whether it comes late. Pure.

A file that lands again under its name replaces what it brought before. So does one whose name tells the same period,
unless it is so much smaller that it can only be a part of it: then its rows are added, and of rows with the same
grain the newest counts. Replaced batches stay where they are; they only no longer count for training.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lifecycle.batch import Reason, shown
from lifecycle.codes import Code

# Corrections change some rows and drop a few. With less than half of them a file is a stub, or rows that came late.
LEAST_SHARE = 0.5
_MINUTES = 16  # characters of an ISO 8601 time to the minute


@dataclass(frozen=True)
class Placed:
    """What decides about a batch's place. `landed_at`, `first` and `last` (event times): ISO 8601 in UTC."""

    batch_id: str
    key: str
    landed_at: str
    rows: int
    period: str | None = None
    first: str | None = None
    last: str | None = None


def replaces(newer: Placed, older: Placed) -> bool:
    """Say whether a batch takes another's place. Which of the two is newer is not asked here."""
    if newer.batch_id == older.batch_id:
        return False
    return newer.key == older.key or (_same_period(newer, older) and newer.rows >= LEAST_SHARE * older.rows)


def replaced(batches: Iterable[Placed]) -> dict[str, str]:
    """Return which batches no longer count, each with the one that took its place. Their order does not matter."""
    standing: dict[str, Placed] = {}
    gone: dict[str, str] = {}
    by_place: dict[tuple[str, str], set[str]] = {}
    for batch in sorted(batches, key=lambda one: (one.landed_at, one.batch_id)):
        places = [("key", batch.key), *([("period", batch.period)] if batch.period else [])]
        rivals = {name for place in places for name in by_place.get(place, ()) if name in standing}
        for name in sorted(rivals):
            if replaces(batch, standing[name]):
                gone[name] = batch.batch_id
                del standing[name]
        standing[batch.batch_id] = batch
        for place in places:
            by_place.setdefault(place, set()).add(batch.batch_id)
    return gone


def remarks(new: Placed, others: Iterable[Placed]) -> tuple[Reason, ...]:
    """Say what a batch replaces, what it is too small to replace, and whether newer rows had come before it."""
    known = [other for other in others if other.batch_id != new.batch_id]
    gone = replaced(known)
    standing = [other for other in known if other.batch_id not in gone and other.landed_at <= new.landed_at]
    told = []
    for other in standing:
        if replaces(new, other):
            what = f"of {new.period}" if _same_period(new, other) else "of the same name"
            told.append(_remark(Code.SUPERSEDES, f"batch {_shown(other)} {what}", "this one to take its place"))
        elif _same_period(new, other):
            found = f"{new.rows:,} rows of {new.period}, beside batch {_shown(other)}"
            told.append(_remark(Code.PART_OF_PERIOD, found, "rows to be added; nothing is replaced"))
    newest = max((other.first for other in standing if other.first), default=None)
    if newest is not None and new.last is not None and new.last < newest:
        late = f"rows until {new.last[:_MINUTES]}, after rows from {newest[:_MINUTES]} on had come"
        told.append(_remark(Code.LATE, late, "rows in the order of their time; they count where they belong"))
    return tuple(told)


def _same_period(one: Placed, other: Placed) -> bool:
    return one.period is not None and one.period == other.period


def _shown(batch: Placed) -> str:
    return f"{shown(batch.batch_id)} ({batch.rows:,} rows)"


def _remark(code: Code, found: str, expected: str) -> Reason:
    return Reason(code, None, found, expected)
