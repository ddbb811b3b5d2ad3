"""The ledger: every decision about a product, in order, each entry carrying the hash of the one before.

Pure: a decision becomes an entry, a chain becomes a verdict. It is tamper-evident, not tamper-proof: an edit, a
gap or a reordering is found; entries cut off the end are found only against a head that was noted elsewhere.
Storing it is `tasks/ledger.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

GENESIS = "0" * 64
Scalar = str | int | float | bool | None


class Decision(BaseModel):
    """What was decided, by whom and why. `key` names the decision, so that it is recorded once."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    at: datetime
    actor: Annotated[str, Field(min_length=1)]
    cause: Annotated[str, Field(min_length=1, description="What made it happen: an event, a command, the sweep.")]
    action: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    from_: Annotated[str | None, Field(alias="from", description="Model version before.")] = None
    to: Annotated[str | None, Field(description="Model version after.")] = None
    reason: Annotated[str, Field(min_length=1)]
    evidence: Mapping[str, Scalar] = Field(default_factory=dict)
    key: Annotated[str, Field(min_length=1)]


class Entry(Decision):
    """A decision in its place in the chain."""

    seq: Annotated[int, Field(ge=1)]
    prev: str
    hash: str


@dataclass(frozen=True)
class Stored:
    """The bytes found under one number."""

    seq: int
    body: bytes


@dataclass(frozen=True)
class ChainVerdict:
    """Whether a chain holds. `broken_seq` is the first number that does not; `head` the last hash that does."""

    holds: bool
    length: int
    head: str
    broken_seq: int | None
    reason: str


def entry_key(product: str, seq: int) -> str:
    """Return the object key of an entry."""
    return f"ledger/{product}/{seq:012d}.json"


def hint_key(product: str, decision_key: str) -> str:
    """Return the object key that says where the entry of a decision is."""
    return f"control/{product}/ledger/{hashlib.sha256(decision_key.encode()).hexdigest()}.json"


def chain(decision: Decision, after: Entry | None) -> Entry:
    """Put a decision behind the last entry, or first."""
    seq, prev = (after.seq + 1, after.hash) if after else (1, GENESIS)
    body = {**decision.model_dump(mode="json", by_alias=True), "seq": seq, "prev": prev}
    return Entry.model_validate({**body, "hash": _hash(body)})


def encode(entry: Entry) -> bytes:
    """Return the one canonical spelling of an entry: sorted keys, no spaces, UTF-8, no NaN."""
    return _canonical(entry.model_dump(mode="json", by_alias=True))


def decode(body: bytes) -> Entry:
    """Read an entry back. Raises ValueError when it is not one; whether it is untouched is `verify`'s question."""
    return Entry.model_validate_json(body)


def verify(stored: Sequence[Stored], *, anchor: tuple[int, str] | None = None) -> ChainVerdict:
    """Check numbers, links, hashes and spelling of a whole chain, in ascending order of number.

    Args:
        stored: What is stored; the numbers come from the object keys.
        anchor: A number and its hash noted elsewhere; the chain must still hold that entry.
    """
    head = GENESIS
    for expected, item in enumerate(stored, start=1):
        fault = _fault(item, expected, head)
        if fault:
            return ChainVerdict(False, len(stored), head, expected, fault)  # noqa: FBT003  # named by the type
        head = decode(item.body).hash
        if anchor is not None and anchor[0] == expected and anchor[1] != head:
            return ChainVerdict(False, len(stored), head, expected, f"Entry {expected} is not the one noted elsewhere.")  # noqa: FBT003
    if anchor is not None and anchor[0] > len(stored):
        reason = f"The chain ends at {len(stored)}; entry {anchor[0]} was noted elsewhere."
        return ChainVerdict(False, len(stored), head, len(stored) + 1, reason)  # noqa: FBT003
    return ChainVerdict(True, len(stored), head, None, f"{len(stored)} entries, each links to the one before.")  # noqa: FBT003


def _fault(item: Stored, expected: int, prev: str) -> str | None:
    """Name what is wrong with one stored entry, or None."""
    if item.seq != expected:
        return f"Entry {expected} is missing; the next one stored is {item.seq}."
    try:
        entry = decode(item.body)
    except ValidationError as error:
        return f"Entry {expected} is not an entry: {error.errors()[0]['msg']}."
    if entry.seq != expected:
        return f"Entry {expected} calls itself {entry.seq}."
    if entry.prev != prev:
        return f"Entry {expected} does not link to the entry before it."
    body = entry.model_dump(mode="json", by_alias=True, exclude={"hash"})
    if entry.hash != _hash(body) or item.body != encode(entry):
        return f"Entry {expected} was altered: its hash says so."
    return None


def _canonical(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _hash(body: Mapping[str, object]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()
