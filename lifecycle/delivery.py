"""The record of one delivery, and who may work on it.

A delivery is one object version that landed, or the files of one folder together; a batch is its content. The record
is a claim while somebody works on it and the answer once it has ended. Reading and writing it is left to
`tasks/deliveries.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle.batch import Reason, RowCounts, codes, is_marker, landing_prefix, product_of, shown
from lifecycle.codes import Code
from lifecycle.envelope import delivery_id
from lifecycle.markup import plain
from lifecycle.parts import Part, round_id
from lifecycle.schema_change import SchemaChange

DeliveryState = Literal["waiting", "claimed", "validated", "quarantined", "duplicate", "ignored"]

# A Lambda invocation ends after 15 minutes at most, so whoever claimed longer ago is gone.
CLAIM_LASTS = timedelta(minutes=15)


@dataclass(frozen=True)
class LandedObject:
    """One version of one object in the landing zone, as S3 knows it; or the files of one delivery together.

    `current`: no newer version hides it. `gone`: it was deleted before it was read. `landed_at` is S3's time. Of
    several files `key` is their folder, `parts` are those to judge in the order of their rows, and `landed_at` is when
    the last of them came; `number` counts the deliveries that the folder has brought.
    """

    bucket: str
    product: str
    key: str
    object_version: str | None
    etag: str = ""
    size: int = 0
    landed_at: datetime | None = None
    current: bool = False
    gone: bool = False
    parts: tuple[Part, ...] = ()
    number: int = 0

    @property
    def delivery_id(self) -> str:
        """Return the id of this delivery, for a single file the same as the event's that announced it."""
        if self.number:
            return round_id(self.bucket, self.key, self.number)
        return delivery_id(self.bucket, self.key, self.object_version or self.etag)


@dataclass(frozen=True)
class Outcome:
    """How a delivery ended."""

    state: Literal["validated", "quarantined", "duplicate", "ignored"]
    batch_id: str | None = None
    rows: RowCounts | None = None
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    change: SchemaChange | None = None


