"""What was known of a key before: the mean, count, sum, least, largest or last value of its earlier rows.

A row sees the past as it stood at the beginning of its stretch of time, never its own stretch: while a model serves,
its past ends where its training data did, and a training that saw more would promise what serving cannot keep. What
is known only some time after a row happened, its label above all, counts from then on (`delay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array
from lifecycle.timeline import NOTHING, NOWHERE, Instants, Mask, Places, Timeline, known_from, packed, unpacked

Floats = NDArray[np.float64]
Stat = Literal["mean", "count", "sum", "min", "max", "last"]
# What a key without earlier rows has: as many as none, which sum to nothing.
_OF_NOTHING: Mapping[str, float] = {"count": 0.0, "sum": 0.0}


@dataclass(frozen=True)
class History:
    """One declared history: of the rows with the same values `by`, `take` of the column `of`.

    `of` "" counts rows. `window`: only what became known so long ago or less. `delay`: how long after a row's time
    its value is known; the row's own instant is never before itself, so no delay means: any time after.
    """

    name: str
    by: tuple[str, ...]
    of: str
    take: tuple[Stat, ...]
    window: timedelta | None = None
    delay: timedelta = timedelta(0)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the features it becomes."""
        return tuple(f"{self.name}.{stat}" for stat in self.take)


@dataclass(frozen=True)
class Rows:
    """The rows that have happened: a key each (n,) or None, times (n,) or NaT, and values (n,) with NaN."""

    keys: Array
    times: Instants
    values: Floats


@dataclass(frozen=True, eq=False)
class Remembered:
    """A history with its fitted state: what was known of each key, (entries, stats) float32, and from when on."""

    history: History
    timeline: Timeline
    values: Array

    @property
    def empty(self) -> Mask:
        """Return which entries (e,) say what is said of an unknown key."""
        return np.asarray(
            ((self.values == self._nothing) | np.isnan(self.values) & np.isnan(self._nothing)).all(axis=1)
        )

    def features(self, keys: Array, times: Instants) -> Array:
        """Return the features (n, stats) float32 of rows; NaN for rows without a key or a time."""
        places = self.timeline.find(keys, times)
        found = np.empty((len(places), len(self.history.take)), dtype=np.float32)
        found[places == NOWHERE] = np.nan
        found[places == NOTHING] = self._nothing
        found[places >= 0] = self.values[places[places >= 0]]
        return found

    def kept(self, most: int) -> Remembered:
        """Return the newest part of at most `most` entries."""
        timeline, places = self.timeline.kept(most, self.empty)
        return Remembered(self.history, timeline, self.values[places])

    def state(self) -> dict[str, Any]:
        """Return the declaration and the entries for JSON."""
        one = self.history
        return {
            "name": one.name,
            "by": list(one.by),
            "of": one.of,
            "take": list(one.take),
            "window_s": None if one.window is None else one.window.total_seconds(),
            "delay_s": one.delay.total_seconds(),
            **self.timeline.state(),
            "values": packed(self.values.astype("<f4")),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Remembered:
        """Read `state` back. Raises KeyError, TypeError or ValueError for anything else."""
        take, window = tuple(state["take"]), state["window_s"]
        one = History(
            state["name"],
            tuple(state["by"]),
            state["of"],
            take,
            None if window is None else timedelta(seconds=window),
            timedelta(seconds=state["delay_s"]),
        )
        return cls(one, Timeline.from_state(state), unpacked(state["values"], "<f4").reshape(-1, len(take)))

    @property
    def _nothing(self) -> Array:
        return np.array([_OF_NOTHING.get(stat, np.nan) for stat in self.history.take], dtype=np.float32)


def remember(history: History, rows: Rows, step: np.timedelta64, ends: np.datetime64) -> Remembered:
    """Fit a history on all rows there are. Entries before an instant depend on no row at or after it."""
    used = ~np.isnat(rows.times) & ~np.isnan(rows.values)
    used &= np.array([key is not None for key in rows.keys.tolist()], dtype=bool)
    told = rows.keys[used].tolist()
    keys = tuple(sorted(set(told)))
    book = {key: code for code, key in enumerate(keys)}
    codes = np.array([book[key] for key in told], dtype=np.int64)
    # A row is never before itself: what is known at once is known an instant later.
    known: Instants = np.add(rows.times[used], max(_span(history.delay), np.timedelta64(1, "us")))
    order = np.lexsort((known, codes))
    codes, known, values = codes[order], known[order], rows.values[used][order]
    points, at = _changes(history, codes, known, step, ends)
    first, last = _ranges(history, codes, known, points, at)
    taken = np.column_stack([_taken(stat, values, first, last) for stat in history.take]).astype(np.float32)
    return Remembered(history, Timeline(keys, points.astype(np.int32), at), taken)


def _changes(
    history: History, codes: Places, known: Instants, step: np.timedelta64, ends: np.datetime64
) -> tuple[Places, Instants]:
    """Return the codes (p,) and instants (p,) at which what is known of a key changes: rows come, or leave a window."""
    at = known_from(known, step, ends)
    if history.window is not None:
        at = np.concatenate((at, known_from(known + _span(history.window), step, ends)))
        codes = np.tile(codes, 2)
    moments, ranks = np.unique(at[at <= ends], return_inverse=True)
    pairs = np.unique(codes[at <= ends] * len(moments) + ranks)
    return pairs // max(len(moments), 1), moments[pairs % max(len(moments), 1)]


def _ranges(history: History, codes: Places, known: Instants, points: Places, at: Instants) -> tuple[Places, Places]:
    """Return for each point the range of sorted rows of its key that are known by then and not too long."""
    moments = np.unique(known)
    width = len(moments) + 1
    ranked = codes * width + np.searchsorted(moments, known, side="right")

    def upto(instants: Instants | None) -> Places:
        rank = 0 if instants is None else np.searchsorted(moments, instants, side="right")
        return np.searchsorted(ranked, points * width + rank, side="right")

    return upto(None if history.window is None else at - _span(history.window)), upto(at)


def _taken(stat: Stat, values: Floats, first: Places, last: Places) -> Floats:
    """Return a statistic of each range of values; each depends on the values in its range alone, to the last bit."""
    counts = (last - first).astype(np.float64)
    if stat == "count":
        return counts
    if stat == "last":
        return np.where(counts > 0, np.append(values, np.nan)[last - 1], np.nan)
    over = {"min": np.minimum, "max": np.maximum}.get(stat, np.add)
    bounds = np.column_stack((first, last)).ravel()
    found = over.reduceat(np.append(values, 0.0), bounds)[::2] if len(bounds) else counts
    if stat == "mean":
        return np.where(counts > 0, found / np.maximum(counts, 1), np.nan)
    return np.where(counts > 0, found, _OF_NOTHING.get(stat, np.nan))


def _span(span: timedelta) -> np.timedelta64:
    return np.timedelta64(span, "us")
