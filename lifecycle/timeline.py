"""What was known of each key, and from when on: the one look-up behind histories and joined tables.

Made once, from everything that is known; asked by training and by serving alike. An entry is what holds from its
instant until the next entry of the same key, so a row only ever sees what was there before it. What the entries hold
lies beside them, in arrays of whoever made them. It deliberately computes nothing about values.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array, level

Instants = NDArray[np.datetime64]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

# What `find` answers where there is no entry: nothing was known of the key yet, or the row cannot be placed at all.
NOTHING, NOWHERE = -1, -2
NEVER = np.datetime64("NaT", "us")


@dataclass(frozen=True, eq=False)
class Timeline:
    """Entries, sorted by key and instant: `codes` (e,) of `keys`, `at` (e,) datetime64[us] in UTC.

    `begins`: rows before it cannot be placed, older entries having been left out; NaT when all are there.
    """

    keys: tuple[str, ...]
    codes: NDArray[np.int32]
    at: Instants
    begins: np.datetime64 = NEVER

    def find(self, keys: Array, times: Instants) -> Places:
        """Return for each row the place of the last entry of its key at or before its time, NOTHING or NOWHERE.

        `keys` (n,) of str with None for a row without one, `times` (n,) with NaT.
        """
        codes = np.array([self._codebook.get(key, NOTHING) for key in keys.tolist()], dtype=np.int64)
        asked = codes * self._width + np.searchsorted(self._moments, times, side="right")
        places = np.searchsorted(self._ranked, asked, side="right") - 1
        known = (codes != NOTHING) & (places >= 0)
        known[known] = self.codes[places[known]] == codes[known]
        lost = np.isnat(times) | np.array([key is None for key in keys.tolist()], dtype=bool)
        if not np.isnat(self.begins):
            lost |= times < self.begins
        return np.where(lost, NOWHERE, np.where(known, places, NOTHING)).astype(np.intp)

    def kept(self, most: int, empty: Mask) -> tuple[Timeline, Places]:
        """Return the newest part of at most `most` entries, and their places here; all of it when that fits.

        `empty` (e,): entries that say no more than no entry would. The part begins at an instant from which on every
        row is answered as it is here; NaT in `begins` says that all rows are. An instant always exists where the
        keys alone are no more than `most`; else the part is what is left at the last instant, and too large.
        """
        if len(self.at) <= most or not len(self.at):
            return self, np.arange(len(self.at))
        moments = self._moments
        later = len(self.at) - np.searchsorted(np.sort(self.at), moments, side="right")
        first = np.sort(self.at[np.flatnonzero(np.diff(self.codes, prepend=-1))])
        sizes = later + np.searchsorted(first, moments, side="right")
        fits = np.flatnonzero(sizes <= most)
        begins = moments[fits[0] if len(fits) else -1]
        last = np.append((self.codes[1:] != self.codes[:-1]) | (self.at[1:] > begins), True)
        places = np.flatnonzero((self.at > begins) | (last & ~empty))
        known, codes = np.unique(self.codes[places], return_inverse=True)
        keys = tuple(self.keys[code] for code in known.tolist())
        return replace(self, keys=keys, codes=codes.astype(np.int32), at=self.at[places], begins=begins), places

    def state(self) -> dict[str, Any]:
        """Return the entries for JSON."""
        return {
            "keys": list(self.keys),
            "codes": packed(self.codes.astype("<i4")),
            "at": packed(self.at.astype("datetime64[us]").astype("<i8")),
            "begins": None if np.isnat(self.begins) else str(self.begins),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Timeline:
        """Read `state` back. Raises KeyError, TypeError or ValueError for anything else."""
        begins = NEVER if state["begins"] is None else np.datetime64(state["begins"], "us")
        at = unpacked(state["at"], "<i8").astype("datetime64[us]")
        return cls(tuple(state["keys"]), unpacked(state["codes"], "<i4"), at, begins)

    @cached_property
    def _codebook(self) -> Mapping[str, int]:
        return {key: code for code, key in enumerate(self.keys)}

    @cached_property
    def _moments(self) -> Instants:
        return np.unique(self.at)

    @property
    def _width(self) -> int:
        return len(self._moments) + 1

    @cached_property
    def _ranked(self) -> NDArray[np.int64]:
        """Return one number per entry that sorts as key and instant do."""
        return self.codes.astype(np.int64) * self._width + np.searchsorted(self._moments, self.at, side="right")


def known_from(known: Instants, step: np.timedelta64, ends: np.datetime64) -> Instants:
    """Return from when on (n,) what was known at some instants counts: the next beginning of a stretch.

    Stretches of `step` are counted from 1970. What became known after the last of them before `ends` counts from
    `ends` on, and what is known only later from then on. So no row before `ends` sees its own stretch.
    """
    beginning = (-(-known.astype(np.int64) // step.astype(np.int64)) * step.astype(np.int64)).astype("datetime64[us]")
    return np.where(beginning <= ends, beginning, np.maximum(known, ends))


def keys_of(columns: Sequence[Array]) -> Array:
    """Return one text per row (n,) of the values that make its key, None where one of them is missing."""
    told = [_levels(values) for values in columns]
    if len(told) == 1:
        return told[0]
    rows = list(zip(*(texts.tolist() for texts in told), strict=True))
    known = {row: None if None in row else json.dumps(row, ensure_ascii=False) for row in set(rows)}
    return _objects([known[row] for row in rows])


def packed(values: Array) -> str:
    """Return an array's bytes as text."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def unpacked(text: str, kind: str) -> Array:
    """Read `packed` back as an array (n,) of a kind."""
    return np.frombuffer(base64.b64decode(text, validate=True), dtype=kind)


def _levels(values: Array) -> Array:
    plain = values.tolist()
    known = {value: level(value) for value in set(plain)}
    return _objects([known[value] for value in plain])


def _objects(values: list[str | None]) -> Array:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
