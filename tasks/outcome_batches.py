"""Labelled predictions delivered as training data: into the landing zone, where everything comes from.

    predictions/ + labels/  →  landing/<product>/outcomes/<since>--<until>.parquet

A stretch is delivered once its labels are due and enough of them came, and again when one was corrected. The object
comes first and the note of it after: whoever dies between the two delivers the same bytes again, which ingest knows.
Rows that were set aside are left out. What may be learned at all is `lifecycle/learning.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle.columns import parse_instant
from lifecycle.declaration import Column
from lifecycle.label_book import Book, Keys, keys_of, match
from lifecycle.learning import Learned, batch_key, delivered_value, labels_digest, record_key
from lifecycle.log_part import hours_between, rows_key
from lifecycle.maturity import Stretch, by_stretch, newest_due
from lifecycle.performance import is_covered
from lifecycle.predictions import Prediction
from lifecycle.spec import Product
from tasks import labels, objects, prediction_rows, predictions, set_aside
from tasks.clients import s3
from tasks.step import note

_CHUNK = 5_000


@dataclass(frozen=True)
class _Known:
    """The labelled predictions of a stretch (n,), by ascending key, of `predictions` in all."""

    keys: Keys
    labels: np.ndarray[Any, Any]
    predictions: int


def deliver(bucket: str, product: Product, now: datetime) -> tuple[Learned, ...]:
    """Deliver every stretch that is due and was not delivered with these labels yet; a second call delivers none."""
    aside, done = set_aside.stretches(bucket, product.name), []
    book = labels.book_of(bucket, product, now)
    for stretch, known in _due(bucket, product, book, now):
        digest = labels_digest(known.keys, known.labels)
        key = record_key(product.name, stretch)
        before = objects.read(bucket, key)
        if before is not None and Learned.model_validate_json(before.body).labels == digest:
            continue
        landed, rows = batch_key(product.name, stretch), 0
        with tempfile.TemporaryDirectory(prefix="outcomes-") as folder:
            path = Path(folder, "outcomes.parquet")
            rows = _write(path, bucket, product, stretch, known, aside)
            if rows:
                s3().upload_file(str(path), bucket, landed)
        learned = Learned(since=stretch.since, until=stretch.until, key=landed, rows=rows, labels=digest)
        s3().put_object(Bucket=bucket, Key=key, Body=learned.model_dump_json().encode())
        note("outcomes.delivered", product=product.name, key=landed, rows=rows, again=before is not None)
        done.append(learned)
    return tuple(done)


def _due(bucket: str, product: Product, book: Book, now: datetime) -> Iterator[tuple[Stretch, _Known]]:
    """Yield the stretches within reach whose labels are due and enough of them there, the oldest first."""
    policy = product.monitor
    newest = newest_due(policy, now)
    if newest is None:
        return
    seen: dict[Stretch, list[Keys]] = {}
    for hour in hours_between(now - policy.reach, now):
        keys, at = prediction_rows.answered_in(bucket, rows_key(product.name, hour))
        for stretch, rows in by_stretch(policy, at):
            if stretch.until <= newest.until:
                seen.setdefault(stretch, []).append(keys[rows])
    for stretch in sorted(seen):
        keys = np.unique(np.concatenate(seen.pop(stretch)))
        found = match(book, keys)
        known = _Known(keys[found.predictions], book.current.labels[found.labels], len(keys))
        if is_covered(len(known.keys), known.predictions, policy.outcomes):
            yield stretch, known


def _write(
    path: Path, bucket: str, product: Product, stretch: Stretch, known: _Known, aside: Sequence[set_aside.Stretch]
) -> int:
    """Write the rows of a stretch that have a label and were not set aside; return how many."""
    import pyarrow as pa  # noqa: PLC0415  # heavy
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pa.schema([(column.name, _kind(pa, column)) for column in product.columns])
    records, written = iter(predictions.answered(bucket, product.name, *stretch)), 0
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as table:
        while chunk := list(islice(records, _CHUNK)):
            usable = [one for one in chunk if one.live and one.scores and not _is_aside(one.at, aside)]
            rows = list(_labelled_rows(usable, known, product))
            written += len(rows)
            table.write_table(pa.Table.from_pylist(rows, schema=schema))
    return written


def _labelled_rows(records: Sequence[Prediction], known: _Known, product: Product) -> Iterator[dict[str, object]]:
    """Yield rows as they would have been delivered: what was asked, what came true, when it was answered."""
    places = [(record, at, row) for record in records for at, row in enumerate(record.features or ())]
    keys = keys_of(f"{record.request_id}-{record.first_row + at}" for record, at, _ in places)
    (target,) = (column for column in product.columns if column.name == product.target.column)
    where = np.minimum(np.searchsorted(known.keys, keys), len(known.keys) - 1)
    for (record, _, row), at, key in zip(places, where, keys, strict=True):
        if known.keys[at] != key:
            continue
        given = dict(zip(record.columns or (), row, strict=True))
        if product.time is not None:
            given.setdefault(product.time, record.at.isoformat())
        told: dict[str, object] = {column.name: _cell(column, given.get(column.name)) for column in product.columns}
        told[target.name] = delivered_value(target, product.target, known.labels[at])
        yield told


def _cell(column: Column, value: object) -> object:
    if value is None or column.type in ("boolean", "string"):
        return value
    if column.type == "datetime":
        return parse_instant(str(value)).item()
    number = float(str(value))
    return int(number) if column.type == "long" else number


def _kind(pa: Any, column: Column) -> Any:  # noqa: ANN401  pyarrow publishes no types
    kinds = {"double": pa.float64(), "long": pa.int64(), "string": pa.string(), "boolean": pa.bool_()}
    return kinds.get(column.type, pa.timestamp("us"))


def _is_aside(moment: datetime, aside: Sequence[set_aside.Stretch]) -> bool:
    return any(since <= moment and (until is None or moment < until) for since, until in aside)
