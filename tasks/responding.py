"""Carry out what was decided about a breach, and write the decision down.

The act comes first and the ledger after it: whoever dies between the two decides the same again, under the same key,
and every act is idempotent on that key. What to do is `lifecycle/response.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle.control import ControlRecord
from lifecycle.episodes import Watch
from lifecycle.events import RetrainRequested
from lifecycle.response import Response, Situation
from lifecycle.taken import cause_of, decision, taken
from tasks import control, events, ledger, monitoring, objects


class SetAside(BaseModel):
    """Predictions since a moment that were made of data which is wrong, and why it is taken for wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    product: str
    since: AwareDatetime
    noted_at: AwareDatetime
    decision: str
    reason: str


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


def set_aside(bucket: str, product: str, found: Response, now: datetime) -> str:
    """Write down which predictions were made of data that is wrong, so that nothing is learned of them.

    The log itself stays as it is. A second call finds the first one's note.
    """
    since = min(one.since for one in found.because)
    key = f"quarantine/{product}/predictions/{since:%Y-%m-%dT%H-%M-%SZ}/reasons.json"
    told = "\n".join(str(one.worst) for one in found.because)
    body = SetAside(product=product, since=since, noted_at=now, decision=found.key, reason=told)
    objects.create(bucket, key, body.model_dump_json().encode())
    return key


def write_down(bucket: str, product: str, record: ControlRecord, found: Response, now: datetime) -> int:
    """Append the decision to the ledger and return its number; a second call returns the same one."""
    champion = record.champion
    bundle, version = (champion.bundle, champion.model_version) if champion else (None, None)
    return ledger.append(bucket, product, decision(bundle, found, now, version)).seq
