"""The prediction record: one line of JSON per request, the refused ones too. What a row held is told by policy only.

    stdout → log group → delivery stream → predictions/<product>/…

A request whose line would be long is told in parts. It computes nothing and judges nothing; a field that is not
known is null. docs/serving.md has the table of fields.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

EVENT = "prediction.answered"
# A log event holds 256 kB and a record of a delivery stream 1 MB, which compressing and batching share; 100 kB is
# far from both, and a thousand rows of twenty numbers make four parts.
LONGEST = 100_000
_PIECE = 25  # rows turned into text at a time: making an encoder costs as much as a row
_LONGEST_NUMBER = 26  # -1.2345678901234567e-100 and a comma or brackets
_NUMBERS = 40  # digits that first_row, rows, part and parts may have beyond one each
_LONGEST_PATH = 200  # a caller chooses it

Score = float | list[float]
Row = Sequence[object]

# Made once: `json.dumps` with these options makes an encoder at every call.
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class _Piece(NamedTuple):
    """Some rows, as JSON text without the brackets around them."""

    rows: int
    text: str


@dataclass(slots=True)
class Scored:
    """What another model said of the same rows, or why it said nothing. `scores`: one per row, or None."""

    model_version: str | None
    bundle: str
    scores: list[Score] | None
    latency_ms: float
    skipped: str | None = None


@dataclass(slots=True)
class Record:
    """What is known of a request so far. It fills up while the request is answered."""

    request_id: str
    function_version: str
    product: str | None = None
    model_version: str = "none"
    bundle: str | None = None
    engine: str = "none"
    method: str | None = None
    path: str | None = None
    direct: bool = False
    synthetic: bool = False
    status: int = 0
    reason: str | None = None
    rows: int = 0
    columns: Sequence[str] | None = None
    asked: Sequence[Row] | None = None
    told: bool = False  # whether policy lets the rows into the line
    scores: list[Score] | None = None
    violations: dict[str, object] | None = None
    latency_ms: float = 0.0
    cold: bool = False
    unit: str | None = None
    experiment: str | None = None
    arm: str | None = None
    shadow: Scored | None = None

    def lines(self) -> Iterator[str]:
        """Yield the record as lines of JSON: one, or several parts of at most `LONGEST` bytes or one row each."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        pieces = None if self.asked is None else list(_pieces(self.asked, _PIECE))
        line = self._line(at, slice(0, self.rows), pieces, (1, 1))
        if self.asked is None or pieces is None or len(line) <= LONGEST:
            yield line
            return
        room = LONGEST - _NUMBERS - len(self._line(at, slice(0, 0), [], (1, 1)))
        if any(self._size(piece) > room for piece in pieces):
            pieces = list(_pieces(self.asked, 1))
        runs, start = list(_runs([self._size(piece) for piece in pieces], room)), 0
        for part, run in enumerate(runs, 1):
            cut = slice(start, start + sum(piece.rows for piece in pieces[run]))
            yield self._line(at, cut, pieces[run], (part, len(runs)))
            start = cut.stop

    def _line(self, at: str, cut: slice, pieces: list[_Piece] | None, part: tuple[int, int]) -> str:
        """Return one line about the rows in `cut`, whose text is hashed and told as it is."""
        columns = "null" if self.columns is None else _column_text(tuple(self.columns))
        features = "null" if pieces is None else f"[{','.join(piece.text for piece in pieces)}]"
        digest = None if pieces is None else sha256(f"[{columns},{features}]".encode("ascii")).hexdigest()
        fields = {
            "event": EVENT,
            "at": at,
            "request_id": self.request_id,
            "product": self.product,
            "model_version": self.model_version,
            "bundle": self.bundle,
            "function_version": self.function_version,
            "engine": self.engine,
            "method": self.method,
            "path": None if self.path is None else self.path[:_LONGEST_PATH],
            "direct": self.direct,
            "synthetic": self.synthetic,
            "status": self.status,
            "reason": self.reason,
            "first_row": cut.start,
            "rows": cut.stop - cut.start,
            "features_sha256": digest,
            "scores": None if self.scores is None else self.scores[cut],
            "violations": self.violations,
            "latency_ms": self.latency_ms,
            "cold": self.cold,
            "unit": self.unit,
            "experiment": self.experiment,
            "arm": self.arm,
            "shadow": None if self.shadow is None else _shadow(self.shadow, cut),
            "part": part[0],
            "parts": part[1],
        }
        told = features if self.told else "null"
        return f'{_encode(fields)[:-1]},"columns":{columns},"features":{told}}}'

    def _size(self, piece: _Piece) -> int:
        """Return the most bytes a piece can take in a line."""
        shadow = self.shadow.scores if self.shadow is not None else None
        numbers = sum(_width(scores) for scores in (self.scores, shadow))
        return (len(piece.text) + 1) * self.told + piece.rows * numbers * _LONGEST_NUMBER


def _shadow(scored: Scored, cut: slice) -> dict[str, object]:
    return {
        "model_version": scored.model_version,
        "bundle": scored.bundle,
        "scores": None if scored.scores is None else scored.scores[cut],
        "latency_ms": scored.latency_ms,
        "skipped": scored.skipped,
    }


def _width(scores: list[Score] | None) -> int:
    """Return how many numbers a row's score is."""
    if not scores:
        return 0
    return len(scores[0]) if isinstance(scores[0], list) else 1


def _pieces(rows: Sequence[Row], size: int) -> Iterator[_Piece]:
    """Yield the rows as JSON text. What JSON has no word for was read as missing, and is told as null."""
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        try:
            text = _encode(some)
        except ValueError:
            text = _encode([[None if _is_wordless(value) else value for value in row] for row in some])
        yield _Piece(len(some), text[1:-1])


@lru_cache(maxsize=8)
def _column_text(columns: tuple[str, ...]) -> str:
    return _encode(columns)


def _is_wordless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _runs(sizes: Sequence[int], room: int) -> Iterator[slice]:
    """Yield as few runs of pieces as fit into `room` each, in order; a piece that is larger stands alone."""
    start, taken = 0, 0
    for piece, size in enumerate(sizes):
        if piece > start and taken + size > room:
            yield slice(start, piece)
            start, taken = piece, 0
        taken += size
    yield slice(start, len(sizes))
