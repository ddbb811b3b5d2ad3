"""The records of a product's deliveries, and how many batches each zone holds. Read-only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cli import output
from cli.shapes import Rows, Waiting, Why, Zones
from lifecycle.errors import ServiceError

if TYPE_CHECKING:
    from lifecycle.batch import Reason, RowCounts
    from lifecycle.delivery import Delivery

_READERS = 8
_LIMIT = 100_000  # keys listed at most: years of hourly deliveries


def read(bucket: str, product: str, delivery_id: str) -> Delivery | None:
    """Return the record of one delivery, or None while nobody has claimed it. Raises ServiceError."""
    from lifecycle.batch import delivery_key

    return _read(bucket, delivery_key(product, delivery_id))


def read_all(bucket: str, product: str) -> tuple[Delivery, ...]:
    """Return every delivery of a product, the newest first. Raises ServiceError at one that is no record."""
    from tasks import objects

    keys = objects.keys(bucket, f"control/{product}/deliveries/", limit=_LIMIT)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="deliveries") as pool:
        found = [record for record in pool.map(lambda key: _read(bucket, key), keys) if record is not None]
    return tuple(sorted(found, key=lambda record: (record.claimed_at, record.delivery_id), reverse=True))


def zones(bucket: str, product: str) -> Zones:
    """Count the deliveries that wait in landing and the batches of the other zones; each batch is in one of them."""
    from lifecycle.keys import is_marker, landing_prefix, place_of
    from tasks import objects

    landed = objects.keys(bucket, landing_prefix(product), limit=_LIMIT)
    waiting = {place_of(key) for key in landed if not is_marker(key)}
    validated = {
        key.split("/")[2]
        for key in objects.keys(bucket, f"validated/{product}/", limit=_LIMIT)
        if key.endswith("/manifest.json")
    }
    # A validated batch that left some rows behind has a folder in quarantine as well.
    quarantined = {key.split("/")[2] for key in objects.keys(bucket, f"quarantine/{product}/", limit=_LIMIT)}
    return Zones(len(waiting), len(validated), len(quarantined - validated))


def waiting(bucket: str, product: str) -> tuple[Waiting, ...]:
    """Return the deliveries that wait for some of their files, the one that is over first."""
    from tasks import parts

    found = [one for one in parts.waiting(bucket, product, limit=_LIMIT) if one.state == "waiting"]
    found.sort(key=lambda one: (str(one.waits_until), one.key))
    return tuple(
        Waiting(file_of(one), output.stamp(one.waits_until) if one.waits_until else None, tuple(map(str, one.reasons)))
        for one in found
    )


def file_of(record: Delivery) -> str:
    """Return the name a file landed under first, before it was requeued."""
    from lifecycle.keys import landing_prefix
    from lifecycle.requeue import attempt_of

    if again := attempt_of(record.key):
        return again.name
    return record.key.removeprefix(landing_prefix(record.product))


def why(reason: Reason) -> Why:
    """Return a reason as scripts see it."""
    return Why(reason.code, reason.column, reason.found, reason.expected, reason.rows)


def rows(counts: RowCounts | None) -> Rows | None:
    """Return row counts as scripts see them."""
    if counts is None:
        return None
    return Rows(counts.received, counts.validated, counts.quarantined, counts.duplicates)


def _read(bucket: str, key: str) -> Delivery | None:
    from pydantic import ValidationError

    from lifecycle.delivery import Delivery
    from tasks import objects

    found = objects.read(bucket, key)
    if found is None:
        return None
    try:
        return Delivery.model_validate_json(found.body)
    except ValidationError as error:
        raise ServiceError(
            f"s3://{bucket}/{key} is no record of a delivery.",
            detail=str(error.errors()[0]["msg"]),
            resolution="The bucket keeps every version: restore the last good one.",
        ) from error
