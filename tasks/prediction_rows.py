"""Rows of predictions in Parquet: the digest of the id, when it was answered, by which bundle, the scores.

Twenty bytes a prediction, so that labels which come weeks later find their scores without the log being read again.
Joining is `lifecycle/label_book.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.label_book import Keys, Times
from lifecycle.metrics import Floats
from lifecycle.predictions import Prediction
from tasks import objects

Write = Callable[[Keys, Sequence[Prediction], Sequence[int]], None]


@dataclass(frozen=True)
class Rows:
    """Predictions (n,): keys, times, and scores (n,) or (n, classes)."""

    keys: Keys
    at: Times
    scores: Floats

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.keys)


@contextmanager
def writer(path: Path) -> Iterator[Write]:
    """Open a file of rows and give what adds a chunk: the rows' keys, the records, and how many rows each has."""
    import pyarrow as pa  # noqa: PLC0415  # heavy
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = _schema(pa)

    def write(keys: Keys, records: Sequence[Prediction], sizes: Sequence[int]) -> None:
        if not len(keys):
            return
        times = np.array([record.at.timestamp() * 1e6 for record in records]).astype(np.int64)
        names = np.array([record.bundle or "" for record in records], dtype=object)
        scores = [_numbers(score) for record in records for score in record.scores or ()]
        columns: list[Any] = [
            pa.array(keys, pa.uint64()),
            pa.array(np.repeat(times, sizes), pa.timestamp("us", "UTC")),
            pa.array(np.repeat(names, sizes).tolist(), pa.string()).dictionary_encode(),
            pa.array(scores, pa.list_(pa.float32())),
        ]
        table.write_table(pa.table(columns, schema=schema))

    with pq.ParquetWriter(path, schema, write_page_checksum=True) as table:
        yield write


def keys_in(bucket: str, key: str) -> Keys:
    """Return the sorted keys of a file of rows; none when there is no such file."""
    found = _read(bucket, key, ["key"])
    if found is None:
        return np.empty(0, dtype=np.uint64)
    return np.sort(found.column("key").to_numpy())


def answered_in(bucket: str, key: str) -> tuple[Keys, Times]:
    """Return the keys (n,) of a file of rows and when each was answered (n,); none when there is no such file."""
    found = _read(bucket, key, ["key", "at"])
    if found is None:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype="datetime64[us]")
    return found.column("key").to_numpy(), found.column("at").to_numpy().astype("datetime64[us]")


def rows_in(bucket: str, key: str, bundle: str, since: datetime, until: datetime) -> Rows | None:
    """Return one bundle's predictions answered in [since, until) that a file holds; None when there are none."""
    import pyarrow.compute as pc  # noqa: PLC0415

    found = _read(bucket, key, None)
    if found is None:
        return None
    at = found.column("at")
    mine = pc.equal(pc.cast(found.column("bundle"), "string"), bundle)
    inside = pc.and_(pc.greater_equal(at, _scalar(since)), pc.less(at, _scalar(until)))
    kept = found.filter(pc.and_(mine, inside))
    if not kept.num_rows:
        return None
    return Rows(
        keys=kept.column("key").to_numpy(),
        at=kept.column("at").to_numpy().astype("datetime64[us]"),
        scores=_matrix(kept.column("scores")),
    )


def together(found: Sequence[Rows]) -> Rows:
    """Return all rows of some files, each prediction once."""
    if not found:
        return Rows(np.empty(0, dtype=np.uint64), np.empty(0, dtype="datetime64[us]"), np.empty(0))
    keys = np.concatenate([one.keys for one in found])
    _, first = np.unique(keys, return_index=True)
    at, scores = (np.concatenate([getattr(one, name) for one in found]) for name in ("at", "scores"))
    return Rows(keys[first], at[first], scores[first])


def _read(bucket: str, key: str, columns: list[str] | None) -> Any:  # noqa: ANN401  pyarrow publishes no types
    import pyarrow.parquet as pq  # noqa: PLC0415

    found = objects.read(bucket, key)
    if found is None:
        return None
    return pq.read_table(io.BytesIO(found.body), columns=columns, page_checksum_verification=True)


def _matrix(scores: Any) -> Floats:  # noqa: ANN401
    """Return scores (n,) where each row has one, else (n, classes)."""
    values: NDArray[np.float32] = scores.combine_chunks().flatten().to_numpy()
    width = len(values) // len(scores)
    found = values.astype(np.float64).reshape(len(scores), width)
    return found[:, 0] if width == 1 else found


def _numbers(score: float | tuple[float, ...] | None) -> Sequence[float]:
    if score is None:
        return (float("nan"),)
    return score if isinstance(score, tuple) else (score,)


def _schema(pa: Any) -> Any:  # noqa: ANN401
    return pa.schema(
        [
            ("key", pa.uint64()),
            ("at", pa.timestamp("us", "UTC")),
            ("bundle", pa.dictionary(pa.int32(), pa.string())),
            ("scores", pa.list_(pa.float32())),
        ]
    )


def _scalar(moment: datetime) -> Any:  # noqa: ANN401
    import pyarrow as pa  # noqa: PLC0415

    return pa.scalar(moment, pa.timestamp("us", "UTC"))
