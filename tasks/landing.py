"""The landing zone: find an object's version, read its bytes, take it away when its delivery has ended.

Producers overwrite and delete as they like; every reading names a version, so what was announced is what is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.batch import Reason
from lifecycle.delivery import LandedObject
from lifecycle.errors import ServiceError
from tasks.clients import s3

_ABSENT = frozenset({404, 405})  # 405: the version is a delete marker
_CHANGED = 412
_STEP = 1 << 20


@dataclass(frozen=True)
class PartContent:
    """The bytes of one file of a delivery that has several. `rows`: how many its manifest promises, if it does."""

    name: str
    data: bytes = field(repr=False)
    rows: int | None = None


@dataclass(frozen=True)
class Content:
    """The bytes of a delivery; `data` is None when there are more than may be kept. `batch_id`: their sha256 hex.

    Of several files `parts` holds the bytes in the order of their rows, `data` is None, and `batch_id` is
    `lifecycle.parts.whole_id`. `refusal`: why there is nothing to judge, `notes`: what was remarked before reading.
    """

    batch_id: str
    size: int
    data: bytes | None = field(repr=False)
    parts: tuple[PartContent, ...] = ()
    refusal: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()


def find_object(bucket: str, product: str, key: str, object_version: str | None) -> LandedObject:
    """Say what S3 knows about an object version, or about the current one when none is named. Reads only."""
    newest = _head(bucket, key, None)
    if newest is not None and object_version in (None, newest.get("VersionId")):
        return _landed(bucket, product, key, newest, current=True)
    older = None if object_version is None else _head(bucket, key, object_version)
    if older is None:
        return LandedObject(bucket, product, key, object_version, gone=True)
    gone = newest is None and _withdrawn(bucket, key, str(object_version))
    return _landed(bucket, product, key, older, gone=gone)


def fetch(landed: LandedObject, max_bytes: int) -> Content | None:
    """Read an object version and its sha256; keep the bytes only up to `max_bytes`. None when it is gone."""
    parts: list[bytes] = []
    digest, size = sha256(), 0
    try:
        body = s3().get_object(Bucket=landed.bucket, Key=landed.key, **_version(landed.object_version))["Body"]
        for part in body.iter_chunks(_STEP):
            digest.update(part)
            size += len(part)
            parts.append(part)
            if size > max_bytes:
                parts.clear()
    except ClientError as error:
        if _status(error) in _ABSENT:
            return None
        raise _service(error, "read", landed.bucket, landed.key) from error
    return Content(digest.hexdigest(), size, b"".join(parts) if size <= max_bytes else None)


def clear(landed: LandedObject) -> bool:
    """Delete an object from the landing zone; the versioned bucket keeps its bytes. Return whether it did.

    A newer version under the same key is left alone. A second call finds nothing and does nothing.
    """
    newest = _head(landed.bucket, landed.key, None)
    if newest is None or newest.get("VersionId") != landed.object_version:
        return False
    try:
        s3().delete_object(Bucket=landed.bucket, Key=landed.key, IfMatch=newest["ETag"])
    except ClientError as error:
        if _status(error) in (*_ABSENT, _CHANGED):
            return False
        raise _service(error, "delete", landed.bucket, landed.key) from error
    return True


def _withdrawn(bucket: str, key: str, object_version: str) -> bool:
    """Say whether a producer deleted this very version, given that the key has no current one.

    Only `clear` deletes besides, and never over a version whose delivery has not ended. The one exception is the
    same bytes put again in the instant before: their predecessor has the same etag.
    """
    try:
        page = s3().list_object_versions(Bucket=bucket, Prefix=key)  # the key itself sorts first
    except ClientError as error:
        raise _service(error, "list the versions of", bucket, key) from error
    versions = [version for version in page.get("Versions", []) if version["Key"] == key]
    if not versions or versions[0]["VersionId"] != object_version:
        return False
    return len(versions) == 1 or versions[1]["ETag"] != versions[0]["ETag"]


def _head(bucket: str, key: str, object_version: str | None) -> dict[str, Any] | None:
    try:
        return dict(s3().head_object(Bucket=bucket, Key=key, **_version(object_version)))
    except ClientError as error:
        if _status(error) in _ABSENT:
            return None
        raise _service(error, "look at", bucket, key) from error


def _landed(
    bucket: str, product: str, key: str, head: dict[str, Any], *, current: bool = False, gone: bool = False
) -> LandedObject:
    return LandedObject(
        bucket,
        product,
        key,
        object_version=head.get("VersionId"),
        etag=str(head["ETag"]).strip('"'),
        size=int(head["ContentLength"]),
        landed_at=head["LastModified"],
        current=current,
        gone=gone,
    )


def _version(object_version: str | None) -> dict[str, Any]:
    return {"VersionId": object_version} if object_version else {}


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _service(error: ClientError, verb: str, bucket: str, key: str) -> ServiceError:
    told = error.response["Error"]
    return ServiceError(
        f"S3 would not {verb} s3://{bucket}/{key}.", detail=f"It says {told.get('Code')}: {told.get('Message')}"
    )
