"""Labels in the bucket: files as they came, what each row said, and the book of all of it.

    labels/<product>/<any name>  →  metrics/<product>/labels/dt=…/<delivery>.parquet + .json

A file is anything that was put below `labels/`, by whatever tool; each object version is read once. What came twice
changes nothing: which label counts is `lifecycle/label_book.py`. Original files are never touched.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle.batch import Reason
from lifecycle.envelope import delivery_id
from lifecycle.errors import BatchError, TropismError
from lifecycle.keys import is_marker, labels_prefix
from lifecycle.label_book import Book, Told, combine, settle
from lifecycle.label_rows import read_rows
from lifecycle.spec import Product
from tasks import objects
from tasks.clients import s3
from tasks.predictions import LATE
from tasks.step import note


class Taken(BaseModel):
    """What came of one label file. `refused` rows say nothing; `reasons` say why, or why the whole file does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    object_version: str
    received: AwareDatetime
    rows: int
    told: int
    reasons: tuple[Reason, ...] = ()
    fault: str | None = None


def take(bucket: str, product: Product, now: datetime, reach: timedelta) -> tuple[Taken, ...]:
    """Read every label file that came within `reach` and was not read yet; return what came of each.

    A second call finds nothing new. A file that cannot be read is noted as such, once, and holds up no other.
    """
    done = []
    for key, version, received in _files(bucket, product.name):
        if received < now - reach:
            continue
        place = _place(product.name, received, delivery_id(bucket, key, version))
        if objects.read(bucket, f"{place}.json") is not None:
            continue
        done.append(_take(bucket, product, (key, version, received), place))
    return tuple(done)


def came_since(bucket: str, product: str, moment: datetime, now: datetime, *, reach: timedelta | None = None) -> bool:
    """Say whether labels were read after a moment, whoever read them; of files that came within `reach`, or since."""
    for day in _days(now, reach or now - moment):
        for page in s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_prefix(product, day)):
            # S3 dates whole seconds.
            if any(item["LastModified"] >= moment.replace(microsecond=0) for item in page.get("Contents", [])):
                return True
    return False


def book(bucket: str, product: str, now: datetime, reach: timedelta) -> Book:
    """Return which labels count, of all that came within `reach`."""
    parts = [told for day in _days(now, reach) for told in _told(bucket, product, day)]
    if not parts:
        none = np.empty(0, dtype="datetime64[us]")
        return settle(Told(np.empty(0, dtype=np.uint64), np.empty(0), none, none))
    return settle(combine(parts))


def book_of(bucket: str, product: Product, now: datetime) -> Book:
    """Return which labels count, of all that may be about a prediction within the monitor's reach."""
    policy = product.monitor
    return book(bucket, product.name, now, policy.reach + (policy.outcomes.due or LATE))


def _files(bucket: str, product: str) -> Iterator[tuple[str, str, datetime]]:
    pages = s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=labels_prefix(product))
    for page in pages:
        for item in page.get("Versions", []):
            if not is_marker(item["Key"]):
                yield item["Key"], item["VersionId"], item["LastModified"]


def _take(bucket: str, product: Product, file: tuple[str, str, datetime], place: str) -> Taken:
    key, version, received = file
    plain = {"key": key, "object_version": version, "received": received}
    try:
        columns = _columns(key, s3().get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read())
        rows = read_rows(product.task, product.target, columns, received)
    except TropismError as error:
        taken = Taken(rows=0, told=0, fault=str(error), **plain)
    else:
        _write(bucket, f"{place}.parquet", rows.told)
        taken = Taken(rows=rows.received, told=len(rows.told), reasons=rows.reasons, **plain)
    objects.create(bucket, f"{place}.json", taken.model_dump_json().encode())
    note("labels.taken", product=product.name, key=key, rows=taken.rows, told=taken.told, fault=taken.fault or "none")
    return taken


def _columns(key: str, body: bytes) -> Mapping[str, Sequence[object]]:
    """Return the columns of a Parquet, CSV or JSON-lines file. Raises BatchError when it is none of them."""
    try:
        if body[:4] == b"PAR1":
            import pyarrow.parquet as pq  # noqa: PLC0415  # heavy

            table: Mapping[str, Sequence[object]] = pq.read_table(io.BytesIO(body)).to_pydict()
            return table
        text = body.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            rows: list[Any] = [json.loads(line) for line in text.splitlines() if line.strip()]
            return {name: [row.get(name) for row in rows] for name in dict.fromkeys(one for row in rows for one in row)}
        header, *lines = list(csv.reader(io.StringIO(text), strict=True)) or [[]]
        odd = sum(len(line) != len(header) for line in lines)
        if odd:
            raise BatchError(f"The label file {key} is no table.", detail=f"{odd} rows have another number of fields.")
        return {name: [line[at] for line in lines] for at, name in enumerate(header)}
    except (ValueError, OSError, csv.Error, AttributeError) as error:
        raise BatchError(
            f"The label file {key} cannot be read.",
            detail=f"{type(error).__name__}; expected Parquet, CSV with a header, or a JSON object a line.",
        ) from error


def _write(bucket: str, key: str, told: Told) -> None:
    import pyarrow as pa  # noqa: PLC0415  # heavy
    import pyarrow.parquet as pq  # noqa: PLC0415

    kind = pa.string() if told.labels.dtype.kind == "O" else pa.float64()
    columns = {
        "key": pa.array(told.keys, pa.uint64()),
        "label": pa.array(told.labels, kind, from_pandas=False),
        "at": pa.array(told.at, pa.timestamp("us")),
        "received": pa.array(told.received, pa.timestamp("us")),
    }
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, write_page_checksum=True)
    s3().put_object(Bucket=bucket, Key=key, Body=out.getvalue())


def _told(bucket: str, product: str, day: datetime) -> Iterator[Told]:
    import pyarrow.parquet as pq  # noqa: PLC0415  # heavy

    for key in objects.keys(bucket, _prefix(product, day), limit=1_000_000):
        if not key.endswith(".parquet"):
            continue
        found = objects.read(bucket, key)
        if found is not None:
            table = pq.read_table(io.BytesIO(found.body), page_checksum_verification=True)
            yield Told(
                keys=table.column("key").to_numpy(),
                labels=table.column("label").to_numpy(zero_copy_only=False),
                at=table.column("at").to_numpy(),
                received=table.column("received").to_numpy(),
            )


def _days(now: datetime, reach: timedelta) -> Iterator[datetime]:
    day = (now - reach).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= now:
        yield day
        day += timedelta(days=1)


def _prefix(product: str, day: datetime) -> str:
    return f"metrics/{product}/labels/{day.astimezone(UTC):dt=%Y-%m-%d}/"


def _place(product: str, received: datetime, delivery: str) -> str:
    return f"{_prefix(product, received)}{delivery}"
