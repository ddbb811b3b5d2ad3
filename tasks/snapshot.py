"""Read the snapshot: which validated batches there are, and their rows as arrays, every byte checked.

A batch whose bytes are not what its manifest says stops the training: a model of altered data is worse than none.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import ClientError
from pydantic import ValidationError

from lifecycle.batch import BatchManifest, batch_prefix, shown
from lifecycle.columns import Array, Column, missing, normalise
from lifecycle.errors import ServiceError, TrainingError
from lifecycle.snapshot import BatchRef, Snapshot, take
from lifecycle.spec import Product
from lifecycle.training import Keys
from tasks import objects
from tasks.clients import s3

if TYPE_CHECKING:
    import pyarrow as pa

_LIMIT = 1_000_000
_READERS = 8


@dataclass(frozen=True)
class Frame:
    """The rows of a snapshot, n of them: raw columns, and per row a key made of its grain.

    `repeated`: rows left out because a newer batch delivers them again.
    """

    columns: Mapping[str, Array]
    keys: Keys
    repeated: int

    @property
    def rows(self) -> int:
        """Return n."""
        return len(self.keys)


@dataclass(frozen=True)
class _Part:
    columns: dict[str, Array]
    keys: Keys


def take_snapshot(bucket: str, product: str) -> Snapshot:
    """List the validated batches that count. Reads only; raises ServiceError when a manifest cannot be read."""
    return take(product, references(bucket, product))


def references(bucket: str, product: str) -> tuple[BatchRef, ...]:
    """Return every validated batch, whether it counts or not. Reads only; raises ServiceError as `take_snapshot`."""
    prefix = batch_prefix("validated", product, "").rstrip("/") + "/"
    found = [key for key in objects.keys(bucket, prefix, limit=_LIMIT) if key.endswith("/manifest.json")]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="manifests") as pool:
        return tuple(pool.map(lambda key: _reference(bucket, key), found))


def read_frame(
    bucket: str, snapshot: Snapshot, columns: Sequence[Column], grain: Sequence[str], *, repeats: str = "refuse"
) -> Frame:
    """Read the given columns of every batch and keep the newest delivery of each row.

    `columns` must hold the grain; without a grain the columns are all of the row, and a row that is there again is
    another one when `repeats` says keep. Raises TrainingError naming the batch that is not as it was published.
    """
    identity = grain or [one.name for one in columns]
    parts = {
        batch.batch_id: _keyed(
            _columns(snapshot.product, batch, _verified(bucket, snapshot.product, batch), columns), identity
        )
        for batch in snapshot.by_age
    }
    kept = _newest(parts, keep=not grain and repeats == "keep")
    return _joined([kept[batch.batch_id] for batch in snapshot.batches], sum(len(one.keys) for one in parts.values()))


def frame_of(tables: Sequence[pa.Table], columns: Sequence[Column], product: Product) -> Frame:
    """Return the rows of validated tables, the newest last, as a snapshot of such batches would hold them."""
    identity = product.grain or [one.name for one in columns]
    parts = {
        str(at): _keyed({one.name: _array(table, one) for one in columns}, identity)
        for at, table in reversed(list(enumerate(tables)))
    }
    kept = _newest(parts, keep=product.repeats == "keep")
    return _joined([kept[str(at)] for at in range(len(tables))], sum(len(one.keys) for one in parts.values()))


def group_keys(frame: Frame, column: str) -> Keys:
    """Return a key per row (n,) that rows with the same value of a column share; a row without one is alone.

    The same value has the same key in every snapshot.
    """
    import pandas as pd  # noqa: PLC0415

    values = pd.Series(frame.columns[column])
    found = np.asarray(pd.util.hash_pandas_object(values, index=False), dtype=np.uint64)
    return np.where(values.isna().to_numpy(), frame.keys, found)


def _newest(parts: Mapping[str, _Part], *, keep: bool) -> dict[str, _Part]:
    """Return parts, the newest first, without the rows a newer one has as well; all of them with `keep`."""
    newer: Keys = np.empty(0, dtype=np.uint64)
    found = {}
    for name, part in parts.items():
        if keep:
            found[name] = _Part(part.columns, _own_keys(name, part.keys))
            continue
        stays = ~np.isin(part.keys, newer)
        newer = np.union1d(newer, part.keys)
        found[name] = _Part({column: values[stays] for column, values in part.columns.items()}, part.keys[stays])
    return found


def _own_keys(batch: str, keys: Keys) -> Keys:
    """Return a key of its own for each row of a batch, equal rows included: the how-manieth of its kind it is.

    Where equal rows are common their content must not decide who judges: all of a kind would, or none.
    """
    import pandas as pd  # noqa: PLC0415

    nth = pd.Series(keys).groupby(keys).cumcount().to_numpy()
    own = pd.DataFrame({"row": keys, "nth": nth, "batch": np.full(len(keys), batch, dtype=object)})
    return np.asarray(pd.util.hash_pandas_object(own, index=False), dtype=np.uint64)


def _joined(parts: Sequence[_Part], delivered: int) -> Frame:
    keys = np.concatenate([part.keys for part in parts])
    names = list(parts[0].columns)
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in names}
    return Frame(columns, keys, repeated=delivered - len(keys))


def _reference(bucket: str, key: str) -> BatchRef:
    stored = objects.read(bucket, key)
    try:
        manifest = BatchManifest.model_validate_json(stored.body if stored else b"")
    except ValidationError as error:
        raise ServiceError(
            f"s3://{bucket}/{key} is no manifest of a batch.",
            detail=str(error.errors()[0]["msg"]),
            resolution="The bucket keeps every object version: restore the published one.",
        ) from error
    return BatchRef(
        batch_id=manifest.batch_id,
        sha256=manifest.data.sha256,
        rows=manifest.rows.validated,
        key=manifest.key,
        landed_at=manifest.landed_at.isoformat(),
        data_key=manifest.data.key,
        object_version=manifest.data.object_version,
        suite=manifest.suite.name,
        suite_sha256=manifest.suite.sha256,
        period=manifest.period,
        first=manifest.event_times.first if manifest.event_times else None,
        last=manifest.event_times.last if manifest.event_times else None,
        labelled=manifest.labelled,
    )


def _verified(bucket: str, product: str, batch: BatchRef) -> bytes:
    """Return the bytes of a batch's data.parquet, the object version that was published."""
    version: dict[str, Any] = {"VersionId": batch.object_version} if batch.object_version else {}
    try:
        body = s3().get_object(Bucket=bucket, Key=batch.data_key, **version)["Body"].read()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            raise _altered(product, batch, f"its data.parquet is gone ({error.response['Error']['Code']})") from error
        raise ServiceError(f"S3 would not read s3://{bucket}/{batch.data_key}.", detail=str(error)) from error
    if (found := sha256(body).hexdigest()) != batch.sha256:
        raise _altered(product, batch, f"its data.parquet has sha256 {found[:12]}, expected {batch.sha256[:12]}")
    return bytes(body)


