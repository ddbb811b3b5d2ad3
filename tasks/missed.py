"""What lies in the bucket that somebody should have worked on: landed objects, and validated batches. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from lifecycle.batch import batch_prefix, delivery_key, is_marker, landing_prefix
from lifecycle.delivery import Delivery
from lifecycle.errors import ServiceError
from lifecycle.events import delivery_id
from lifecycle.keys import place_of
from lifecycle.parts import MANIFEST
from lifecycle.repair import Landed
from tasks import objects, parts
from tasks.clients import s3

_MANIFEST = "/manifest.json"


@dataclass(frozen=True)
class Validated:
    """The batches of a product by their ids, with when each was published, the last time."""

    published: Mapping[str, datetime]

    @property
    def newest(self) -> datetime | None:
        """Return when the newest was published; None without any."""
        return max(self.published.values(), default=None)


def landed(bucket: str, product: str, *, limit: int) -> tuple[Landed, ...]:
    """Return what lies in a product's landing zone, at most `limit` deliveries, each with who claimed it.

    An object leaves the zone when all work on it is done, so whatever lies there has work to do. So has a delivery
    that is named as waiting and of which nothing lies there any more.
    """
    try:
        pages = s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=landing_prefix(product))
        current = (item for page in pages for item in page.get("Versions", []) if item["IsLatest"])
        wanted = (item for item in current if not is_marker(item["Key"]))
        places = ((place, tuple(items)) for place, items in groupby(wanted, key=lambda item: place_of(item["Key"])))
        found = {place: _delivered(bucket, product, place, items) for place, items in islice(places, limit)}
    except ClientError as error:
        raise _service(error, bucket) from error
    gone = [one for one in parts.waiting(bucket, product, limit=limit) if one.key not in found]
    there = (one for one in found.values() if one is not None)
    return (*there, *(Landed(f"{one.key}/{MANIFEST}", None, "", 0, one.claimed_at) for one in gone))


def validated(bucket: str, product: str) -> Validated:
    """Return which batches are published; their manifests are not read."""
    prefix = batch_prefix("validated", product, "").rstrip("/") + "/"
    try:
        pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = {
            item["Key"].removeprefix(prefix).removesuffix(_MANIFEST): item["LastModified"]
            for page in pages
            for item in page.get("Contents", [])
            if item["Key"].endswith(_MANIFEST)
        }
    except ClientError as error:
        raise _service(error, bucket) from error
    return Validated(found)


def _delivered(bucket: str, product: str, place: str, items: Sequence[Mapping[str, Any]]) -> Landed | None:
    """Return one delivery: a file, or the newest of several files that its record does not know yet.

    None when the files are gone by now.
    """
    if place == items[0]["Key"]:
        return _landed(bucket, product, items[0])
    seen = parts.look(bucket, product, place)
    if not seen.landed:
        return None
    record = seen.goes_on
    known = {part.place for part in record.parts} if record else set()
    new = [part for part in seen.landed if part.place not in known]
    waits = record is not None and record.state == "waiting" and not new
    told = max(new or seen.landed, key=lambda part: (part.landed_at, part.name))
    return Landed(
        key=told.key,
        object_version=told.object_version,
        etag=told.etag,
        size=told.size,
        landed_at=told.landed_at,
        owner=record.owner if record is not None and record.state == "claimed" else None,
        waits_until=record.waits_until if record is not None and waits else None,
    )


def _landed(bucket: str, product: str, item: Mapping[str, Any]) -> Landed:
    version = None if item["VersionId"] in (None, "null") else item["VersionId"]
    etag = item["ETag"].strip('"')
    identity = delivery_id(bucket, item["Key"], version or etag)
    return Landed(
        key=item["Key"],
        object_version=version,
        etag=etag,
        size=item["Size"],
        landed_at=item["LastModified"],
        owner=_owner(bucket, delivery_key(product, identity)),
    )


def _owner(bucket: str, key: str) -> str | None:
    stored = objects.read(bucket, key)
    try:
        record = Delivery.model_validate_json(stored.body) if stored else None
    except ValidationError:
        return None  # ingest says what is wrong with the record
    return record.owner if record is not None and not record.ended else None


def _service(error: ClientError, bucket: str) -> ServiceError:
    told = error.response["Error"]
    return ServiceError(f"S3 would not list s3://{bucket}.", detail=f"{told.get('Code')}: {told.get('Message')}")
