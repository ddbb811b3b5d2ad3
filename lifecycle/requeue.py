"""Bytes that are to be judged again, after a suite or a product was mended: who asked, why, and under which key.

    landing/<product>/requeued/<batch_id>/<attempt>/<the name it first came under>

A requeued delivery is one like any other, with a record and an event of its own; only its place among the other
batches stays the one it had when it first landed. Copying bytes and writing records is `tasks/requeues.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lifecycle.batch import shown
from lifecycle.keys import landing_prefix, product_of
from lifecycle.ledger import Decision

ACTION = "requeue"
_FOLDER = "requeued"
_KEY = re.compile(rf"{_FOLDER}/([0-9a-f]{{64}})/([1-9][0-9]*)/(.+)", re.DOTALL)
_KEY_BYTES = 1024  # S3's limit
_TAIL = 200  # characters kept of a name that would not fit: its end says what kind of file it is


@dataclass(frozen=True)
class Attempt:
    """What a landing key says: the batch, how often it was requeued, and the name it first came under."""

    batch_id: str
    number: int
    name: str


class Origin(BaseModel):
    """Where bytes first came from: what decides about their place among the other batches, now as then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    object_version: str | None
    etag: str
    landed_at: AwareDatetime


class Requeue(BaseModel):
    """The wish to judge a batch again. `object_version` is the landed copy's; None until it was made.

    `rules`: what it will be judged by, so that asking again before they change is no new wish.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    product: str
    batch_id: str
    attempt: Annotated[int, Field(ge=1)]
    key: str
    origin: Origin
    actor: str
    reason: str
    rules: str
    asked_at: AwareDatetime
    object_version: str | None = None

    def decision(self) -> Decision:
        """Return the ledger's entry of the wish; the same wish is entered once."""
        return Decision(
            at=self.asked_at,
            actor=self.actor,
            cause="command",
            action=ACTION,
            reason=f"Batch {shown(self.batch_id)} is judged again: {self.reason}.",
            evidence={"batch": self.batch_id, "attempt": self.attempt, "key": self.key, "origin": self.origin.key},
            key=f"{ACTION}/{self.batch_id}/{self.attempt}",
        )


def requeue_key(product: str, batch_id: str, attempt: int, origin: str, room: int = 0) -> str:
    """Return the landing key of an attempt; `room`: bytes that are put after it, of the names of several files."""
    name = origin.removeprefix(landing_prefix(product))
    start = f"{landing_prefix(product)}{_FOLDER}/{batch_id}/{attempt}/"
    fits = len((start + name).encode()) + room <= _KEY_BYTES
    return start + (name if fits else name.rpartition("/")[2][-_TAIL:])


def attempt_of(key: str) -> Attempt | None:
    """Return what a requeued delivery's key says, None for every other key."""
    product = product_of(key)
    found = _KEY.fullmatch(key.removeprefix(landing_prefix(product))) if product else None
    return Attempt(found[1], int(found[2]), found[3]) if found else None


def record_prefix(product: str, batch_id: str) -> str:
    """Return the folder of a batch's requeues."""
    return f"control/{product}/requeues/{batch_id}/"


def record_key(product: str, batch_id: str, attempt: int) -> str:
    """Return the key of the record of one requeue; keys sort as attempts do."""
    return f"{record_prefix(product, batch_id)}{attempt:06d}.json"
