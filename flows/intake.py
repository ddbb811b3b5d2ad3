"""What becomes of the content of a delivery, of one file or of several, and how it is told. Not a flow; ingest's hands.

Which bytes they are is decided before: `flows/ingest.py` for a file, `flows/gathering.py` for the files of one folder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact

from lifecycle.batch import BatchManifest, Reason, RowCounts, codes, shown
from lifecycle.codes import Code
from lifecycle.delivery import Delivery, LandedObject, Outcome, Worker, to_markdown
from lifecycle.events import BatchQuarantined, BatchValidated, Event
from lifecycle.spec import Product
from tasks import batches, judging, requeues
from tasks.batches import Order
from tasks.events import send
from tasks.landing import Content
from tasks.step import Step


@dataclass(frozen=True)
class Work:
    """What a run works with: how steps are carried out, the bucket, the products, the suites, and who works."""

    step: Step
    bucket: str
    products: Path
    expectations: Path
    worker: Worker


def judge_content(work: Work, product: Product, landed: LandedObject, content: Content) -> Outcome:
    """Judge bytes, and publish them or put them into quarantine. A second call finds what the first has stored."""
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


def announce(work: Work, record: Delivery) -> None:
    """Leave a page about an ended delivery and send its events. A second call says the same again."""
    work.step("leave report", report, record)
    for event in _events(record):
        work.step("emit event", send, event)


def report(record: Delivery) -> None:
    """Leave a page about the delivery with the run. A second call leaves a newer version of the same page."""
    create_markdown_artifact(
        to_markdown(record), key=f"ingest-{record.product}", description=f"{record.product}: {record.state}"
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
