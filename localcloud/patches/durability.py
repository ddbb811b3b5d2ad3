# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""State that survives `kill -9`: ministack writes its state at a clean stop only.

With the patch it is written a second after anything was asked of the emulator, while requests come and shortly after,
and never while nothing happens.
"""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import ministack.app as gateway
from ministack.core import persistence
from ministack.services import cloudwatch

from localcloud.patches.registry import Patch

log = logging.getLogger("tropism.durability")

_EVERY_SECONDS = 1.0
"""At most so much is lost at a kill; a checkpoint takes 5-20 ms (measured with the project's own stack)."""
_QUIET_SECONDS = 5.0
"""Work that a request started goes on behind it: deliveries, polls, task transitions."""
_VOLUMINOUS = frozenset({"cloudwatch_logs", "cloudtrail"})
"""Grow with every request and are worth less than the pause: saved at a clean stop only. So are metrics."""


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
                state = _alarms() if name == "cloudwatch" else get_state()
            except RuntimeError:
                log.info("checkpoint.skipped service=%s", name)
                continue
            if state is not None:
                persistence.save_state(name, state)


def _alarms() -> dict[str, Any]:
    """Return what of CloudWatch is small and missed: a model under release without its alarms has no net."""
    return {"alarms": copy.deepcopy(cloudwatch._alarms), "resource_tags": copy.deepcopy(cloudwatch._resource_tags)}
