"""The files of one delivery in the landing zone: what lies there, what is known of it, its waiting, its bytes.

Which files make it whole is decided in `lifecycle/parts.py`. Deliveries of one folder are numbered; the record of the
next is created when the one before has ended, so the creation is the claim of the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from botocore.exceptions import ClientError

from lifecycle.batch import Reason
from lifecycle.delivery import Delivery, LandedObject
from lifecycle.errors import ServiceError
from lifecycle.keys import is_marker, waiting_prefix
from lifecycle.parts import (
    MANIFEST,
    MOST_MANIFEST_BYTES,
    Part,
    PartsManifest,
    at_hand,
    read_manifest,
    round_id,
    set_aside,
)
from lifecycle.spec import Product
from tasks import deliveries, landing, objects, originals
from tasks.clients import s3
from tasks.deliveries import Claim


@dataclass(frozen=True)
class Seen:
    """A folder at one moment: its current object versions, and the record of its newest delivery, if any.

    `marked`: an ended delivery is still named as one that waits, so its last steps are not done. `now`: S3's time.
    """

    bucket: str
    product: str
    folder: str
    newest: int
    claim: Claim | None
    landed: tuple[Part, ...]
    now: datetime
    marked: bool = False

    @property
    def record(self) -> Delivery | None:
        """Return the record of the newest delivery."""
        return self.claim.record if self.claim else None

    @property
    def leftovers(self) -> tuple[Part, ...]:
        """Return what lies there of a delivery that has ended."""
        if self.record is None or not self.record.ended:
            return ()
        taken = {part.place for part in self.record.parts}
        return tuple(part for part in self.landed if part.place in taken)

    @property
    def goes_on(self) -> Delivery | None:
        """Return the record that what lies there belongs to; None when it begins another delivery."""
        record = self.record
        return record if record is not None and (not record.ended or record.incomplete) else None

    @property
    def number(self) -> int:
        """Return the number of the delivery that what lies there belongs to."""
        return self.newest if self.goes_on else self.newest + 1

    @property
    def present(self) -> tuple[Part, ...]:
        """Return the parts at hand: what lies there, and what an incomplete delivery left behind."""
        record = self.goes_on
        if record is None:
            return at_hand(self.landed, ())
        return at_hand(self.landed, set_aside(record.parts) if record.ended else record.parts)


@dataclass(frozen=True)
class Fetched:
    """Parts with their digests, without those that are gone; and the bytes by name, unless they are too many."""

    parts: tuple[Part, ...]
    data: Mapping[str, bytes] = field(repr=False)


def look(bucket: str, product: str, folder: str) -> Seen:
    """Say what lies in a folder and what is known of its newest delivery. Reads only."""
    newest, claim = _newest(bucket, product, folder)
    landed = _current(bucket, folder)
    marked = claim is not None and claim.record.ended and objects.read(bucket, _mark(claim.record)) is not None
    return Seen(bucket, product, folder, newest, claim, landed, objects.now(bucket, folder), marked)


def delivery_before(seen: Seen) -> Delivery | None:
    """Return the record of the delivery that the same folder brought before. Reads only."""
    found = deliveries.find(seen.bucket, seen.product, round_id(seen.bucket, seen.folder, seen.number - 1))
    return found.record if found else None


def manifest_of(bucket: str, product: Product, parts: tuple[Part, ...]) -> PartsManifest | Reason | None:
    """Return what the manifest among some parts says, or why it says nothing; None when there is none."""
    part = next((one for one in parts if one.name == MANIFEST), None)
    found = None if part is None else landing.fetch(as_object(bucket, product.name, part), MOST_MANIFEST_BYTES)
    return None if found is None else read_manifest(found.data, product.limits)


def wait(bucket: str, record: Delivery, etag: str | None) -> Claim | None:
    """Write that a delivery waits, and name it among those that do; None when somebody else was faster.

    The name first: a record that waits is always found. A second call does the same again.
    """
    objects.create(bucket, _mark(record), record.key.encode())
    return deliveries.write(bucket, record, etag)


def waiting(bucket: str, product: str, *, limit: int) -> tuple[Delivery, ...]:
    """Return the records of the deliveries that are named as waiting, also those that ended just now. Reads only."""
    named = objects.keys(bucket, waiting_prefix(product), limit=limit)
    ids = [key.removeprefix(waiting_prefix(product)) for key in named]
    found = [deliveries.find(bucket, product, delivery_id) for delivery_id in ids]
    return tuple(claim.record for claim in found if claim is not None)


def forget(bucket: str, record: Delivery) -> None:
    """Name a delivery no longer among those that wait. A second call does nothing."""
    originals.discard(bucket, _mark(record))


def fetch(bucket: str, product: str, parts: tuple[Part, ...], max_bytes: int) -> Fetched:
    """Read parts and their digests. Their bytes are kept only when all together are at most `max_bytes`."""
    most = max_bytes if sum(part.size for part in parts) <= max_bytes else -1
    found: list[Part] = []
    data: dict[str, bytes] = {}
    for part in parts:
        content = landing.fetch(as_object(bucket, product, part), most)
        if content is None:
            continue
        found.append(part.model_copy(update={"sha256": content.batch_id}))
        if content.data is not None:
            data[part.name] = content.data
    return Fetched(tuple(found), data)


def as_object(bucket: str, product: str, part: Part) -> LandedObject:
    """Return a part as the object version it is."""
    return LandedObject(bucket, product, part.key, part.object_version, part.etag, part.size, part.landed_at)


def _newest(bucket: str, product: str, folder: str) -> tuple[int, Claim | None]:
    """Find the newest delivery of a folder by doubling steps and halving ones: numbers have no gaps."""
    known: dict[int, Claim | None] = {0: None}

    def at(number: int) -> Claim | None:
        if number not in known:
            known[number] = deliveries.find(bucket, product, round_id(bucket, folder, number))
        return known[number]

    low, high = 0, 1
    while at(high) is not None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle) is not None else (low, middle)
    return low, at(low)


def _current(bucket: str, folder: str) -> tuple[Part, ...]:
    """Return the object versions in a folder that no newer one hides; markers are no parts."""
    try:
        pages = s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{folder}/")
        return tuple(
            Part(
                name=item["Key"].removeprefix(f"{folder}/"),
                key=item["Key"],
                object_version=None if item["VersionId"] in (None, "null") else item["VersionId"],
                etag=item["ETag"].strip('"'),
                size=item["Size"],
                landed_at=item["LastModified"],
            )
            for page in pages
            for item in page.get("Versions", [])
            if item["IsLatest"] and not is_marker(item["Key"])
        )
    except ClientError as error:
        told = error.response["Error"]
        raise ServiceError(
            f"S3 would not list s3://{bucket}/{folder}/.", detail=f"It says {told.get('Code')}: {told.get('Message')}"
        ) from error


def _mark(record: Delivery) -> str:
    return f"{waiting_prefix(record.product)}{record.delivery_id}"
