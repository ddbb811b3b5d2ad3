"""Take in one delivery: claim it, read it, judge it, publish it or put it into quarantine, and say so.

Whatever a producer sends, the run completes and its message says what became of it; it fails only when a service or
the product's own files are at fault. Every step may be repeated: a run that dies anywhere is simply run again.
The order of the last steps is a promise: an object leaves the landing zone when everything else is done, so what
still lies there has work to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from lifecycle import spec
from lifecycle.batch import BatchManifest, Reason, RowCounts, codes, shown
from lifecycle.codes import Code
from lifecycle.delivery import Delivery, LandedObject, Outcome, Worker, refuse_key, to_markdown
from lifecycle.errors import UsageError
from lifecycle.events import BatchQuarantined, BatchValidated, Event
from lifecycle.freezing import FROZEN
from tasks import batches, control, deliveries, judging, landing, requeues
from tasks.batches import Order
from tasks.clients import settings
from tasks.events import send
from tasks.step import Step, as_task, note


@dataclass(frozen=True)
class Work:
    """What a run works with: how steps are carried out, the bucket, the products, the suites, and who works."""

    step: Step
    bucket: str
    products: Path
    expectations: Path
    worker: Worker


@flow(name="ingest")
def ingest(product: str, key: str, object_version: str | None = None, retry_of: str | None = None) -> State[Delivery]:
    """Take in one delivery; the run's message and result say what became of it. A frozen product's waits."""
    if reason := refuse_key(product, key):
        raise UsageError(f"{key!r} is no delivery of {product}.", detail=str(reason))
    where = settings()
    stop = as_task("see whether it is frozen", control.stopped, where.bucket, product)
    if stop is not None:
        note("delivery.put_off", product=product, key=key, code=stop.code)
        return Completed(name=FROZEN, message=f"{key!r} stays where it landed and is taken in after the freeze. {stop}")
    worker = Worker(flow_run.get_id() or "unknown", retry_of)
    work = Work(as_task, where.bucket, where.products, where.expectations, worker)
    record = take_in(work, product, key, object_version)
    return Completed(message=record.message(), data=record)


def take_in(work: Work, product: str, key: str, object_version: str | None) -> Delivery:
    """Carry a delivery from the landing zone to its end and return its record."""
    landed = work.step("find object", landing.find_object, work.bucket, product, key, object_version)
    claim = work.step("claim delivery", deliveries.claim_delivery, landed, work.worker)
    record = claim.record
    if claim.ours:
        note("delivery.claimed", product=product, delivery=record.delivery_id, key=key)
        record = work.step("end delivery", deliveries.end_delivery, claim, _read_and_judge(work, landed))
    if not record.ended or not (claim.ours or landed.current):
        return record  # another run has it, or has done everything
    work.step("leave report", report, record)
    for event in _events(record):
        work.step("emit event", send, event)
    work.step("clear landing", landing.clear, landed)
    note(f"delivery.{record.state}", product=product, delivery=record.delivery_id, batch=record.batch_id)
    return record


def report(record: Delivery) -> None:
    """Leave a page about the delivery with the run. A second call leaves a newer version of the same page."""
    create_markdown_artifact(
        to_markdown(record), key=f"ingest-{record.product}", description=f"{record.product}: {record.state}"
    )


def _read_and_judge(work: Work, landed: LandedObject) -> Outcome:
    """Read, judge, and publish or quarantine."""
    product = spec.load(work.products, landed.product)
    content = None if landed.gone else work.step("fetch bytes", landing.fetch, landed, product.limits.max_bytes)
    if content is None:
        gone = Reason(Code.OBJECT_GONE, None, "an object that was deleted before it was read", "the object")
        return Outcome("ignored", reasons=(gone,))
    known = work.step("find batch", batches.find_batch, work.bucket, product.name, content.batch_id)
    again = work.step("find requeue", requeues.requeue_of, work.bucket, product.name, landed.key, content.batch_id)
    if known is not None and (again is None or known.delivery_id == landed.delivery_id):
        return _accepted(known, landed)
    origin = again.origin if again is not None else None
    verdict = work.step(
        "judge rows", judging.judge, origin.key if origin else landed.key, content, product, work.expectations
    )
    order = Order(landed, content, verdict, product, work.worker.flow_run, origin)
    if product.period is not None and verdict.kept is not None:
        order = work.step("compare with others", batches.compare, order)
    if known is not None:
        return _judged_again(work, order, known)
    if verdict.kept is not None:
        return _accepted(work.step("publish batch", batches.publish, order), landed)
    work.step("quarantine batch", batches.quarantine, order)
    return Outcome(
        "quarantined", content.batch_id, verdict.counts, verdict.reasons, verdict.notes, verdict.change or None
    )


def _judged_again(work: Work, order: Order, known: BatchManifest) -> Outcome:
    """Publish what a requeued batch holds by today's rules; one that would be refused stays as it was validated."""
    if order.verdict.kept is not None:
        known = work.step("publish batch anew", batches.republish, order)
    outcome = _accepted(known, order.landed)
    refused = order.verdict.reasons if order.verdict.kept is None else ()
    return replace(outcome, reasons=(*outcome.reasons, *refused)) if refused else outcome


def _accepted(manifest: BatchManifest, landed: LandedObject) -> Outcome:
    """Return the outcome of content that is validated: by this delivery, perhaps before it died, or by another."""
    if manifest.delivery_id == landed.delivery_id:
        return Outcome("validated", manifest.batch_id, manifest.rows, manifest.reasons, manifest.notes, manifest.change)
    found = f"the same bytes as batch {shown(manifest.batch_id)}, delivered as {manifest.key!r}"
    reason = Reason(Code.DUPLICATE_BATCH, None, found, "bytes not seen before")
    rows = RowCounts(manifest.rows.received, 0, 0, duplicates=manifest.rows.received)
    return Outcome("duplicate", manifest.batch_id, rows, (reason,))


def _events(record: Delivery) -> list[Event]:
    """Return what to announce. A duplicate and an ignored delivery change nothing, so nobody is woken.

    Rows without labels are validated as well; they wait, and nobody has anything to learn from them.
    """
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
    if record.state == "validated" and not record.waits_for_labels:
        events.append(BatchValidated(**about))
    return events
