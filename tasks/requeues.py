"""Let the bytes of a batch land again: the record of the wish first, then a copy under a key of its own.

The bytes are where ingest left them: in quarantine, or, of a batch that was validated in part, as the object version
that landed. What happens to them then is ingest's business.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from lifecycle.batch import BatchManifest, QuarantineRecord, StoredPart, batch_prefix, codes, delivery_key, shown
from lifecycle.codes import Code
from lifecycle.delivery import Delivery, LandedObject
from lifecycle.envelope import delivery_id
from lifecycle.errors import BatchError, ServiceError
from lifecycle.keys import PARTS
from lifecycle.parts import MANIFEST, Listed, manifest_text, round_id
from lifecycle.requeue import Origin, Requeue, attempt_of, record_key, record_prefix, requeue_key
from tasks import ledger, objects, originals
from tasks.landing import Content, PartContent, fetch

_MOST_ATTEMPTS, _LIMIT = 10_000, 100_000
_TRIES = 5  # each lost round means that somebody else asked for the same in between


State = Literal["landed", "under_way", "same_rules"]


@dataclass(frozen=True)
class Asker:
    """Who asks for a requeue, why, when, and the rules (`rules_digest`) that the batch shall be judged by."""

    name: str
    reason: str
    now: datetime
    rules: str


@dataclass(frozen=True)
class Bytes:
    """Where a batch's bytes are, and where they first came from; of several files those of each, in their order."""

    key: str
    object_version: str | None
    origin: Origin
    parts: tuple[StoredPart, ...] = ()

    @property
    def longest_name(self) -> int:
        """Return how many bytes the names of its files need below their folder; 0 for a single file."""
        return max((len(f"/{part.name}".encode()) for part in self.parts), default=0)


@dataclass(frozen=True)
class Asked:
    """A requeue and the delivery it became.

    `state`: landed now, under way since it was asked for before, or ended and the rules are still the same.
    """

    requeue: Requeue
    delivery_id: str
    state: State


def rules_digest(products: Path, expectations: Path, product: str) -> str:
    """Return the sha256 hex of what decides about a batch: the product's file, its raw suite, and this program."""
    files = (products / product / "product.yaml", expectations / f"{product}_raw.json")
    parts = [sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in files]
    return sha256("/".join((*parts, version("tropism"))).encode()).hexdigest()


def ask(bucket: str, product: str, batch_id: str, by: Asker) -> Asked:
    """Let a batch's bytes land again. Raises BatchError when there is no such batch, or nothing to judge again.

    A second call finishes the first when that died, and returns it while its delivery has not ended. After that
    nothing lands until the rules have changed: the same bytes would be judged the same.
    """
    for _ in range(_TRIES):
        known = attempts(bucket, product, batch_id)
        last = known[-1] if known else None
        if last is not None and not _has_ended(bucket, last):
            return _land(bucket, last, "under_way")
        found = bytes_of(bucket, product, batch_id)
        if last is not None and last.rules == by.rules:
            return _asked(bucket, last, "same_rules")
        number = 1 if last is None else last.attempt + 1
        wanted = Requeue(
            product=product,
            batch_id=batch_id,
            attempt=number,
            key=requeue_key(product, batch_id, number, found.origin.key, room=found.longest_name),
            origin=found.origin,
            actor=by.name,
            reason=by.reason,
            rules=by.rules,
            asked_at=by.now,
        )
        if objects.create(bucket, record_key(product, batch_id, number), _body(wanted)) is not None:
            return _land(bucket, wanted, "landed")
    raise ServiceError(f"Somebody else keeps asking for batch {product}/{shown(batch_id)}.")


def attempts(bucket: str, product: str, batch_id: str) -> tuple[Requeue, ...]:
    """Return every requeue of a batch, the first one first. Reads only."""
    keys = objects.keys(bucket, record_prefix(product, batch_id), limit=_MOST_ATTEMPTS)
    found = (_read(bucket, key) for key in keys)
    return tuple(one for one in found if one is not None)


def requeue_of(bucket: str, product: str, key: str, batch_id: str) -> Requeue | None:
    """Return the requeue that let these bytes land; None for any other delivery. Reads only.

    Other bytes under such a key are a delivery like any other.
    """
    told = attempt_of(key)
    if told is None or told.batch_id != batch_id:
        return None
    return _read(bucket, record_key(product, batch_id, told.number))


