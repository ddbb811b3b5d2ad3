"""Publish a judged batch, or put it into quarantine: written so that dying between any two calls does no harm.

A batch's place is its content's sha256 and its bytes are deterministic, so a second run writes the same again. The
manifest, created once, is the commit point: without it nobody reads what lies beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from pydantic import ValidationError

from lifecycle.batch import BatchManifest, ColumnSchema, QuarantineRecord, StoredFile, StoredPart, Zone, batch_prefix
from lifecycle.delivery import LandedObject
from lifecycle.errors import ServiceError
from lifecycle.requeue import Origin
from lifecycle.spec import Product
from lifecycle.succession import Placed, remarks
from tasks import objects, originals
from tasks.clients import s3
from tasks.judging import Verdict, event_times
from tasks.landing import Content
from tasks.snapshot import references

_TRIES = 5  # each lost round means that another run published the batch in between
_PARQUET, _JSON, _BYTES = "application/vnd.apache.parquet", "application/json", "application/octet-stream"


@dataclass(frozen=True)
class Order:
    """What there is to store: the judged content of one landed object, and the flow run that stores it."""

    landed: LandedObject
    content: Content
    verdict: Verdict
    product: Product
    flow_run: str
    origin: Origin | None = None

    @property
    def first(self) -> Origin:
        """Return where the bytes first came from: here, unless they were requeued."""
        landed = self.landed
        return self.origin or Origin(
            key=landed.key,
            object_version=landed.object_version,
            etag=landed.etag,
            landed_at=_landed_at(landed),
        )

    def key(self, zone: Zone, name: str) -> str:
        """Return the key of one object of the batch."""
        return f"{batch_prefix(zone, self.product.name, self.content.batch_id)}{name}"


def find_batch(bucket: str, product: str, batch_id: str) -> BatchManifest | None:
    """Return the manifest of a validated batch, or None when there is none. Reads only."""
    key = f"{batch_prefix('validated', product, batch_id)}manifest.json"
    stored = objects.read(bucket, key)
    if stored is None:
        return None
    try:
        return BatchManifest.model_validate_json(stored.body)
    except ValidationError as error:
        raise ServiceError(
            f"s3://{bucket}/{key} is no manifest of a batch.",
            detail=str(error.errors()[0]["msg"]),
            resolution="The bucket keeps every object version: restore the published one.",
        ) from error


def compare(order: Order) -> Order:
    """Return the order with remarks on the batch's place among the validated ones. Reads only."""
    landed, content, verdict, product = order.landed, order.content, order.verdict, order.product
    times = event_times(verdict.kept, product.time) if product.time and verdict.kept is not None else None
    new = Placed(
        content.batch_id,
        order.first.key,
        order.first.landed_at.isoformat(),
        verdict.counts.validated,
        verdict.period,
        times.first if times else None,
        times.last if times else None,
    )
    others = references(landed.bucket, product.name)
    told = remarks(new, (other.placed for other in others if other.labelled))
    return replace(order, verdict=replace(verdict, notes=(*verdict.notes, *told)))


def publish(order: Order) -> BatchManifest:
    """Write the good rows to the validated zone and the others to quarantine; return the manifest that stands.

    Order: quarantined rows, data, manifest. A second call finds the manifest and returns it; so does the loser of
    two runs with the same content, who tells by the manifest's `delivery_id` that it lost.
    """
    bucket = order.landed.bucket
    held = _hold_rows(order)
    data = _store(bucket, order.key("validated", "data.parquet"), to_parquet(order.verdict.kept), _PARQUET)
    manifest = _manifest(order, data, held)
    body = manifest.model_dump_json(indent=1).encode()
    if objects.create(bucket, order.key("validated", "manifest.json"), body) is None:
        found = find_batch(bucket, order.product.name, order.content.batch_id)
        manifest = manifest if found is None else found
    _leave_quarantine(order, manifest)
    return manifest


def republish(order: Order) -> BatchManifest:
    """Publish a validated batch anew, as it is judged today; return the manifest that stands.

    The old manifest names object versions, so until the new one replaces it nothing has changed. A second call finds
    its own; a batch whose rows are the same as before keeps the old one.
    """
    bucket, key = order.landed.bucket, order.key("validated", "manifest.json")
    for _ in range(_TRIES):
        stored = objects.read(bucket, key)
        found = find_batch(bucket, order.product.name, order.content.batch_id)
        if stored is None or found is None:
            return publish(order)
        body = to_parquet(order.verdict.kept)
        same = sha256(body).hexdigest() == found.data.sha256 and order.verdict.counts == found.rows
        if same or found.delivery_id == order.landed.delivery_id:
            return found
        held = _hold_rows(order)
        data = _store(bucket, order.key("validated", "data.parquet"), body, _PARQUET)
        manifest = _manifest(order, data, held)
        if objects.replace(bucket, key, manifest.model_dump_json(indent=1).encode(), stored.etag):
            _leave_quarantine(order, manifest)
            return manifest
    raise ServiceError(f"The manifest of batch {order.content.batch_id} changes hands too fast.")


