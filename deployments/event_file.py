"""An event as somebody keeps it in a file: Prefect's own JSON, or a message of AWS as it waits in the queue.

A message of AWS becomes what the bridge would make of it. Nothing is sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from prefect.server.events.schemas.events import ReceivedEvent
from pydantic import ValidationError

from lifecycle.errors import UsageError
from lifecycle.events import Fired, Ignored, Landed, Lost, Refused, from_aws

_FORMS = 'Expected an event of Prefect with "event" and "resource", or a message that AWS puts into the queue.'


@dataclass(frozen=True)
class Given:
    """What a file holds. `event` is None when the bridge would send nothing, and `kept_back` says why."""

    event: ReceivedEvent | None
    kept_back: str = ""


def read(text: str, source: str) -> Given:
    """Read an event. What Prefect would add, an id and a time, is added. Raises UsageError when it is neither form.

    Golden files keep their message under `message`, SQS keeps it as text in `Records[0].body`; both are unwrapped.
    """
    found = _unwrapped(_parsed(text, source))
    if not isinstance(found, dict):
        raise UsageError(f"{source} holds no event.", detail=f"Found a {type(found).__name__}. {_FORMS}")
    if "event" not in found:
        return _of_aws(found, source)
    try:
        now = datetime.now(UTC).isoformat()
        return Given(ReceivedEvent.model_validate({"id": str(uuid4()), "occurred": now, **found}))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UsageError(f"{source} is not an event that Prefect takes.", detail=f"{faults}.") from error


def _parsed(text: str, source: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{source} is not JSON.", detail=f"{error}. {_FORMS}") from error


def _unwrapped(found: object) -> object:
    if not isinstance(found, dict):
        return found
    if "event" not in found and isinstance(found.get("message"), dict):
        return found["message"]
    records = found.get("Records")
    if isinstance(records, list) and len(records) == 1 and isinstance(records[0], dict) and "body" in records[0]:
        return _parsed(str(records[0]["body"]), "The body of the queue's message")
    return found


def _of_aws(message: dict[str, object], source: str) -> Given:
    """Return what the bridge would send. Raises UsageError when it would not understand the message."""
    match from_aws(json.dumps(message)):
        case Landed(event) | Lost(event) | Fired(event):
            return Given(ReceivedEvent.model_validate(event.to_prefect(datetime.now(UTC))))
        case Ignored(reason):
            return Given(None, f"The bridge sends nothing: {reason}")
        case Refused(reason):
            raise UsageError(
                f"{source} is not understood.",
                detail=f"{reason} {_FORMS}",
                resolution="In the queue such a message stays until it is among the dead letters.",
            )
