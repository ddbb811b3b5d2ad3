"""Small objects in S3 with conditional writes: read with an etag, create when absent, replace when unchanged.

The primitives under the control record and the ledger. They know nothing of what they carry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.errors import ServiceError
from tasks.clients import s3

_CONFLICT, _CHANGED, _ABSENT = 409, 412, 404
_TRIES = 5  # 409 means "another conditional write is in flight": S3 asks to send it again


@dataclass(frozen=True)
class Stored:
    """An object's bytes and the etag a later `replace` must name."""

    body: bytes
    etag: str


def read(bucket: str, key: str) -> Stored | None:
    """Return the object, or None when there is none."""
    try:
        answer = s3().get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _status(error) == _ABSENT and error.response["Error"]["Code"] != "NoSuchBucket":
            return None
        raise _service(error, "read", bucket, key) from error
    with answer["Body"] as body:
        return Stored(body.read(), answer["ETag"])


def create(bucket: str, key: str, body: bytes) -> str | None:
    """Write an object that must not exist; return its etag, or None when there is one already.

    Written twice with the same bytes, the second call finds its own object and returns its etag: a retry
    inside the client, after a lost answer, is no defeat.
    """
    return _put(bucket, key, body, {"IfNoneMatch": "*"})


def replace(bucket: str, key: str, body: bytes, etag: str) -> str | None:
    """Write an object that must still carry `etag`; return the new etag, or None when somebody else changed it."""
    return _put(bucket, key, body, {"IfMatch": etag})


def now(bucket: str, key: str) -> datetime:
    """Return the time by S3's clock, in whole seconds. Reads only; there need be no object.

    Claims are dated and judged by it: a clock of their own that jumps would make a live owner look dead.
    """
    try:
        answer: Any = s3().head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _status(error) != _ABSENT:
            raise _service(error, "look at", bucket, key) from error
        answer = error.response
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def keys(bucket: str, prefix: str, *, limit: int) -> list[str]:
    """List at most `limit` keys under a prefix, ascending."""
    pages = (
        s3()
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": limit})
    )
    try:
        return [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        raise _service(error, "list", bucket, prefix) from error


def _put(bucket: str, key: str, body: bytes, condition: dict[str, Any]) -> str | None:
    for _ in range(_TRIES):
        try:
            answer = s3().put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
                **condition,
            )
        except ClientError as error:
            if _status(error) not in (_CONFLICT, _CHANGED, _ABSENT):
                raise _service(error, "write", bucket, key) from error
            found = read(bucket, key)
            if found is not None and found.body == body:
                return found.etag
            if _status(error) != _CONFLICT:
                return None
        else:
            return answer["ETag"]
    return None


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _service(error: ClientError, verb: str, bucket: str, key: str) -> ServiceError:
    found = error.response["Error"]
    return ServiceError(
        f"S3 would not {verb} s3://{bucket}/{key}.", detail=f"It says {found.get('Code')}: {found.get('Message')}"
    )
