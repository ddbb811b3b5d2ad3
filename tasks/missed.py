"""What lies in the bucket that somebody should have worked on: landed objects, and validated batches. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from lifecycle.batch import batch_prefix, delivery_key, is_marker, landing_prefix
from lifecycle.delivery import Delivery
from lifecycle.errors import ServiceError
from lifecycle.events import delivery_id
from lifecycle.repair import Landed
from tasks import objects
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
    """Return what lies in a product's landing zone, at most `limit` objects, each with who claimed it.

    An object leaves the zone when all work on it is done, so whatever lies there has work to do.
    """
    try:
        pages = s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=landing_prefix(product))
        current = (item for page in pages for item in page.get("Versions", []) if item["IsLatest"])
        wanted = (item for item in current if not is_marker(item["Key"]))
        return tuple(_landed(bucket, product, item) for item in islice(wanted, limit))
    except ClientError as error:
        raise _service(error, bucket) from error


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
