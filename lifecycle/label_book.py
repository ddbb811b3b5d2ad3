"""Labels by prediction id: which one counts when several came, and which predictions have one. Pure.

What was told is only ever added to; which label counts follows from all of it, so files may come late, twice and in
any order. Corrected labels stay as history, labels of unknown predictions stay parked until their prediction is
found. A prediction is known by a 64-bit digest of its id: among ten million, the chance that any two share one is
three in a million. How a label is read off a delivered value is `lifecycle/labels.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Times = NDArray[np.datetime64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Told:
    """Labels as they were told (n,): of which prediction, which value, true since when, received when.

    `labels`: numbers, or class texts; NaN or None takes an earlier label back. Times are datetime64[us] in UTC.
    """

    keys: Keys
    labels: NDArray[Any]
    at: Times
    received: Times

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.keys)

    def take(self, rows: Rows) -> Told:
        """Return some of the rows."""
        return Told(self.keys[rows], self.labels[rows], self.at[rows], self.received[rows])


@dataclass(frozen=True)
class Book:
    """The label that counts per prediction, by ascending key, and what else was told.

    `first_received` (n,): when its first label came, which is what its delay is measured by. `corrected`: predictions
    whose label changed; `repeated`: rows that said again what was known; `withdrawn`: predictions without one now.
    """

    current: Told
    first_received: Times
    corrected: int
    repeated: int
    withdrawn: int


@dataclass(frozen=True)
class Matched:
    """Labelled rows of some predictions: row numbers there and in the book. `parked`: book rows of none of them."""

    predictions: Rows
    labels: Rows
    parked: Rows


def keys_of(prediction_ids: Iterable[str]) -> Keys:
    """Return the digests of prediction ids."""
    digests = (blake2b(one.encode("utf-8", errors="surrogatepass"), digest_size=8).digest() for one in prediction_ids)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def combine(parts: Sequence[Told]) -> Told:
    """Return everything that was told, in no particular order."""
    return Told(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("keys", "labels", "at", "received"))
    )


def settle(told: Told) -> Book:
    """Decide which label counts: the one true since last; of equal ones the one received last, then the larger.

    The order of the rows and repeats of them change nothing but the count of repeats.
    """
    texts = told.labels.astype(str) if told.labels.dtype.kind == "O" else told.labels
    order = np.lexsort((texts, told.received, told.at, told.keys))
    keys, sorted_texts = told.keys[order], texts[order]
    ends = np.flatnonzero(np.append(keys[1:] != keys[:-1], np.ones(min(len(keys), 1), dtype=bool)))
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.intp) if len(ends) else np.empty(0, dtype=np.intp)
    first = np.minimum.reduceat(told.received[order], starts) if len(starts) else told.received[:0]
    same = _same(sorted_texts)
    within = np.ones(len(keys), dtype=bool)
    within[starts] = False
    changed = np.add.reduceat((within & ~same).astype(np.int64), starts) if len(starts) else np.empty(0)
    current = told.take(order[ends])
    return Book(
        current=current,
        first_received=first,
        corrected=int((changed > 0).sum()),
        repeated=int((within & same).sum()),
        withdrawn=int(_missing(current.labels).sum()),
    )


def match(book: Book, predictions: Keys) -> Matched:
    """Find the labels of predictions (m,). A label that was taken back is none."""
    known = book.current.keys
    places = np.searchsorted(known, predictions)
    inside = places < len(known)
    found = np.flatnonzero(inside)
    found = found[known[places[found]] == predictions[found]]
    labels = places[found]
    told = ~_missing(book.current.labels[labels])
    parked = np.ones(len(known), dtype=bool)
    parked[labels] = False
    return Matched(found[told], labels[told], np.flatnonzero(parked))


def _same(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Say of every value whether it is the one before it, a missing one included."""
    if not len(values):
        return np.empty(0, dtype=bool)
    same = values[1:] == values[:-1]
    if values.dtype.kind == "f":
        same |= np.isnan(values[1:]) & np.isnan(values[:-1])
    return np.concatenate([[False], same])


def _missing(labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind == "O":
        return np.array([one is None for one in labels.tolist()], dtype=bool)
    return np.asarray(np.isnan(labels), dtype=bool)