def quarantine(order: Order) -> QuarantineRecord:
    """Keep a refused file byte by byte, with the reasons beside it. A second call writes the same again."""
    landed, content, key = order.landed, order.content, order.key("quarantine", "original")
    if landed.parts:
        parts = originals.keep_parts(landed, key)
        return _explain(order, "batch", StoredFile(key=key, sha256=content.batch_id, size=content.size), parts)
    if content.data is not None:
        return _explain(order, "batch", _store(landed.bucket, key, content.data, _BYTES))
    originals.copy_object(landed.bucket, landed.key, landed.object_version, key)
    return _explain(order, "batch", StoredFile(key=key, sha256=content.batch_id, size=content.size))


def to_parquet(table: pa.Table | None) -> bytes:
    """Return a table as Parquet with page checksums: without them 27 of 60 flipped bytes read as other values."""
    if table is None:
        raise ValueError("a refused batch has no rows to write")
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def _hold_rows(order: Order) -> StoredFile | None:
    if order.verdict.held is None:
        return None
    body = to_parquet(order.verdict.held)
    stored = _store(order.landed.bucket, order.key("quarantine", "rows.parquet"), body, _PARQUET)
    _explain(order, "rows", stored)
    return stored


def _manifest(order: Order, data: StoredFile, held: StoredFile | None) -> BatchManifest:
    landed, verdict, product = order.landed, order.verdict, order.product
    return BatchManifest(
        product=product.name,
        batch_id=order.content.batch_id,
        delivery_id=landed.delivery_id,
        key=order.first.key,
        object_version=order.first.object_version,
        etag=order.first.etag,
        landed_at=order.first.landed_at,
        flow_run=order.flow_run,
        rows=verdict.counts,
        columns=tuple(ColumnSchema(name=column.name, type=column.type) for column in product.columns),
        event_times=event_times(verdict.kept, product.time) if product.time else None,
        period=verdict.period,
        labelled=verdict.labelled,
        suite=verdict.suite,
        data=data,
        quarantined_rows=held,
        reasons=verdict.reasons,
        notes=verdict.notes,
        change=verdict.change or None,
        parts=originals.parts_of(landed),
    )


def _explain(
    order: Order,
    scope: Any,  # noqa: ANN401  checked by the record
    stored: StoredFile,
    parts: tuple[StoredPart, ...] = (),
) -> QuarantineRecord:
    landed, verdict = order.landed, order.verdict
    record = QuarantineRecord(
        scope=scope,
        product=order.product.name,
        batch_id=order.content.batch_id,
        delivery_id=landed.delivery_id,
        key=order.first.key,
        object_version=order.first.object_version,
        landed_at=order.first.landed_at,
        rows=verdict.counts,
        stored=stored,
        parts=parts,
        reasons=verdict.reasons,
        lines=verdict.lines,
        change=verdict.change or None,
    )
    _store(landed.bucket, order.key("quarantine", "reasons.json"), record.model_dump_json(indent=1).encode(), _JSON)
    return record


def _leave_quarantine(order: Order, manifest: BatchManifest) -> None:
    """A batch is in one zone: take away what an earlier, stricter judgement of the same bytes put into quarantine."""
    prefix = batch_prefix("quarantine", order.product.name, order.content.batch_id)
    kept = frozenset({f"{prefix}rows.parquet", f"{prefix}reasons.json"} if manifest.quarantined_rows else ())
    originals.discard(order.landed.bucket, prefix, kept)


def _store(bucket: str, key: str, body: bytes, kind: str) -> StoredFile:
    answer = _call(
        "write", bucket, key, s3().put_object, Body=body, ContentType=kind, ChecksumAlgorithm="SHA256"
    )  # fmt: skip
    version = answer.get("VersionId")
    return StoredFile(key=key, sha256=sha256(body).hexdigest(), size=len(body), object_version=version)


def _call(verb: str, bucket: str, key: str, call: Any, **arguments: Any) -> Any:  # noqa: ANN401  boto3's own
    try:
        return call(Bucket=bucket, Key=key, **arguments)
    except ClientError as error:
        told = error.response["Error"]
        raise ServiceError(
            f"S3 would not {verb} s3://{bucket}/{key}.", detail=f"It says {told.get('Code')}: {told.get('Message')}"
        ) from error


def _landed_at(landed: LandedObject) -> Any:  # noqa: ANN401  checked by the record
    return landed.landed_at
