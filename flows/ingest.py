"""Take in one delivery: claim it, read it, judge it, publish it or put it into quarantine, and say so.

Whatever a producer sends, the run completes and its message says what became of it; it fails only when a service or
the product's own files are at fault. Every step may be repeated: a run that dies anywhere is simply run again.
The order of the last steps is a promise: an object leaves the landing zone when everything else is done, so what
still lies there has work to do.
"""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.gathering import gather
from flows.intake import Work, announce, judge_content
from lifecycle import spec
from lifecycle.batch import Reason
from lifecycle.codes import Code
from lifecycle.delivery import Delivery, LandedObject, Outcome, Worker, refuse_key
from lifecycle.errors import UsageError
from lifecycle.freezing import FROZEN
from lifecycle.keys import parts_folder
from tasks import control, deliveries, landing
from tasks.clients import settings
from tasks.step import as_task, note


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
    """Carry a delivery from the landing zone to its end and return its record; that of several files may wait."""
    if folder := parts_folder(key):
        return gather(work, product, folder)
    landed = work.step("find object", landing.find_object, work.bucket, product, key, object_version)
    claim = work.step("claim delivery", deliveries.claim_delivery, landed, work.worker)
    record = claim.record
    if claim.ours:
        note("delivery.claimed", product=product, delivery=record.delivery_id, key=key)
        record = work.step("end delivery", deliveries.end_delivery, claim, _read_and_judge(work, landed))
    if not record.ended or not (claim.ours or landed.current):
        return record  # another run has it, or has done everything
    announce(work, record)
    work.step("clear landing", landing.clear, landed)
    note(f"delivery.{record.state}", product=product, delivery=record.delivery_id, batch=record.batch_id)
    return record


def _read_and_judge(work: Work, landed: LandedObject) -> Outcome:
    """Read, judge, and publish or quarantine."""
    product = spec.load(work.products, landed.product)
    content = None if landed.gone else work.step("fetch bytes", landing.fetch, landed, product.limits.max_bytes)
    if content is None:
        gone = Reason(Code.OBJECT_GONE, None, "an object that was deleted before it was read", "the object")
        return Outcome("ignored", reasons=(gone,))
    return judge_content(work, product, landed, content)
