"""A further table, joined to the product's rows as it stood: each row gets the latest of its key, never a later one.

Of a table that grows as time goes on a row sees what was there at the beginning of its stretch, as with histories:
while a model serves, its copy of the table ends where the training did. Of a table that is known ahead, a calendar or a
price list, it sees what is valid at its own time. A joined column is called `<table>.<column>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from lifecycle.columns import Array, Column, missing
from lifecycle.timeline import Instants, Places, Timeline, known_from, packed, unpacked

Table = Mapping[str, Array]


@dataclass(frozen=True)
class Join:
    """One declared join: rows whose `by` is the `key` of the table get its `columns`.

    `time`: from when on a row of the table is true. `lag`: how much later it is in the table; `max_age`: how long it is
    used. `ahead`: it is there before it is true.
    """

    name: str
    by: tuple[str, ...]
    key: tuple[str, ...]
    time: str
    columns: tuple[Column, ...]
    lag: timedelta = timedelta(0)
    max_age: timedelta | None = None
    ahead: bool = False

    @property
    def joined(self) -> tuple[Column, ...]:
        """Return the columns as rows get them; any may be missing."""
        return tuple(Column(f"{self.name}.{one.name}", one.type) for one in self.columns)


@dataclass(frozen=True, eq=False)
class Joined:
    """A join with its fitted state: `valid` (e,) and the `values` (e,) of each column, by entry."""

    join: Join
    timeline: Timeline
    valid: Instants
    values: Table

    def columns(self, keys: Array, times: Instants) -> dict[str, Array]:
        """Return the joined columns of rows (n,); missing where the table says nothing, or nothing recent enough."""
        places = self.timeline.find(keys, times)
        there = places >= 0
        if self.join.max_age is not None:
            there[there] = times[there] - self.valid[places[there]] <= np.timedelta64(self.join.max_age, "us")
        found = {}
        for one, named in zip(self.join.columns, self.join.joined, strict=True):
            found[named.name] = missing(named, len(places))
            found[named.name][there] = self.values[one.name][places[there]]
        return found

    def kept(self, most: int) -> Joined:
        """Return the newest part of at most `most` entries."""
        timeline, places = self.timeline.kept(most, np.zeros(len(self.valid), dtype=bool))
        return self._at(timeline, places)

    def state(self) -> dict[str, Any]:
        """Return the declaration and the entries for JSON."""
        one = self.join
        return {
            "name": one.name,
            "by": list(one.by),
            "key": list(one.key),
            "time": one.time,
            "lag_s": one.lag.total_seconds(),
            "max_age_s": None if one.max_age is None else one.max_age.total_seconds(),
            "ahead": one.ahead,
            **self.timeline.state(),
            "valid": packed(self.valid.astype("<i8")),
            "columns": [
                {"name": column.name, "type": column.type, "values": _told(column, self.values[column.name])}
                for column in one.columns
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Joined:
        """Read `state` back. Raises KeyError, TypeError or ValueError for anything else."""
        columns = tuple(Column(one["name"], one["type"]) for one in state["columns"])
        age = state["max_age_s"]
        join = Join(
            state["name"],
            tuple(state["by"]),
            tuple(state["key"]),
            state["time"],
            columns,
            timedelta(seconds=state["lag_s"]),
            None if age is None else timedelta(seconds=age),
            state["ahead"],
        )
        values = {
            column.name: _read(column, one["values"]) for column, one in zip(columns, state["columns"], strict=True)
        }
        return cls(join, Timeline.from_state(state), unpacked(state["valid"], "<i8").astype("datetime64[us]"), values)

    def _at(self, timeline: Timeline, places: Places) -> Joined:
        values = {name: column[places] for name, column in self.values.items()}
        return Joined(self.join, timeline, self.valid[places], values)


def join_table(join: Join, keys: Array, table: Table, step: np.timedelta64, ends: np.datetime64) -> Joined:
    """Fit a join on the rows of its table (m,): `keys` made of its key, and its normalised columns with the time."""
    valid = table[join.time]
    known: Instants = np.add(valid, np.timedelta64(join.lag, "us"))
    at = known if join.ahead else known_from(known, step, ends)
    told = keys.tolist()
    names = tuple(sorted(set(told)))
    book = {name: code for code, name in enumerate(names)}
    codes = np.array([book[name] for name in told], dtype=np.int32)
    order = np.lexsort((valid, at, codes))
    later = np.ones(len(order), dtype=bool)  # of rows that count from the same instant the latest one
    later[:-1] = (np.diff(codes[order]) != 0) | (at[order][1:] != at[order][:-1])
    places = order[later]
    timeline = Timeline(names, codes[places], at[places])
    return Joined(join, timeline, valid[places], {one.name: table[one.name][places] for one in join.columns})


def _told(column: Column, values: Array) -> object:
    if column.type == "string":
        return values.tolist()
    return packed(values.astype("<i8") if column.type == "datetime" else values.astype("<f8"))


def _read(column: Column, told: Any) -> Array:  # noqa: ANN401  as JSON holds it
    if column.type == "string":
        found = np.empty(len(told), dtype=object)
        found[:] = told
        return found
    return unpacked(told, "<i8").astype("datetime64[us]") if column.type == "datetime" else unpacked(told, "<f8")
