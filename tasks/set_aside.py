"""Predictions that were made of wrong data: from when to when, and why they are taken for wrong.

    quarantine/<product>/predictions/<since>/{reasons.json, over.json}

The log itself stays as it is; whoever learns from predictions leaves these out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle.response import Response
from tasks import objects

Stretch = tuple[datetime, datetime | None]
"""From when to when; None: still."""
_REASONS, _OVER = "reasons.json", "over.json"
_MANY = 100_000


class SetAside(BaseModel):
    """Predictions since a moment that were made of data which is wrong, and why it is taken for wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    product: str
    since: AwareDatetime
    noted_at: AwareDatetime
    decision: str
    reason: str


class Over(BaseModel):
    """When the data was right again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: AwareDatetime


def begin(bucket: str, product: str, found: Response, now: datetime) -> str:
    """Write down since when predictions are made of wrong data. A second call finds the first one's note."""
    since = min(one.since for one in found.because)
    key = f"{_prefix(product)}{since:%Y-%m-%dT%H-%M-%SZ}/{_REASONS}"
    told = "\n".join(str(one.worst) for one in found.because)
    body = SetAside(product=product, since=since, noted_at=now, decision=found.key, reason=told)
    objects.create(bucket, key, body.model_dump_json().encode())
    return key


def end(bucket: str, product: str, now: datetime) -> int:
    """Write down that the data is right again; return how many notes that ended. A second call ends none."""
    open_notes = [key for key, over in _notes(bucket, product) if not over]
    for key in open_notes:
        objects.create(bucket, _over(key), Over(until=now).model_dump_json().encode())
    return len(open_notes)


def stretches(bucket: str, product: str) -> tuple[Stretch, ...]:
    """Return from when to when predictions are set aside."""
    found = []
    for key, over in _notes(bucket, product):
        note, ended = objects.read(bucket, key), objects.read(bucket, _over(key)) if over else None
        if note is not None:
            until = Over.model_validate_json(ended.body).until if ended else None
            found.append((SetAside.model_validate_json(note.body).since, until))
    return tuple(found)


def _notes(bucket: str, product: str) -> Iterator[tuple[str, bool]]:
    keys = set(objects.keys(bucket, _prefix(product), limit=_MANY))
    for key in sorted(keys):
        if key.endswith(f"/{_REASONS}"):
            yield key, _over(key) in keys


def _over(key: str) -> str:
    return key.removesuffix(_REASONS) + _OVER


def _prefix(product: str) -> str:
    return f"quarantine/{product}/predictions/"
