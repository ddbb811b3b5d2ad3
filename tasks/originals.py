"""Delivered bytes, copied by S3 itself from the object versions that landed: into quarantine, out of it, and away."""

from __future__ import annotations

from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from lifecycle.batch import StoredPart
from lifecycle.delivery import LandedObject
from lifecycle.errors import ServiceError
from lifecycle.parts import MANIFEST
from tasks import objects
from tasks.clients import s3

_ONE_COPY = 5 * 1024**3  # what S3 copies in one request
_MOST_FILES = 1_000_000  # of one batch
_TAIL = 100  # characters kept of a name: keys in quarantine are longer than those in landing


def copy_object(bucket: str, source: str, object_version: str | None, key: str) -> str:
    """Copy an object version inside the bucket; return the version it became. A second call writes the same again."""
    place: Any = {"Bucket": bucket, "Key": source}
    if object_version:
        place["VersionId"] = object_version
    try:
        s3().copy(place, bucket, key, Config=TransferConfig(multipart_threshold=_ONE_COPY, use_threads=False))
        return str(s3().head_object(Bucket=bucket, Key=key)["VersionId"])
    except ClientError as error:
        raise _service(error, f"copy s3://{bucket}/{source} to {key}") from error


def put_object(bucket: str, key: str, body: bytes) -> str:
    """Write an object and return its version. A second call writes the same again."""
    try:
        return str(s3().put_object(Bucket=bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256")["VersionId"])
    except ClientError as error:
        raise _service(error, f"write s3://{bucket}/{key}") from error


def discard(bucket: str, prefix: str, keep: frozenset[str] = frozenset()) -> None:
    """Delete the objects under a prefix but those to keep; the bucket keeps their versions. Repeatable."""
    for key in sorted(set(objects.keys(bucket, prefix, limit=_MOST_FILES)) - keep):
        try:
            s3().delete_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise _service(error, f"delete s3://{bucket}/{key}") from error


def keep_parts(landed: LandedObject, folder: str) -> tuple[StoredPart, ...]:
    """Copy every file of a delivery into a folder, in their order. A second call writes the same again."""
    kept = []
    for at, part in enumerate(landed.parts):
        key = f"{folder}/{at:04d}-{part.name.rpartition('/')[2][-_TAIL:]}"
        copy_object(landed.bucket, part.key, part.object_version, key)
        kept.append(StoredPart(name=part.name, key=key, sha256=str(part.sha256), size=part.size))
    return tuple(kept)


def parts_of(landed: LandedObject) -> tuple[StoredPart, ...]:
    """Return the object versions that hold the rows of a delivery of several files, in their order."""
    return tuple(
        StoredPart(
            name=part.name, key=part.key, sha256=str(part.sha256), size=part.size, object_version=part.object_version
        )
        for part in landed.parts
        if part.name != MANIFEST
    )


def _service(error: ClientError, what: str) -> ServiceError:
    told = error.response["Error"]
    return ServiceError(f"S3 would not {what}.", detail=f"It says {told.get('Code')}: {told.get('Message')}")