class Delivery(BaseModel):
    """What became of one delivery. `owner` is the flow run that claimed it last.

    `delivery_id`, `key`, `object_version` and `etag` identify it; the rest is filled in when it ends. `change`: how
    its columns differ from the product's, None when they do not. Of several files `key` is their folder and `parts` all
    that came; while some are missing the state is `waiting`, until `waits_until` at the longest, and `reasons` say
    for what.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    product: str
    delivery_id: str
    key: str
    object_version: str | None
    etag: str
    state: DeliveryState
    owner: str
    claimed_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    batch_id: str | None = None
    rows: RowCounts | None = None
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    change: SchemaChange | None = None
    parts: tuple[Part, ...] = ()
    waits_until: AwareDatetime | None = None

    @property
    def ended(self) -> bool:
        """Say whether this is the answer, neither a claim nor a wait."""
        return self.state not in ("waiting", "claimed")

    @property
    def incomplete(self) -> bool:
        """Say whether it was given up since parts were missing: nothing was judged, and they may still come."""
        told = {Code.PARTS_MISSING, Code.PARTS_MANIFEST}
        return self.state == "quarantined" and not told.isdisjoint(codes(self.reasons))

    @property
    def waits_for_labels(self) -> bool:
        """Say whether the rows are validated and nothing is learned from them yet."""
        return self.state == "validated" and Code.NO_LABELS in codes(self.notes)

    def knows(self, object_version: str | None) -> bool:
        """Say whether it is about an object version: one of several files it may have been written before."""
        return not self.parts or object_version in {part.object_version for part in self.parts}

    def end(self, outcome: Outcome, now: datetime) -> Delivery:
        """Return the record of the ended delivery."""
        return self.model_copy(
            update={**{one.name: getattr(outcome, one.name) for one in fields(outcome)}, "ended_at": now}
        )

    def message(self) -> str:
        """Say in one paragraph what became of the delivery and what to do next."""
        known = self.batch_id is not None and self.ended
        what = f"Batch {self.product}/{shown(str(self.batch_id))}" if known else f"{self.key!r}"
        return " ".join(part for part in (_SAYS[self.state].format(what=what), *self._details()) if part)

    def _details(self) -> tuple[str, ...]:
        if self.state == "claimed":
            return (f"Flow run {self.owner} has it since {self.claimed_at:%Y-%m-%d %H:%M:%S} UTC.",)
        told = tuple(str(reason) for reason in self.reasons)
        if self.state == "waiting":
            return (f"It waits until {self.waits_until:%Y-%m-%d %H:%M:%S} UTC; nothing is judged before.", *told)
        if self.rows is not None and self.state == "validated":
            told = (f"{self.rows.validated:,} of {self.rows.received:,} rows.", *told)
        if self.waits_for_labels:
            told = (*told, "They wait for their labels: deliver the rows again when these are known.")
        if self.change:
            told = (*told, f"Its columns differ: see `tropism schema {self.product}`.")
        if self.state == "quarantined":
            told = (*told, f"Look with `tropism batches {self.product} --quarantined`; {self._mend()}")
        return told

    def _mend(self) -> str:
        if self.incomplete:
            return f"upload what is missing to {self.key}/: it is judged then, with what has come."
        again = (
            f"or mend the rules and `tropism requeue {self.product} {shown(self.batch_id)}`." if self.batch_id else ""
        )
        return f"mend the source and upload again{', ' + again if again else '.'}"


_SAYS: dict[DeliveryState, str] = {
    "waiting": "{what} is not whole.",
    "claimed": "{what} is being worked on.",
    "validated": "{what} is validated.",
    "quarantined": "{what} is quarantined.",
    "duplicate": "{what} is a duplicate; nothing was added.",
    "ignored": "{what} is ignored.",
}


def to_markdown(record: Delivery) -> str:
    """Return a page about a delivery: its message, its counts and its reasons. Names are escaped, values absent."""
    rows = record.rows
    counted = "" if rows is None else f"{rows.received:,} received, {rows.validated:,} validated, "
    lines = [
        f"**{plain(record.message())}**",
        "",
        f"Object {plain(record.key)}, delivery `{record.delivery_id}`.",
    ]
    if rows is not None:
        lines += ["", f"Rows: {counted}{rows.quarantined:,} quarantined, {rows.duplicates:,} duplicates."]
    if record.change:
        lines += ["", "### Columns", "", *(f"- {plain(line)}" for line in record.change.lines())]
    for title, reasons in (("Reasons", record.reasons), ("Remarks", record.notes)):
        if reasons:
            lines += ["", f"### {title}", "", "| code | column | found | expected | rows |", "|---|---|---|---|---|"]
            lines += [_row(reason) for reason in reasons]
    return "\n".join(lines) + "\n"


def _row(reason: Reason) -> str:
    rows = "" if reason.rows is None else f"{reason.rows:,}"
    cells = (reason.code, reason.column or "", reason.found, reason.expected, rows)
    return f"| {' | '.join(plain(cell) for cell in cells)} |"


@dataclass(frozen=True)
class Worker:
    """Who works on a delivery: a flow run, and the dead run it replaces, if any."""

    flow_run: str
    retry_of: str | None = None


def may_take_over(record: Delivery, worker: Worker, now: datetime) -> bool:
    """Say whether a worker may go on with a delivery that somebody has claimed.

    It may when the claim is its own, when it replaces the owner, or when the owner must be gone by now; and when
    nobody works on it because parts were missing.
    """
    if record.state == "waiting" or record.incomplete:
        return True
    if record.ended:
        return False
    return record.owner in (worker.flow_run, worker.retry_of) or now - record.claimed_at > CLAIM_LASTS


def refuse_key(product: str, key: str) -> Reason | None:
    """Return why a key is no delivery of a product, or None when it is one."""
    if product_of(key) != product:
        return Reason(Code.KEY, None, f"the key {key!r}", f"a key that starts with {landing_prefix(product)}")
    if is_marker(key):
        return Reason(Code.KEY, None, "a folder marker, a hidden or an unfinished file", "a finished file")
    return None
