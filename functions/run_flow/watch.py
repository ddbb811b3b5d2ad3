"""The thread beside a running flow: it stops the flow when it is cancelled and before its time is over.

It does not judge why a run is slow, and it never touches a flow that ends by itself.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from functions.run_flow.interrupt import Guard, Intent

# How long a flow may take to react to an interruption before it is interrupted again. Prefect writes two
# states and closes its task runner in this time: 0.3 s measured on two busy cores.
REACTION = 2.0  # seconds


class Stop(StrEnum):
    """Why a flow was stopped."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"

    @property
    def intent(self) -> Intent:
        """What the engine is told."""
        return "cancel" if self is Stop.CANCELLED else "relinquish"


@dataclass(frozen=True)
class Limits:
    """When to look and when to stop, in seconds; `deadline` is on the monotonic clock, None for no end.

    `reserve` before the deadline the flow is interrupted. Half of it later, a flow that does not react (it
    may be deep inside a library that never returns to Python) is given up: its state is written all the same.
    """

    poll: float
    deadline: float | None = None
    reserve: float = 0.0


class Watch:
    """Watch one flow run while its body executes; `stopped` is the reason, once there is one."""

    def __init__(self, flow_run_id: UUID, guard: Guard, limits: Limits, give_up: Callable[[], None]) -> None:
        """Take what to watch; `give_up` is called from the thread, at most once."""
        self.stopped: Stop | None = None
        self._flow_run_id = flow_run_id
        self._guard = guard
        self._limits = limits
        self._give_up: Callable[[], None] | None = give_up
        self._ended = threading.Event()
        # The thread must see the settings of the run, which live in context variables.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._loop,), name="run-flow-watch", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End looking; the thread ends after the request it is in."""
        self._guard.close()
        self._ended.set()
        self._thread.join(timeout=REACTION)

    def _loop(self) -> None:
        with get_client(sync_client=True) as client:
            while not self._ended.wait(self._pause()):
                if self.stopped is None:
                    self.stopped = self._reason(client)
                if self.stopped is not None:
                    self._guard.interrupt(self.stopped.intent)
                self._give_up_if_late()

    def _reason(self, client: SyncPrefectClient) -> Stop | None:
        if self._left() <= 0:
            return Stop.DEADLINE
        try:
            state = client.read_flow_run(self._flow_run_id).state
        except (httpx.HTTPError, ObjectNotFound):
            # Not seeing a cancellation for one round is no reason to stop a flow that runs well.
            return None
        return Stop.CANCELLED if state is not None and state.is_cancelling() else None

    def _left(self) -> float:
        """Seconds until the flow is interrupted."""
        if self._limits.deadline is None:
            return float("inf")
        return self._limits.deadline - self._limits.reserve - time.monotonic()

    def _pause(self) -> float:
        if self.stopped is not None:
            return min(REACTION, self._limits.reserve / 2) if self._limits.reserve else REACTION
        return max(0.0, min(self._limits.poll, self._left()))

    def _give_up_if_late(self) -> None:
        if self._give_up is not None and self._left() <= -self._limits.reserve / 2:
            self._give_up()
            self._give_up = None
