# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""State that survives `kill -9`: ministack writes its state at a clean stop only.

With the patch it is written a second after anything was asked of the emulator, while requests come and shortly after,
and never while nothing happens. Asynchronous invocations are noted before they are accepted; one that the emulator's
death interrupted goes to the function's on-failure destination at the next start, as AWS does when an environment dies.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ministack.app as gateway
from ministack.core import persistence
from ministack.core.responses import request_scope
from ministack.services import lambda_svc

from localcloud.patches.registry import Patch

log = logging.getLogger("tropism.durability")

_EVERY_SECONDS = 1.0
"""At most so much is lost at a kill; a checkpoint takes 5-20 ms (measured with the project's own stack)."""
_QUIET_SECONDS = 5.0
"""Work that a request started goes on behind it: deliveries, polls, task transitions."""
_VOLUMINOUS = frozenset({"cloudwatch", "cloudwatch_logs", "cloudtrail"})
"""Grow with every request and are worth less than the pause: saved at a clean stop only."""


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="durability",
        lack="state is written at a clean stop only",
        needed=lambda: inspect.getsource(gateway).count("save_all(") == 1,
        apply=_apply,
    )


def _apply() -> None:
    checkpoint = Checkpoint()
    gateway.app = checkpoint.watching(gateway.app)
    journal = Journal(Path(persistence.STATE_DIR) / "invocations")
    lambda_svc.invoke_async_with_retry = journal.opening(lambda_svc.invoke_async_with_retry)
    lambda_svc._execute_function = journal.closing_on_success(lambda_svc._execute_function)
    lambda_svc._route_async_failure = journal.closing(lambda_svc._route_async_failure)
    gateway._load_persisted_state = journal.reporting(gateway._load_persisted_state)
    if persistence.PERSIST_STATE:
        threading.Thread(target=checkpoint.run, daemon=True, name="tropism-checkpoint").start()


class Checkpoint:
    """Writes the state of every service while the emulator is busy."""

    def __init__(self) -> None:
        """Start quiet."""
        self._asked = 0.0

    def watching(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the gateway so that each request is noticed, health checks excepted."""

        @functools.wraps(original)
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and not scope["path"].startswith("/_ministack/"):
                self._asked = time.monotonic()
            await original(scope, receive, send)

        return watched

    def run(self) -> None:
        """Write again and again while requests come and for a few seconds after the last one."""
        while True:
            time.sleep(_EVERY_SECONDS)
            if self._asked and time.monotonic() - self._asked < _QUIET_SECONDS:
                self.write()

    def write(self) -> None:
        """Write every service once; one that is changing under the copy is written the next time."""
        services = gateway._build_persistence_save_dict()
        for name, get_state in services.items():
            if name in _VOLUMINOUS:
                continue
            try:
                state = get_state()
            except RuntimeError:
                log.info("checkpoint.skipped service=%s", name)
                continue
            if state is not None:
                persistence.save_state(name, state)


class Journal:
    """One small file per accepted asynchronous invocation that has not ended."""

    def __init__(self, folder: Path) -> None:
        """Keep the files in `folder`, which is made when the first is written."""
        self._folder = folder
        self._open: dict[int, Path] = {}

    def opening(self, original: Callable[..., None]) -> Callable[..., None]:
        """Note an invocation that has an on-failure destination before it is accepted."""

        @functools.wraps(original)
        def opened(func: dict[str, Any], event: Any) -> None:
            note = self._note(func, event)
            if persistence.PERSIST_STATE and note["destination"]:
                self._folder.mkdir(parents=True, exist_ok=True)
                path = self._folder / f"{uuid.uuid4().hex}.json"
                path.write_text(json.dumps(note))
                self._open[id(event)] = path
            original(func, event)

        return opened

    def closing_on_success(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Forget an invocation that succeeded; one that failed is forgotten when it was handed on."""

        @functools.wraps(original)
        def closed(func: dict[str, Any], event: Any) -> Any:
            result = original(func, event)
            if not result.get("error"):
                self._close(event)
            return result

        return closed

    def closing(self, original: Callable[..., None]) -> Callable[..., None]:
        """Forget an invocation after its failure reached the destination."""

        @functools.wraps(original)
        def closed(target: str, name: str, event: Any, result: Any) -> None:
            original(target, name, event, result)
            self._close(event)

        return closed

    def reporting(self, original: Callable[[], None]) -> Callable[[], None]:
        """After a start, send what was interrupted to its destination; a second start finds nothing left."""

        @functools.wraps(original)
        def reported() -> None:
            original()
            for path in sorted(self._folder.glob("*.json")):
                note = json.loads(path.read_text())
                body = {"errorType": "Runtime.ExitError", "errorMessage": "The execution environment ended"}
                with request_scope(note["account_id"], note["region"]):
                    lambda_svc._route_async_failure(
                        note["destination"], note["function"], note["event"], {"body": body, "error": True}
                    )
                path.unlink()
                log.warning("invocation.lost function=%s", note["function"])

        return reported

    def _note(self, func: dict[str, Any], event: Any) -> dict[str, Any]:
        config = func.get("config") or func
        account_id, region = lambda_svc._account_region_from_function_config(config)
        setting = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
        destination = (setting.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
        name = config.get("FunctionName", "")
        return {
            "account_id": account_id,
            "region": region,
            "function": name,
            "event": event,
            "destination": destination,
        }

    def _close(self, event: Any) -> None:
        path = self._open.pop(id(event), None)
        if path is not None:
            path.unlink(missing_ok=True)