def bytes_of(bucket: str, product: str, batch_id: str) -> Bytes:
    """Return where the bytes are: those of a refused file in quarantine, else the version that landed."""
    prefix = batch_prefix("quarantine", product, batch_id)
    explained = objects.read(bucket, f"{prefix}reasons.json")
    record = QuarantineRecord.model_validate_json(explained.body) if explained else None
    if record is not None and record.scope == "batch":
        origin = Origin(key=record.key, object_version=record.object_version, etag="", landed_at=record.landed_at)
        if not {Code.PARTS_MISSING, Code.PARTS_MANIFEST}.isdisjoint(codes(record.reasons)):
            raise BatchError(
                f"Batch {product}/{shown(batch_id)} is not whole, so there is nothing to judge.",
                detail=" ".join(map(str, record.reasons)),
                resolution=f"Upload what is missing to {record.key}/: it is judged then, with what has come.",
            )
        return Bytes(record.stored.key, None, origin, tuple(one for one in record.parts if one.name != MANIFEST))
    published = objects.read(bucket, f"{batch_prefix('validated', product, batch_id)}manifest.json")
    if published is None:
        raise BatchError(
            f"There is no batch {product}/{shown(batch_id)}.",
            resolution=f"List them with `tropism batches {product} --quarantined`.",
        )
    manifest = BatchManifest.model_validate_json(published.body)
    if manifest.quarantined_rows is None and manifest.change is None:
        raise BatchError(
            f"Nothing of batch {product}/{shown(batch_id)} is quarantined, so nothing is judged again.",
            resolution=f"List what is with `tropism batches {product} --quarantined`.",
        )
    origin = Origin(
        key=manifest.key, object_version=manifest.object_version, etag=manifest.etag, landed_at=manifest.landed_at
    )
    return Bytes(manifest.key, manifest.object_version, origin, manifest.parts)


def content_of(bucket: str, product: str, source: Bytes) -> Content:
    """Read a batch's bytes, of one file or of several. Reads only; raises BatchError when they are gone."""
    whole = StoredPart(name="", key=source.key, sha256="", size=0, object_version=source.object_version)
    data: list[PartContent] = []
    for part in source.parts or (whole,):
        found = fetch(LandedObject(bucket, product, part.key, part.object_version), sys.maxsize)
        if found is None or found.data is None:
            raise BatchError(f"The bytes of s3://{bucket}/{part.key} are gone.")
        data.append(PartContent(part.name, found.data))
    if not source.parts:
        return Content("", len(data[0].data), data[0].data)
    return Content("", sum(len(one.data) for one in data), None, tuple(data))


def quarantined(bucket: str, product: str) -> tuple[str, ...]:
    """Return the batches that have something in quarantine, whole files or rows. Reads only."""
    keys = objects.keys(bucket, batch_prefix("quarantine", product, "").rstrip("/") + "/", limit=_LIMIT)
    return tuple(dict.fromkeys(key.split("/")[2] for key in keys if key.endswith("/reasons.json")))


def _land(bucket: str, wanted: Requeue, state: State) -> Asked:
    """Enter the wish in the ledger, copy the bytes unless they were, and note which version they became.

    A copy too many is a delivery too many, which ends as a duplicate or is judged the same.
    """
    ledger.append(bucket, wanted.product, wanted.decision())
    if wanted.object_version is None:
        source = bytes_of(bucket, wanted.product, wanted.batch_id)
        wanted = wanted.model_copy(update={"object_version": _copy(bucket, source, wanted.key)})
        _note(bucket, wanted)
    return _asked(bucket, wanted, state)


def _asked(bucket: str, wanted: Requeue, state: State) -> Asked:
    return Asked(wanted, _identity(bucket, wanted), state)


def _identity(bucket: str, wanted: Requeue) -> str:
    """Return the id of the delivery that a requeue became; files that land together are their folder's first one."""
    together = wanted.origin.object_version is None and wanted.key.endswith(PARTS)
    return round_id(bucket, wanted.key, 1) if together else delivery_id(bucket, wanted.key, str(wanted.object_version))


def _copy(bucket: str, source: Bytes, key: str) -> str:
    """Copy the bytes and return the version they became; of several files the manifest's, which comes last."""
    if source.parts:
        for part in source.parts:
            originals.copy_object(bucket, part.key, part.object_version, f"{key}/{part.name}")
        listed = (Listed(name=one.name, sha256=one.sha256, bytes=one.size) for one in source.parts)
        return originals.put_object(bucket, f"{key}/{MANIFEST}", manifest_text(listed))
    return originals.copy_object(bucket, source.key, source.object_version, key)


def _note(bucket: str, landed: Requeue) -> None:
    key = record_key(landed.product, landed.batch_id, landed.attempt)
    stored = objects.read(bucket, key)
    if stored is not None:
        objects.replace(bucket, key, _body(landed), stored.etag)


def _has_ended(bucket: str, last: Requeue) -> bool:
    if last.object_version is None:
        return False
    stored = objects.read(bucket, delivery_key(last.product, _identity(bucket, last)))
    return stored is not None and Delivery.model_validate_json(stored.body).ended


def _read(bucket: str, key: str) -> Requeue | None:
    stored = objects.read(bucket, key)
    try:
        return Requeue.model_validate_json(stored.body) if stored else None
    except ValidationError as error:
        raise ServiceError(
            f"s3://{bucket}/{key} is no record of a requeue.",
            detail=str(error.errors()[0]["msg"]),
            resolution="The bucket keeps every version: restore the last good one.",
        ) from error


def _body(record: Requeue) -> bytes:
    return record.model_dump_json(indent=1).encode()
