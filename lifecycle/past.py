"""The past of a product's rows, as a model carries it: histories and joined tables, made once, asked ever after.

Fitted on every row there is, those that judge a model included: no row is answered with anything of its own stretch
of time or later, whoever asks. A bundle holds the newest part of it, bounded, from the holdout on at least.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array, Column
from lifecycle.encoding import FeatureError
from lifecycle.history import History, Remembered, Rows, remember
from lifecycle.joining import Join, Joined, join_table
from lifecycle.timeline import NEVER, Instants, Timeline, keys_of

Table = Mapping[str, Array]
# What a model carries of the past, all histories and tables together: 500,000 entries are some 15 MB of features.json,
# read in a fifth of a second when a function starts; an answer's time does not depend on it.
MOST_ENTRIES = 500_000


@dataclass(frozen=True)
class PastSpec:
    """What a product declares about the past: `time` orders the rows, `refresh` is the length of a stretch."""

    time: str
    refresh: timedelta
    histories: tuple[History, ...] = ()
    joins: tuple[Join, ...] = ()

    @property
    def joined(self) -> tuple[Column, ...]:
        """Return the columns that joins add to the inputs."""
        return tuple(column for one in self.joins for column in one.joined)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the features that histories become."""
        return tuple(name for one in self.histories for name in one.feature_names)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the inputs without which no row can be placed."""
        keys = (*(one.by for one in self.histories), *(one.by for one in self.joins))
        return tuple(dict.fromkeys((self.time, *(name for key in keys for name in key))))


@dataclass(frozen=True, eq=False)
class Past:
    """The fitted past. `ends`: the instant at which its data ends; what comes later it does not know.

    `needed`: a bundle answers rows from then on, at least; NaT in a bundle that was opened.
    """

    spec: PastSpec
    ends: np.datetime64
    histories: tuple[Remembered, ...] = ()
    joins: tuple[Joined, ...] = ()
    needed: np.datetime64 = NEVER

    def features(self, table: Table) -> Array:
        """Return the histories' features (n, k) float32 of normalised columns."""
        keys, times = _Keys(table), table[self.spec.time]
        found = [one.features(keys[one.history.by], times) for one in self.histories]
        return np.hstack(found) if found else np.empty((len(times), 0), dtype=np.float32)

    def columns(self, table: Table) -> dict[str, Array]:
        """Return the joined columns (n,) of normalised columns."""
        keys, found = _Keys(table), dict[str, Array]()
        for one in self.joins:
            found |= one.columns(keys[one.join.by], table[self.spec.time])
        return found

    def ages(self, times: Instants) -> NDArray[np.float64]:
        """Return how many days old the past is that rows (n,) are answered with; NaN without a time."""
        step = np.timedelta64(self.spec.refresh, "us")
        stretch = (times.astype(np.int64) // step.astype(np.int64) * step.astype(np.int64)).astype("datetime64[us]")
        old = np.subtract(times, np.where(times < self.ends, stretch, self.ends))
        return np.asarray(old / np.timedelta64(1, "D"), dtype=np.float64)

    def kept(self) -> Past:
        """Return what a bundle carries: the newest part, from `needed` on. Raises FeatureError if it is too large."""
        most = MOST_ENTRIES // max(len(self.histories) + len(self.joins), 1)
        histories = tuple(one.kept(most) for one in self.histories)
        joins = tuple(one.kept(most) for one in self.joins)
        for whole, part in zip(self.histories, histories, strict=True):
            self._refuse_more(most, f"The history {whole.history.name!r}", whole.timeline, part.timeline)
        for table, rest in zip(self.joins, joins, strict=True):
            self._refuse_more(most, f"The joined table {table.join.name!r}", table.timeline, rest.timeline)
        return replace(self, histories=histories, joins=joins)

    def _refuse_more(self, most: int, what: str, whole: Timeline, part: Timeline) -> None:
        if len(part.at) <= most and not part.begins > self.needed:
            return
        states = len(whole.keys) + int(np.count_nonzero(whole.at > self.needed))
        raise FeatureError(
            f"{what} has {states:,} states from the holdout on, of {len(whole.keys):,} keys, and a model can carry at "
            f"most {most:,}. Give it fewer keys, a longer `refresh`, or, a history, a `window`."
        )

    def state(self) -> dict[str, Any]:
        """Return what a bundle carries, for JSON."""
        kept = self.kept()
        return {
            "time": self.spec.time,
            "refresh_s": self.spec.refresh.total_seconds(),
            "ends": str(self.ends),
            "histories": [one.state() for one in kept.histories],
            "joins": [one.state() for one in kept.joins],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Past:
        """Read `state` back. Raises KeyError, TypeError or ValueError for anything else."""
        histories = tuple(Remembered.from_state(one) for one in state["histories"])
        joins = tuple(Joined.from_state(one) for one in state["joins"])
        spec = PastSpec(
            state["time"],
            timedelta(seconds=state["refresh_s"]),
            tuple(one.history for one in histories),
            tuple(one.join for one in joins),
        )
        return cls(spec, np.datetime64(state["ends"], "us"), histories, joins)


def fit_past(
    spec: PastSpec, table: Table, values: Table, tables: Mapping[str, Table], needed: np.datetime64 = NEVER
) -> Past:
    """Fit the past on every row there is.

    `table`: the normalised columns `spec.needs`; `values`: by column, the numbers (n,) that histories are taken of;
    `tables`: by join, the table's normalised columns; `needed`: when the last row that trains happened. Raises
    FeatureError for more than a bundle can carry.
    """
    times = table[spec.time]
    dated = times[~np.isnat(times)]
    ends = (dated.max() if len(dated) else np.datetime64(0, "us")) + np.timedelta64(1, "us")
    step = np.timedelta64(spec.refresh, "us")
    keys = _Keys(table)
    histories = tuple(
        remember(one, Rows(keys[one.by], times, values[one.of] if one.of else np.zeros(len(times))), step, ends)
        for one in spec.histories
    )
    joins = tuple(join_table(one, _Keys(tables[one.name])[one.key], tables[one.name], step, ends) for one in spec.joins)
    past = Past(spec, ends, histories, joins, needed)
    past.kept()
    return past


class _Keys(dict[tuple[str, ...], Array]):
    """The key (n,) of every row by the columns it is made of, made once for all who ask by the same ones."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, names: tuple[str, ...]) -> Array:
        self[names] = keys_of([self._table[name] for name in names])
        return self[names]
