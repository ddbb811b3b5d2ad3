"""The control record in S3: read it with its etag, write it only when nobody else did meanwhile.

Compare-and-set is the only lock of a release. What may follow what is `lifecycle/control.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from lifecycle import freezing
from lifecycle.batch import Reason
from lifecycle.control import ControlRecord, Move, empty
from lifecycle.errors import ConflictError, ServiceError
from tasks import objects


@dataclass(frozen=True)
class Held:
    """A record as it was read; `etag` is None when nothing was written yet."""

    record: ControlRecord
    etag: str | None


def record_key(product: str) -> str:
    """Return the object key of a product's control record."""
    return f"control/{product}.json"


def read(bucket: str, product: str) -> Held:
    """Read a product's record. Raises ServiceError when what is stored is no record."""
    found = objects.read(bucket, record_key(product))
    if found is None:
        return Held(empty(product), None)
    try:
        return Held(ControlRecord.model_validate_json(found.body), found.etag)
    except ValidationError as error:
        where = f"s3://{bucket}/{record_key(product)}"
        raise ServiceError(
            f"{where} is no control record.",
            detail=str(error.errors()[0]["msg"]),
            resolution="The bucket keeps every version: restore the last good one.",
        ) from error


def stopped(bucket: str, product: str) -> Reason | None:
    """Return why nothing but serving may begin for a product, or None. Costs one read; raises as `read`."""
    return freezing.stopped(read(bucket, product).record)


def write(bucket: str, held: Held, move: Move) -> Held:
    """Write a moved record in place of the one read.

    A move that changes nothing writes nothing, so a second call with the same wish is harmless. Raises
    ConflictError, naming who won, when the record was changed since it was read.
    """
    if move.verdict != "moved":
        return held
    product, body = held.record.product, move.record.model_dump_json().encode()
    key = record_key(product)
    etag = objects.create(bucket, key, body) if held.etag is None else objects.replace(bucket, key, body, held.etag)
    if etag is None:
        raise _lost(held.record, read(bucket, product).record)
    return Held(move.record, etag)


def _lost(expected: ControlRecord, found: ControlRecord) -> ConflictError:
    champion = f"model {found.champion.model_version}" if found.champion else "none"
    return ConflictError(
        f"Somebody else changed the control record of {expected.product} first; nothing was changed here.",
        detail=(
            f"{found.updated_by or 'Somebody'} wrote revision {found.revision} (read: {expected.revision}); "
            f"the champion is {champion}."
        ),
        resolution=f"Look with `tropism status {expected.product}`, then decide again.",
    )
