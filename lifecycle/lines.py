"""Which lines of a CSV text hold which record, so that every complaint can name a line.

A CSV parser counts records; people count lines. The two differ by blank lines and by line breaks inside quotes.
This parses nothing: it only finds where records start and end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_LF, _CR, _QUOTE = 10, 13, 34


@dataclass(frozen=True)
class Records:
    """Where the records are, the header first: line numbers from 1, the byte span [start, end) of each.

    `spanning` are the indices of those that go over several lines.
    """

    numbers: Integers
    starts: Integers
    ends: Integers
    spanning: Integers

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.numbers)

    def text(self, data: bytes, index: int) -> str:
        """Return one record as it was delivered, without its line end."""
        return data[self.starts[index] : self.ends[index]].decode("utf-8")


@dataclass(frozen=True)
class Layout:
    """The lines of a text, and how many quotes have gone by at the end of each."""

    starts: Integers
    ends: Integers
    quotes: Integers

    @property
    def open_line(self) -> int | None:
        """Return the number of the first line with an odd number of quotes when the whole text has one, else None."""
        if not len(self.quotes) or self.quotes[-1] % 2 == 0:
            return None
        return int(np.argmax(np.diff(self.quotes, prepend=0) % 2)) + 1

    @property
    def longest(self) -> int:
        """Return the bytes of the longest line."""
        return int((self.ends - self.starts).max(initial=0))

    def records(self, parsed: int) -> Records | None:
        """Return the records when they are as many as a parser saw, else None: then no line can be named.

        Line breaks inside quotes belong to their record, provided that every quote closes. Where stray quotes
        spoil that count but every line is a record, lines are taken.
        """
        closed = self.quotes % 2 == 0
        every_line = np.ones_like(closed)
        for ends_record in (closed, every_line) if self.open_line is None else (every_line,):
            found = self._split(ends_record)
            if len(found) == parsed:
                return found
        return None

    def _split(self, ends_record: NDArray[np.bool_]) -> Records:
        filled = self.ends > self.starts
        begins = filled & np.concatenate([[True], ends_record[:-1]])[: len(filled)]
        first = np.flatnonzero(begins)
        closing = np.flatnonzero(ends_record)
        last = np.searchsorted(closing, first)
        last_line = np.append(closing, len(filled) - 1)[last]
        return Records(first + 1, self.starts[first], self.ends[last_line], np.flatnonzero(last_line > first))


def layout(data: bytes) -> Layout:
    """Find the lines of a text; LF, CRLF and, in a text without any LF, CR end a line."""
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    breaks = np.flatnonzero(bytes_ == (_LF if b"\n" in data or b"\r" not in data else _CR)).astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), breaks + 1])
    ends = np.concatenate([breaks, np.array([len(data)], np.int64)])
    if starts[-1] == len(data):
        starts, ends = starts[:-1], ends[:-1]
    before = bytes_[np.maximum(ends - 1, 0)] if len(data) else np.zeros(0, np.uint8)
    ends = ends - ((before == _CR) & (ends > starts))
    quotes = np.flatnonzero(bytes_ == _QUOTE).astype(np.int64)
    return Layout(starts, ends, np.searchsorted(quotes, ends).astype(np.int64))
