"""The bridge: messages from AWS' queue become events in Prefect, and whatever fails stays in the queue.

It decides nothing (`lifecycle.events.from_aws` does) and keeps nothing: a message that was not accepted is
reported back to SQS, which delivers it again and at last moves it to the dead-letter queue. The package is
`functions/bridge` with `lifecycle/{keys,messages,envelope,events}.py` and nothing else: the standard library
opens in milliseconds.

Environment: `PREFECT_API_URL` (up to and with `/api`) and, where the server asks for a password, either
`PREFECT_API_AUTH_STRING` (`user:password`) or `PREFECT_API_AUTH_SECRET_ARN`, the secret that holds it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Protocol, TypedDict

from functions.bridge.api import Api, NotAcceptedError, UnreachableError
from functions.bridge.secret import auth_string, renewed
from lifecycle.events import Fired, Ignored, Landed, Lost, Refused, from_aws

_LOG = logging.getLogger("bridge")
_MARGIN_SECONDS = 1.0
"""Time kept for the answer to SQS: a function that is cut off reports nothing, and its whole batch comes again."""


class Context(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends this invocation."""


class Message(TypedDict):
    """One record of an SQS batch, as far as it is read."""

    messageId: str
    body: str


class Failure(TypedDict):
    """A message that stays in the queue."""

    itemIdentifier: str


class Report(TypedDict):
    """The partial batch response; the event source mapping must say `ReportBatchItemFailures`."""

    batchItemFailures: list[Failure]


def handler(event: Mapping[str, Sequence[Message]], context: Context) -> Report:
    """Forward one SQS batch. A message delivered again becomes the same event, which Prefect drops.

    Forwarded and ignored messages are done; refused ones and those Prefect did not accept are failures. When
    Prefect cannot be reached, or time runs out, the rest of the batch is left to the queue untried. Raises
    TypeError when the invocation is no SQS batch and KeyError when no Prefect API is named.
    """
    _LOG.setLevel(logging.INFO)  # Lambda's root logger starts at WARNING
    if not isinstance(event.get("Records"), list):
        raise TypeError("The bridge is invoked by an SQS event source: expected Records, found none.")
    failures: list[Failure] = []
    with Api(os.environ["PREFECT_API_URL"], auth_string, renewed) as api:
        left = list(event["Records"])
        while left:
            seconds = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
            if seconds <= 0:
                _log("batch.left", messages=len(left), reason="The time is over.")
                break
            try:
                done = _forward(api, left[0], seconds)
            except UnreachableError as error:
                _log("batch.left", messages=len(left), reason=str(error))
                break
            message = left.pop(0)
            if not done:
                failures.append({"itemIdentifier": message["messageId"]})
    failures.extend({"itemIdentifier": message["messageId"]} for message in left)
    return {"batchItemFailures": failures}


def _forward(api: Api, message: Message, seconds: float) -> bool:
    """Forward one message and say whether it is done. Raises UnreachableError when Prefect does not answer."""
    meaning = from_aws(message["body"])
    match meaning:
        case Landed(event) | Lost(event) | Fired(event):
            try:
                api.post(event, seconds)
            except NotAcceptedError as error:
                _log("message.failed", message=message["messageId"], id=str(event.id), reason=str(error))
                return False
            _log("message.forwarded", message=message["messageId"], name=event.name, id=str(event.id))
            return True
        case Ignored(reason):
            _log("message.ignored", message=message["messageId"], reason=reason)
            return True
        case Refused(reason):
            _log("message.refused", message=message["messageId"], reason=reason)
            return False


def _log(event: str, **fields: str | int) -> None:
    _LOG.info(json.dumps({"event": event, **fields}))
