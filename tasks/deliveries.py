"""The records of deliveries: claimed by one run at a time, ended once. The rules are `lifecycle/delivery.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import ValidationError

from lifecycle.batch import delivery_key
from lifecycle.delivery import Delivery, LandedObject, Outcome, Worker, may_take_over
from lifecycle.errors import ServiceError
from tasks import objects
from tasks.objects import Stored

_TRIES = 5  # each lost round means that another run changed the record in between


@dataclass(frozen=True)
class Claim:
    """A delivery's record and, when the claim is ours, the etag that ends it."""

    bucket: str
    record: Delivery
    etag: str | None

    @property
    def ours(self) -> bool:
        """Say whether this run works on the delivery."""
        return self.etag is not None


def claim_delivery(landed: LandedObject, worker: Worker) -> Claim:
    """Claim a delivery. A second call by the same run claims it again; any other gets the record as it is.

    A run that replaces the owner, or comes after the owner must be gone, takes the claim over.
    """
    key = delivery_key(landed.product, landed.delivery_id)
    for _ in range(_TRIES):
        wanted = _claimed(landed, worker, objects.now(landed.bucket, key))
        if etag := objects.create(landed.bucket, key, _body(wanted)):
            return Claim(landed.bucket, wanted, etag)
        stored = _read(landed.bucket, key)
        if stored.record.ended or not may_take_over(stored.record, worker, wanted.claimed_at):
            return replace(stored, etag=None)
        if etag := objects.replace(landed.bucket, key, _body(wanted), str(stored.etag)):
            return Claim(landed.bucket, wanted, etag)
    raise ServiceError(f"The record of delivery {landed.delivery_id} changes hands too fast.")


def find(bucket: str, product: str, delivery_id: str) -> Claim | None:
    """Return a delivery's record with the etag it carries, or None when there is none. Reads only."""
    key = delivery_key(product, delivery_id)
    stored = objects.read(bucket, key)
    return None if stored is None else _parsed(bucket, key, stored)


def write(bucket: str, record: Delivery, etag: str | None) -> Claim | None:
    """Write a record over the one that carries `etag`, or a first one; None when somebody else was faster.

    A second call finds its own.
    """
    key = delivery_key(record.product, record.delivery_id)
    body = _body(record)
    written = objects.create(bucket, key, body) if etag is None else objects.replace(bucket, key, body, etag)
    return None if written is None else Claim(bucket, record, written)


def end_delivery(claim: Claim, outcome: Outcome) -> Delivery:
    """Write what became of a claimed delivery and return the record that stands.

    A second call with the same outcome changes nothing. When another run took over meanwhile, its record stands:
    what both did was the same.
    """
    key = delivery_key(claim.record.product, claim.record.delivery_id)
    ended = claim.record.end(outcome, datetime.now(UTC))
    if objects.replace(claim.bucket, key, _body(ended), str(claim.etag)):
        return ended
    return _read(claim.bucket, key).record


def _claimed(landed: LandedObject, worker: Worker, now: datetime) -> Delivery:
    return Delivery(
        product=landed.product,
        delivery_id=landed.delivery_id,
        key=landed.key,
        object_version=landed.object_version,
        etag=landed.etag,
        state="claimed",
        owner=worker.flow_run,
        claimed_at=now,
    )


def _read(bucket: str, key: str) -> Claim:
    return _parsed(bucket, key, objects.read(bucket, key))


def _parsed(bucket: str, key: str, stored: Stored | None) -> Claim:
    try:
        record = Delivery.model_validate_json(stored.body if stored else b"")
    except ValidationError as error:
        raise ServiceError(
            f"s3://{bucket}/{key} is no record of a delivery.",
            detail=str(error.errors()[0]["msg"]),
            resolution="Delete it: the delivery is taken in again from the landing zone.",
        ) from error
    return Claim(bucket, record, stored.etag if stored else None)


def _body(record: Delivery) -> bytes:
    return record.model_dump_json(indent=1).encode()
