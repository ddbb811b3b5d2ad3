"""Carry out what was decided about a breach, and write the decision down.

The act comes first and the ledger after it: whoever dies between the two decides the same again, under the same key,
and every act is idempotent on that key. What to do is `lifecycle/response.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from lifecycle.control import ControlRecord
from lifecycle.episodes import Watch
from lifecycle.events import RetrainRequested
from lifecycle.response import Response, Situation
from lifecycle.taken import asked_for, cause_of, decision, taken
from tasks import control, events, ledger, monitoring


def situation_of(bucket: str, product: str, now: datetime) -> tuple[Situation, ControlRecord]:
    """Return everything a decision is made from, read at one moment."""
    record = control.read(bucket, product).record
    champion = record.champion
    watch: Watch = monitoring.read_watch(bucket, product)
    situation = Situation(
        watch=watch,
        taken=taken(ledger.entries(bucket, product), now),
        serving_since=champion.since if champion else None,
        can_go_back=record.previous is not None,
        busy=record.challenger is not None or record.release is not None,
        frozen=record.frozen,
    )
    return situation, record


def ask_for_training(product: str, found: Response) -> None:
    """Ask for a training that names the decision as its cause; asked again, it is the same event."""
    events.send(RetrainRequested(product=product, cause=cause_of(found.key), request_id=found.key))


def write_down(bucket: str, product: str, record: ControlRecord, found: Response, now: datetime) -> int:
    """Append the decision to the ledger and return its number; a second call returns the same one."""
    champion = record.champion
    bundle, version = (champion.bundle, champion.model_version) if champion else (None, None)
    return ledger.append(bucket, product, decision(bundle, found, now, version)).seq


def why_trained(bucket: str, product: str, told: str, now: datetime | None = None) -> str:
    """Return why a training happens: what was asked for and is not answered yet, else what it was told.

    What a training asked for is to learn from may land a moment later, and then it is that batch that wakes it.
    """
    if told.startswith(cause_of("")):
        return told
    return asked_for(ledger.entries(bucket, product), now or datetime.now(UTC)) or told
