"""When what happens while deliveries are played back: rows asked, labels told, deliveries landed, day by day. Pure.

A row is asked for on the day of its time. Its label is told, and it is delivered, only once it has come true. Nothing
here knows how long a day lasts for those who play it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.datetime64]
Rows = NDArray[np.intp]
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Rhythm:
    """How long labels take, how often a file of them is told, in how many growing parts a delivery lands."""

    labels_after: timedelta
    labels_every: timedelta
    parts: int


@dataclass(frozen=True)
class Landing:
    """A delivery that lands: its number, and before when its rows happened; None: all of it, as it is."""

    delivery: int
    until: np.datetime64 | None


@dataclass(frozen=True)
class Day:
    """One day: the rows whose labels are told first, then what lands, then the rows asked for, in order of time."""

    at: np.datetime64
    told: Rows
    landings: tuple[Landing, ...]
    asked: Rows


def timetable(deliveries: Sequence[Times], rhythm: Rhythm) -> tuple[Day, ...]:
    """Return the days from the first row to when the last label is told and the last delivery has landed.

    `deliveries`: of each the times of its rows (n,), NaT where unknown; at least one time is known. Rows are numbered
    through all deliveries. A row without a time is never asked for, and lands with the whole of its delivery.
    """
    times = np.concatenate(deliveries).astype("datetime64[us]")
    order = np.argsort(times, kind="stable")[: np.count_nonzero(~np.isnat(times))]
    sorted_times = times[order]
    first, newest = sorted_times[0].astype("datetime64[D]"), sorted_times[-1]
    landings = _landings(deliveries, rhythm)
    tellings = list(_tellings(first, newest, rhythm))
    days, told = [], 0
    for at in np.arange(first, max(*landings, tellings[-1], first) + _DAY):
        begin, end = np.searchsorted(sorted_times, [at, at + _DAY])
        known = int(np.searchsorted(sorted_times, true_before(at, rhythm))) if at in tellings else told
        days.append(Day(at, order[told:known], tuple(landings.get(at, ())), order[begin:end]))
        told = known
    return tuple(days)


def true_before(day: np.datetime64, rhythm: Rhythm) -> np.datetime64:
    """Return before when rows must have happened for their labels to be known as a day begins."""
    found: np.datetime64 = day.astype("datetime64[us]") - np.timedelta64(rhythm.labels_after)
    return found


def _tellings(first: np.datetime64, newest: np.datetime64, rhythm: Rhythm) -> Iterator[np.datetime64]:
    """Yield the days on which a file of labels is told, the last one being that on which everything has been."""
    at, every = first, np.timedelta64(max(1, math.ceil(rhythm.labels_every / timedelta(days=1))), "D")
    while true_before(at, rhythm) <= newest:
        at = at + every
        yield at


def _landings(deliveries: Sequence[Times], rhythm: Rhythm) -> dict[np.datetime64, list[Landing]]:
    """Return what lands on which day: each delivery in equal parts of its time, every part with those before it."""
    found: dict[np.datetime64, list[Landing]] = {}
    for number, times in enumerate(deliveries):
        known = times[~np.isnat(times)].astype("datetime64[us]")
        if not len(known):
            continue
        begin, span = known.min(), known.max() - known.min()
        for part in range(1, rhythm.parts + 1):
            day = _first_day(begin + span * part // rhythm.parts, rhythm)
            whole = part == rhythm.parts
            found.setdefault(day, []).append(Landing(number, None if whole else true_before(day, rhythm)))
    return found


def _first_day(moment: np.datetime64, rhythm: Rhythm) -> np.datetime64:
    """Return the first day on which a row of this moment has come true."""
    found: np.datetime64 = (moment + np.timedelta64(rhythm.labels_after)).astype("datetime64[D]") + _DAY
    return found
