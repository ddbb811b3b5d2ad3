"""The prediction log as a stream: the records of a product between two moments, and one of them by its id.

Memory stays the same whatever the range: one object is open at a time, and repeats are known among the last few
hundred thousand records only. An object that cannot be read is an error that names it; a line that is no record (a
delivery stream's health check, a part cut off) is counted. It writes nothing and judges nothing.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BufferedIOBase, BufferedReader, RawIOBase
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

from lifecycle.errors import ServiceError, UsageError
from lifecycle.predictions import Prediction, PredictionId, Repeats, hour_of, hours_back, log_prefix, partition, read
from tasks.clients import s3

LATE = timedelta(hours=24)
"""How much later than it was written a line may arrive: so long CloudWatch Logs and Firehose try again."""
SETTLING = timedelta(seconds=10)
"""An object's time has whole seconds and may be when its upload began: younger objects may still get company."""
LOOK_BACK = timedelta(days=7)
LINE_BYTES = 1 << 20
"""A log event is smaller: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class LogObject:
    """One delivered object; `modified` has whole seconds."""

    key: str
    modified: datetime
    size: int


@dataclass
class Tally:
    """What a stream went through so far. `strangers`: lines that are no record; `repeats`: records met before."""

    objects: int = 0
    lines: int = 0
    records: int = 0
    repeats: int = 0
    strangers: int = 0


@dataclass
class Log:
    """The records of a stretch of the log, each once; iterate it once, `tally` fills up meanwhile.

    `since` and `until` bound the objects' times when `by_arrival`, else the records' own.
    """

    bucket: str
    product: str
    since: datetime
    until: datetime
    by_arrival: bool
    tally: Tally = field(default_factory=Tally)

    def __iter__(self) -> Iterator[Prediction]:
        """Yield records object by object. Raises ServiceError naming an object that cannot be read."""
        repeats = Repeats()
        for found in self._objects():
            self.tally.objects += 1
            for line in lines(self.bucket, found.key):
                record = self._known(line)
                if record is None or not (self.by_arrival or self.since <= record.at < self.until):
                    continue
                if repeats.is_new(record):
                    self.tally.records += 1
                    yield record
                else:
                    self.tally.repeats += 1

    def _known(self, line: bytes) -> Prediction | None:
        self.tally.lines += 1
        record = read(line)
        self.tally.strangers += record is None
        return record

    def _objects(self) -> Iterator[LogObject]:
        if self.by_arrival:
            found = objects(self.bucket, self.product, self.since - LATE, self.until)
            return (one for one in found if self.since <= one.modified < self.until)
        found = objects(self.bucket, self.product, self.since, self.until + LATE)
        return (one for one in found if one.modified >= self.since.replace(microsecond=0))


def answered(bucket: str, product: str, since: datetime, until: datetime) -> Log:
    """Return the records of requests answered in [since, until), however late they were delivered."""
    return Log(bucket, product, since, until, by_arrival=False)


def arrived(bucket: str, product: str, since: datetime, until: datetime) -> Log:
    """Return the records of objects delivered in [since, until).

    Stretches that follow one another meet every object once, if each ends at `settled_at(now)` or before.
    """
    return Log(bucket, product, since, until, by_arrival=True)


def settled_at(now: datetime) -> datetime:
    """Return the latest moment before which no further object will be dated."""
    return (now - SETTLING).replace(microsecond=0)


def find(product: str, prediction_id: str, bucket: str, *, now: datetime, at: datetime | None = None) -> Prediction:
    """Return the record, or the part of one, that holds a prediction.

    With `at`, about when it was answered, only what was delivered from then on is read; without it the newest is read
    first, a week back. Raises UsageError saying how far it looked when there is none.
    """
    wanted = PredictionId.parse(prediction_id)
    if wanted is None:
        raise UsageError(
            f"{prediction_id!r} is no prediction id.",
            detail="Expected a request id, a dash and the row, as an answer's `prediction_ids` name them.",
        )
    since, until = (now - LOOK_BACK, now) if at is None else (at - timedelta(minutes=5), min(now, at + LATE))
    for found in _nearest_first(bucket, product, since, until, backwards=at is None):
        for line in lines(bucket, found.key):
            if wanted.request_id.encode() not in line:
                continue
            record = read(line)
            if record is not None and record.request_id == wanted.request_id and record.holds(wanted.row):
                return record
    raise UsageError(
        f"There is no prediction {wanted} in the log of {product}.",
        detail=f"Every object delivered from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC was read.",
        resolution="A record arrives up to two minutes after its answer. For an older one, say when it was.",
    )


def objects(bucket: str, product: str, since: datetime, until: datetime) -> Iterator[LogObject]:
    """Yield the objects in the partitions from `since` to `until`, in the order of their keys, page by page."""
    first, last = partition(product, since), partition(product, until)
    pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=log_prefix(product), StartAfter=first)
    try:
        for page in pages:
            for item in page.get("Contents", []):
                if hour_of(item["Key"]) is None:
                    continue
                if item["Key"] > last and not item["Key"].startswith(last):
                    return
                yield LogObject(item["Key"], item["LastModified"], item["Size"])
    except (ClientError, BotoCoreError) as error:
        raise ServiceError(
            f"S3 would not list s3://{bucket}/{log_prefix(product)}.", detail=f"It says {error}."
        ) from error


def lines(bucket: str, key: str) -> Iterator[bytes]:
    """Yield the lines of one object, gzip or plain, without their ends; a line beyond `LINE_BYTES` is cut there.

    Raises ServiceError naming the object when it is gone, damaged or incomplete.
    """
    try:
        with s3().get_object(Bucket=bucket, Key=key)["Body"] as body:
            raw = BufferedReader(_Raw(body))
            text: BufferedIOBase = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == _GZIP else raw
            yield from _split(text)
    except (ClientError, BotoCoreError, OSError, EOFError, zlib.error) as error:
        raise ServiceError(
            f"The log object s3://{bucket}/{key} cannot be read.",
            detail=f"{type(error).__name__}: {error}.",
            resolution="Look whether it is still there and whole; what it holds is missing from every count.",
        ) from error


class _Raw(RawIOBase):
    """A response as a file. botocore's own closes itself at its end, which readers on top take for a fault."""

    def __init__(self, body: StreamingBody) -> None:
        super().__init__()
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  the writable buffers of all kinds have no common type
        chunk = self._body.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _split(text: BufferedIOBase) -> Iterator[bytes]:
    while line := text.readline(LINE_BYTES):
        whole = line.endswith(b"\n")
        if line.strip():
            yield line.rstrip(b"\r\n")
        while not whole and (rest := text.readline(LINE_BYTES)):
            whole = rest.endswith(b"\n")


def _nearest_first(
    bucket: str, product: str, since: datetime, until: datetime, *, backwards: bool
) -> Iterator[LogObject]:
    if not backwards:
        yield from objects(bucket, product, since, until)
        return
    for hour in hours_back(since.astimezone(UTC), until.astimezone(UTC)):
        yield from reversed(list(objects(bucket, product, hour, hour)))
