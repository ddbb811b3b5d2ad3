# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""Records of failed asynchronous invocations, as AWS writes them, and none forgotten when the emulator dies.

ministack's record has no request id and always counts three attempts; what tells one failed run from another is
missing. An invocation that the emulator's death interrupts leaves no record at all. With the patch each invocation is
noted before it is accepted, and one that never ended is handed to its destination at the next start.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ministack.app as gateway
from ministack.core import persistence
from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import eventbridge, lambda_svc

from localcloud.patches.registry import Patch

log = logging.getLogger("tropism.failures")
_asked: ContextVar[str] = ContextVar("asked")
"""The id of the request being answered,"""
_invoked: ContextVar[str] = ContextVar("invoked")
"""and of the one that asks for an invocation. What a bucket or a rule invokes has none that anybody was told."""
_DIED = {"errorType": "Runtime.ExitError", "errorMessage": "The execution environment ended before it answered."}


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="on-failure records",
        lack="the record of a failed asynchronous invocation has no requestContext.requestId",
        needed=lambda: '"requestId"' not in inspect.getsource(lambda_svc._route_async_failure),
        apply=_apply,
    )


def _apply() -> None:
    journal = Journal(Path(persistence.STATE_DIR) / "invocations", keep=persistence.PERSIST_STATE)
    gateway._dispatch_service_request = _remembering(gateway._dispatch_service_request)
    lambda_svc._invoke = _handing_on(lambda_svc._invoke)
    lambda_svc.invoke_async_with_retry = journal.opening(lambda_svc.invoke_async_with_retry)
    lambda_svc._execute_function = journal.counting(lambda_svc._execute_function)
    lambda_svc._route_async_failure = journal.routing(lambda_svc._route_async_failure)
    gateway._load_persisted_state = journal.reporting(gateway._load_persisted_state)


def _remembering(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Remember the id that the answer will carry: the caller knows the invocation by it, so the record must name it."""

    @functools.wraps(original)
    async def remembered(*request: Any) -> Any:
        _asked.set(request[-1])
        return await original(*request)

    return remembered


def _handing_on(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def handed_on(*args: Any, **kwargs: Any) -> Any:
        token = _invoked.set(_asked.get(""))
        try:
            return await original(*args, **kwargs)
        finally:
            _invoked.reset(token)

    return handed_on


@dataclass
class Note:
    """What must be known of an invocation to report its failure."""

    request_id: str
    account_id: str
    region: str
    function_arn: str
    destination: str
    event: Any
    attempts: int = 0


class Journal:
    """The asynchronous invocations that have not ended; one small file each when the state is kept."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        """Keep files in `folder`, which is made when the first is written, or keep none."""
        self._folder = folder
        self._keep = keep
        self._notes: dict[int, Note] = {}

    def opening(self, original: Callable[..., None]) -> Callable[..., None]:
        """Note an invocation that has a destination before it is accepted."""

        @functools.wraps(original)
        def opened(func: dict[str, Any], event: Any) -> None:
            if note := _note(func, event):
                self._notes[id(event)] = note
                if self._keep:
                    self._folder.mkdir(parents=True, exist_ok=True)
                    self._path(note).write_text(json.dumps(asdict(note)))
            original(func, event)

        return opened

    def counting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Count an attempt, and forget the invocation when it succeeded."""

        @functools.wraps(original)
        def counted(func: dict[str, Any], event: Any) -> Any:
            if note := self._notes.get(id(event)):
                note.attempts += 1
            result = original(func, event)
            if note and not result.get("error"):
                self._forget(note)
            return result

        return counted

    def routing(self, original: Callable[..., None]) -> Callable[..., None]:
        """Send AWS's record to a queue; other destinations get what upstream sends."""

        @functools.wraps(original)
        def routed(target: str, name: str, event: Any, result: dict[str, Any]) -> None:
            note = self._notes.get(id(event))
            if note is None or parse_arn(target).service != "sqs":
                original(target, name, event, result)
                return
            _send(note, result)
            self._forget(note)

        return routed

    def reporting(self, original: Callable[[], None]) -> Callable[[], None]:
        """After a start, send what was interrupted to its destination; a second start finds nothing left."""

        @functools.wraps(original)
        def reported() -> None:
            original()
            for path in sorted(self._folder.glob("*.json")):
                note = Note(**json.loads(path.read_text()))
                with request_scope(note.account_id, note.region):
                    _send(note, {"body": _DIED, "error": True})
                path.unlink()
                log.warning("invocation.lost function=%s request=%s", note.function_arn, note.request_id)

        return reported

    def _path(self, note: Note) -> Path:
        return self._folder / f"{note.request_id}.json"

    def _forget(self, note: Note) -> None:
        self._notes.pop(id(note.event), None)
        if self._keep:
            self._path(note).unlink(missing_ok=True)


def _note(func: dict[str, Any], event: Any) -> Note | None:
    """Return what to note, or None for a function without a destination."""
    config = func.get("config") or func
    setting = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
    destination = ((setting.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if not destination:
        return None
    account_id, region = lambda_svc._account_region_from_function_config(config)
    return Note(_invoked.get("") or str(uuid.uuid4()), account_id, region, config["FunctionArn"], destination, event)


def _send(note: Note, result: dict[str, Any]) -> None:
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": note.request_id,
            "functionArn": note.function_arn,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": note.attempts,
        },
        "requestPayload": note.event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": result.get("function_error") or "Unhandled",
        },
        "responsePayload": result.get("body"),
    }
    eventbridge._dispatch_to_sqs(parse_arn(note.destination), json.dumps(record))
