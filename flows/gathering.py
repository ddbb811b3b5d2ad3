"""Take in the files of one delivery: wait until all are there, judge them together. Not a flow; ingest's hands.

Every file that lands wakes a run, and each run looks at the whole folder, so the order in which they come says
nothing. Whoever writes that a delivery waits looks once more before it ends: what came meanwhile has woken somebody
who left it alone. The last steps are those of a single file, and files leave the landing zone when all else is done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from flows.intake import Work, announce, judge_content
from lifecycle import spec
from lifecycle.batch import Reason, RowCounts, batch_prefix, shown
from lifecycle.codes import Code
from lifecycle.delivery import Delivery, LandedObject, Outcome, may_take_over
from lifecycle.errors import ServiceError
from lifecycle.parts import (
    MANIFEST,
    Lacking,
    Part,
    Whole,
    assemble,
    deadline,
    incomplete_id,
    repeats,
    round_id,
    whole_id,
)
from lifecycle.spec import Product
from tasks import deliveries, landing, originals, parts
from tasks.deliveries import Claim
from tasks.landing import Content, PartContent
from tasks.parts import Fetched, Seen
from tasks.step import note

_LOOKS = 100  # each further look is due to something that landed since the last one


@dataclass(frozen=True)
class _Case:
    """A look at a folder with something to do in it: what is missing, and until when it is waited for."""

    seen: Seen
    found: Whole | Lacking
    until: datetime

    @property
    def overdue(self) -> bool:
        return self.seen.now >= self.until


def gather(work: Work, product: str, folder: str) -> Delivery:
    """Carry what lies in a folder as far as it goes, and return the record of the delivery that ended, or waits."""
    rules = spec.load(work.products, product)
    told: Delivery | None = None
    for _ in range(_LOOKS):
        seen = work.step("look at parts", parts.look, work.bucket, product, folder)
        record = seen.record
        if record is not None and (seen.leftovers or seen.marked):
            _finish(work, seen, record)
            told = record
            continue
        if record is not None and _nothing_to_do(work, seen, record):
            return told or record
        if _go_on(work, rules, seen) is None:
            return told or _stands(work, seen)
    raise ServiceError(f"What lies in s3://{work.bucket}/{folder}/ changes too fast.")


def _nothing_to_do(work: Work, seen: Seen, record: Delivery) -> bool:
    """Say whether somebody has the delivery, or it waits for what has not come, or ended and nothing came since."""
    if record.ended:
        return not seen.landed
    if record.state == "claimed":
        return not may_take_over(record, work.worker, seen.now)
    same = record.parts == seen.present != ()
    return same and record.waits_until is not None and seen.now < record.waits_until


def _go_on(work: Work, product: Product, seen: Seen) -> Delivery | None:
    """Do the next step with a delivery; None when somebody else was faster, who goes on with it."""
    present = seen.present
    if not present:
        claim = _claim(work, seen, present)
        return None if claim is None else _end(work, claim, present, _gone())
    manifest = work.step("read manifest", parts.manifest_of, work.bucket, product, present)
    open_until = seen.goes_on.waits_until if seen.goes_on and not seen.goes_on.ended else None
    case = _Case(seen, assemble(manifest, present), open_until or deadline(present, product.limits))
    if isinstance(case.found, Lacking) and not case.overdue:
        return _wait(work, case, present, case.found, _etag(seen))
    claim = _claim(work, seen, present)
    return None if claim is None else _take(work, product, case, claim)


def _take(work: Work, product: Product, case: _Case, claim: Claim) -> Delivery | None:
    """Read the parts and judge them; other bytes than promised are waited for as if they were missing."""
    present, most = case.seen.present, product.limits.max_bytes if isinstance(case.found, Whole) else -1
    extra = {part.name for part in case.found.extra} if isinstance(case.found, Whole) else set()
    wanted = tuple(part for part in present if part.name not in extra)
    fetched = work.step("fetch parts", parts.fetch, work.bucket, product.name, wanted, most)
    known = tuple(sorted((*fetched.parts, *(one for one in present if one.name in extra)), key=lambda one: one.name))
    found: Whole | Lacking = case.found
    if isinstance(found, Whole):
        manifest = work.step("read manifest", parts.manifest_of, work.bucket, product, known)
        found = assemble(manifest, known)
    if not known:
        return _end(work, claim, known, _gone())
    if isinstance(found, Lacking) and not case.overdue:
        return _wait(work, case, known, found, claim.etag)
    if isinstance(found, Lacking) and (outcome := _repeated(work, case, known)):
        return _end(work, claim, known, outcome)
    landed, content = _content(case.seen, known, found, fetched)
    outcome = judge_content(work, product, landed, content)
    before = claim.record.batch_id
    if before is not None and before != outcome.batch_id:
        prefix = batch_prefix("quarantine", product.name, before)
        work.step("leave quarantine", originals.discard, work.bucket, prefix)
    return _end(work, claim, known, outcome)


def _content(
    seen: Seen, known: tuple[Part, ...], found: Whole | Lacking, fetched: Fetched
) -> tuple[LandedObject, Content]:
    """Return the parts as one thing that landed, and their bytes in the order of their rows."""
    at = max(part.landed_at for part in known)
    manifest = tuple(part for part in known if part.name == MANIFEST)
    ours = known if isinstance(found, Lacking) else (*found.parts, *manifest)
    size = sum(part.size for part in ours)
    landed = LandedObject(
        seen.bucket, seen.product, seen.folder, None, size=size, landed_at=at, parts=ours, number=seen.number
    )
    if isinstance(found, Lacking):
        return landed, Content(incomplete_id(known), size, None, refusal=found.reasons)
    data = tuple(PartContent(one.name, fetched.data[one.name], one.rows) for one in found.listed if fetched.data)
    return landed, Content(whole_id(str(part.sha256) for part in found.parts), size, None, data, notes=found.notes)


def _repeated(work: Work, case: _Case, known: tuple[Part, ...]) -> Outcome | None:
    """Return how files end that came again after their delivery was taken in; None when they are something new."""
    before = work.step("find last delivery", parts.delivery_before, case.seen)
    if before is None or before.state not in ("validated", "duplicate") or before.batch_id is None:
        return None
    if not repeats(known, {part.name: part.sha256 for part in before.parts}):
        return None
    found = f"files that batch {shown(before.batch_id)} holds already"
    reason = Reason(Code.DUPLICATE_BATCH, None, found, "a delivery of its own")
    return Outcome("duplicate", before.batch_id, RowCounts(0, 0, 0), (reason,))


def _gone() -> Outcome:
    reason = Reason(Code.OBJECT_GONE, None, "files that were deleted before they were read", "the files")
    return Outcome("ignored", reasons=(reason,))


def _wait(work: Work, case: _Case, present: tuple[Part, ...], found: Lacking, etag: str | None) -> Delivery | None:
    """Write down what a delivery waits for, over the record that carries `etag`."""
    before = case.seen.goes_on
    since = before.claimed_at if before and not before.ended else case.seen.now
    record = _record(work, case.seen, present, since).model_copy(
        update={"state": "waiting", "reasons": found.reasons, "waits_until": case.until}
    )
    written = work.step("wait for parts", parts.wait, work.bucket, record, etag)
    if written is None:
        return None
    note("delivery.waiting", product=record.product, delivery=record.delivery_id, parts=len(present))
    return written.record


def _claim(work: Work, seen: Seen, present: tuple[Part, ...]) -> Claim | None:
    record = _record(work, seen, present, seen.now)
    claim = work.step("claim delivery", deliveries.write, work.bucket, record, _etag(seen))
    if claim is not None:
        note("delivery.claimed", product=record.product, delivery=record.delivery_id, key=record.key)
    return claim


def _etag(seen: Seen) -> str | None:
    """Return the etag of the record that a delivery has already."""
    return seen.claim.etag if seen.goes_on and seen.claim else None


def _record(work: Work, seen: Seen, present: tuple[Part, ...], since: datetime) -> Delivery:
    """Return a claim; what is known of the delivery already stays in it."""
    before = seen.goes_on
    return Delivery(
        product=seen.product,
        delivery_id=round_id(seen.bucket, seen.folder, seen.number),
        key=seen.folder,
        object_version=None,
        etag="",
        state="claimed",
        owner=work.worker.flow_run,
        claimed_at=since,
        batch_id=before.batch_id if before else None,
        parts=present,
        waits_until=before.waits_until if before and not before.ended else None,
    )


def _end(work: Work, claim: Claim, known: tuple[Part, ...], outcome: Outcome) -> Delivery:
    mine = replace(claim, record=claim.record.model_copy(update={"parts": known}))
    return work.step("end delivery", deliveries.end_delivery, mine, outcome)


def _finish(work: Work, seen: Seen, record: Delivery) -> None:
    """Tell of an ended delivery and take its files out of the landing zone. A second call finds nothing to take."""
    announce(work, record)
    for part in seen.leftovers:
        work.step("clear landing", landing.clear, parts.as_object(work.bucket, seen.product, part))
    work.step("stop waiting", parts.forget, work.bucket, record)
    note(f"delivery.{record.state}", product=record.product, delivery=record.delivery_id, batch=record.batch_id)


def _stands(work: Work, seen: Seen) -> Delivery:
    """Return the record that somebody faster has written."""
    identity = round_id(seen.bucket, seen.folder, seen.number)
    found = work.step("find delivery", deliveries.find, work.bucket, seen.product, identity)
    if found is None:
        raise ServiceError(f"The record of delivery {identity} is gone.", resolution="Run it again.")
    return found.record
