# ruff: noqa: SLF001 - a patch reads another package's private state
"""What a delivery stream makes of CloudWatch's messages: which bucket, which key, which bytes.

By the stream's own configuration, and the same for the same segment whenever it is asked. It delivers nothing.
"""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from ministack.services import firehose

from localcloud.patches.spool import Segment, Target

_NAMES = uuid.UUID("6b0f3f6e-51d5-4a4f-9d55-8d1f1c0d7a11")
_KNOWN = {"Decompression", "CloudWatchLogProcessing", "AppendDelimiterToRecord"}
_EXTENSIONS = {"UNCOMPRESSED": "", "GZIP": ".gz"}


class NotNowError(Exception):
    """A stream that cannot take a delivery as it is."""


def sink(target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the stream and its destination's configuration. Raises NotNowError when it cannot take anything."""
    stream = firehose._streams.get_scoped(target.account_id, target.region, target.stream)
    if stream is None or stream.get("status") != "ACTIVE":
        raise NotNowError("the stream is not there" if stream is None else f"the stream is {stream.get('status')}")
    found = next((one for one in stream["destinations"] if one["type"] in ("ExtendedS3", "S3")), None)
    if found is None:
        raise NotNowError("the stream has no destination in S3")
    configuration: dict[str, Any] = found["config"]
    unknown = sorted({str(one["Type"]) for one in processors(configuration)} - _KNOWN)
    if unknown or configuration.get("CompressionFormat", "UNCOMPRESSED") not in _EXTENSIONS:
        raise NotNowError(f"not supported: {unknown or configuration['CompressionFormat']}")
    return stream, configuration


def place(stream: dict[str, Any], configuration: dict[str, Any], segment: Segment) -> tuple[str, str]:
    """Return bucket and key of a segment: the same ones whenever it is asked. Raises NotNowError for a bad prefix."""
    moment = time.gmtime(segment.opened)
    try:
        prefix = firehose._evaluate_prefix(configuration.get("Prefix", ""), moment)
        bucket = firehose._s3_bucket_from_arn(configuration["BucketARN"])
    except (firehose._DeliveryError, ValueError, KeyError) as error:
        raise NotNowError(f"the destination is unusable: {error}") from error
    stamp = firehose._java_time("yyyy-MM-dd-HH-mm-ss", moment)
    name = uuid.uuid5(_NAMES, f"{segment.target.folder}/{segment.path.name}")
    extension = (
        configuration.get("FileExtension") or _EXTENSIONS[configuration.get("CompressionFormat", "UNCOMPRESSED")]
    )
    return bucket, f"{prefix}{stream['name']}-{stream.get('version', 1)}-{stamp}-{name}{extension}"


def body(configuration: dict[str, Any], messages: list[bytes]) -> bytes:
    """Return an object's bytes: what the stream's processors make of CloudWatch's messages, compressed as it says."""
    kinds = {one["Type"]: one for one in processors(configuration)}
    end = b"\n" if "AppendDelimiterToRecord" in kinds else b""
    content = b"".join(record + end for message in messages for record in records(kinds, message))
    return gzip.compress(content, 6, mtime=0) if configuration.get("CompressionFormat") == "GZIP" else content


def records(kinds: dict[str, dict[str, Any]], message: bytes) -> Iterator[bytes]:
    """Yield what one of CloudWatch's messages becomes: itself, unpacked, or the lines in it."""
    wanted = kinds.get("CloudWatchLogProcessing", {}).get("Parameters") or []
    extracts = {"ParameterName": "DataMessageExtraction", "ParameterValue": "true"} in wanted
    if "Decompression" not in kinds:
        yield gzip.compress(message, 6, mtime=0)
    elif extracts:
        yield from (event["message"].encode() for event in json.loads(message)["logEvents"])
    else:
        yield message


def processors(configuration: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the processors that are switched on."""
    known = configuration.get("ProcessingConfiguration") or {}
    return list(known.get("Processors") or []) if known.get("Enabled") else []
