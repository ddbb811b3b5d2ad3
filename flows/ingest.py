"""Take in one delivery: claim it, read it, judge it, publish it or put it into quarantine, and say so.

Whatever a producer sends, the run completes and its message says what became of it; it fails only when a service or
the product's own files are at fault. Every step may be repeated: a run that dies anywhere is simply run again.
The order of the last steps is a promise: an object leaves the landing zone when everything else is done, so what
still lies there has work to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from lifecycle import spec
from lifecycle.batch import BatchManifest, QuarantineRecord, Reason, codes, shown
from lifecycle.codes import Code
from lifecycle.delivery import Delivery, LandedObject, Outcome, Worker, refuse_key, to_markdown
from lifecycle.errors import UsageError
from lifecycle.events import BatchQuarantined, BatchValidated, Event
from lifecycle.spec import Product
from tasks import batches, deliveries, judging, landing
from tasks.batches import Order
from tasks.clients import settings
from tasks.deliveries import Claim
from tasks.events import emit
from tasks.judging import Verdict
from tasks.landing import Content


@task(name="leave report", retries=2, retry_delay_seconds=2, cache_policy=NO_CACHE)
def report(record: Delivery) -> None:
    """Leave a page about the delivery with the run. A second call leaves a newer version of the same page."""
    create_markdown_artifact(
        to_markdown(record), key=f"ingest-{record.product}", description=f"{record.product}: {record.state}"
    )


@dataclass(frozen=True)
class Steps:
    """What the story is made of. A flow run takes the tasks; a test may take the functions under them."""

    find: Callable[[str, str, str, str | None], LandedObject] = landing.find_object
    claim: Callable[[LandedObject, Worker], Claim] = deliveries.claim_delivery
    fetch: Callable[[LandedObject, int], Content | None] = landing.fetch
    known: Callable[[str, str, str], BatchManifest | None] = batches.find_batch
    judge: Callable[[str, Content, Product, Path], Verdict] = judging.judge
    publish: Callable[[Order], BatchManifest] = batches.publish
    quarantine: Callable[[Order], QuarantineRecord] = batches.quarantine
    end: Callable[[Claim, Outcome], Delivery] = deliveries.end_delivery
    report: Callable[[Delivery], None] = report
    emit: Callable[[Event], None] = emit
    clear: Callable[[LandedObject], bool] = landing.clear


@dataclass(frozen=True)
class Place:
    """Where a run works: the bucket, the products and the suites."""

    bucket: str
    products: Path
    expectations: Path


@flow(name="ingest")
def ingest(product: str, key: str, object_version: str | None = None, retry_of: str | None = None) -> State[Delivery]:
    """Take in one delivery; the run's message and result say what became of it."""
    where = settings()
    if reason := refuse_key(product, key):
        raise UsageError(f"{key!r} is no delivery of {product}.", detail=str(reason))
    place = Place(where.bucket, where.products, where.expectations)
    worker = Worker(str(flow_run.get_id()), retry_of)
    record = take_in(place, product, key, object_version, worker, Steps())
    return Completed(message=record.message(), data=record)


def take_in(place: Place, product: str, key: str, object_version: str | None, worker: Worker, steps: Steps) -> Delivery:
    """Carry a delivery from the landing zone to its end and return its record."""
    landed = steps.find(place.bucket, product, key, object_version)
    claim = steps.claim(landed, worker)
    if not claim.ours:
        record = claim.record
        if not (record.ended and landed.current):
            return record  # somebody else has it, or all is done
    else:
        record = steps.end(claim, _work(place, landed, worker, steps))
    if not record.ended:
        return record  # another run has taken over, and does the rest
    steps.report(record)
    for event in _events(record):
        steps.emit(event)
    steps.clear(landed)
    return record


def _work(place: Place, landed: LandedObject, worker: Worker, steps: Steps) -> Outcome:
    """Read, judge, and publish or quarantine."""
    product = spec.load(place.products, landed.product)
    content = None if landed.gone else steps.fetch(landed, product.limits.max_bytes)
    if content is None:
        gone = Reason(Code.OBJECT_GONE, None, "an object that was deleted before it was read", "the object")
        return Outcome("ignored", reasons=(gone,))
    known = steps.known(place.bucket, product.name, content.batch_id)
    if known is not None:
        return _accepted(known, landed)
    verdict = steps.judge(landed.key, content, product, place.expectations)
    order = Order(landed, content, verdict, product, worker.flow_run)
    if verdict.kept is not None:
        return _accepted(steps.publish(order), landed)
    steps.quarantine(order)
    return Outcome("quarantined", content.batch_id, verdict.counts, verdict.reasons, verdict.notes)


def _accepted(manifest: BatchManifest, landed: LandedObject) -> Outcome:
    """Return the outcome of content that is validated: by this delivery, perhaps before it died, or by another."""
    if manifest.delivery_id == landed.delivery_id:
        return Outcome("validated", manifest.batch_id, manifest.rows, manifest.reasons, manifest.notes)
    found = f"the same bytes as batch {shown(manifest.batch_id)}, delivered as {manifest.key!r}"
    reason = Reason(Code.DUPLICATE_BATCH, None, found, "bytes not seen before")
    return Outcome("duplicate", manifest.batch_id, manifest.rows, (reason,))


def _events(record: Delivery) -> list[Event]:
    """Return what to announce. A duplicate and an ignored delivery change nothing, so nobody is woken."""
    if record.batch_id is None or record.rows is None or record.state not in ("validated", "quarantined"):
        return []
    about: dict[str, Any] = {
        "product": record.product,
        "batch_id": record.batch_id,
        "delivery_id": record.delivery_id,
        "key": record.key,
        "rows_received": record.rows.received,
        "rows_validated": record.rows.validated,
        "rows_quarantined": record.rows.quarantined,
    }
    events: list[Event] = []
    if record.rows.quarantined or record.state == "quarantined":
        events.append(BatchQuarantined(**about, reasons=codes(record.reasons)))
    if record.state == "validated":
        events.append(BatchValidated(**about))
    return events