def _columns(product: str, batch: BatchRef, body: bytes, columns: Sequence[Column]) -> dict[str, Array]:
    import pyarrow as pa  # noqa: PLC0415  # heavy, and only here
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        source = pq.ParquetFile(io.BytesIO(body), page_checksum_verification=True, pre_buffer=False)
        there = set(source.schema_arrow.names)
        table = source.read([column.name for column in columns if column.name in there], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _altered(product, batch, f"its data.parquet cannot be read ({type(error).__name__})") from error
    found: dict[str, Array] = {}
    for column in columns:
        if column.name not in there and not column.nullable:
            raise TrainingError(
                f"Batch {shown(batch.batch_id)} has no column {column.name!r}.",
                detail="product.yaml asks for it, and it was published without.",
                resolution="Say `nullable: true` for the column, or deliver the batch again.",
            )
        found[column.name] = _array(table, column) if column.name in there else missing(column, table.num_rows)
    return found


def _array(table: pa.Table, column: Column) -> Array:
    return normalise(column, table.column(column.name).to_numpy())


def _keyed(columns: dict[str, Array], grain: Sequence[str]) -> _Part:
    """Add a 64-bit key of the grain per row; a chance collision among 10 million rows is 3 in a million."""
    import pandas as pd  # noqa: PLC0415

    frame = pd.DataFrame({name: columns[name] for name in grain})
    return _Part(columns, np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64))


def _altered(product: str, batch: BatchRef, how: str) -> TrainingError:
    return TrainingError(
        f"Batch {product}/{shown(batch.batch_id)} is not as it was published, so nothing is trained.",
        detail=f"Of {batch.data_key}, {how}.",
        resolution="The bucket keeps every object version: restore the published one, then train again.",
    )
