"""How a running flow is stopped from another thread of its own process, and how the process survives it.

Prefect's engine ends a flow when SIGTERM reaches its main thread, and then sends the signal once more to whoever
held it before, so that the process dies as asked. A Lambda runtime must outlive the run, so `Guard` holds the
signal in between. It also tells the engine what the signal means, which in Prefect 3.8 only its own supervisor
process can do publicly: `_set_intent` is private, and the version is pinned.

    "cancel"      the engine ends the run as Cancelled and calls its hooks
    "relinquish"  the engine ends the flow and leaves the run's state to us, so that it can say why
    none          a real SIGTERM (StopTask, Spot): the engine ends the run as Crashed
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Literal, Self

from prefect._internal import control_listener
from prefect.exceptions import TerminationSignal

Intent = Literal["cancel", "relinquish"]


class Guard:
    """Hold SIGTERM for the length of one run. Enter it on the main thread, where Python delivers signals."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.terminated = False  # a real SIGTERM came, or came back from the engine
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._main = threading.main_thread()

    def __enter__(self) -> Self:
        """Take the signal over.

        Raises:
            RuntimeError: on another thread than the main one.

        """
        if threading.current_thread() is not self._main:
            raise RuntimeError(
                "A flow run can be stopped on the main thread only; this runtime calls the handler on "
                f"{threading.current_thread().name!r}. Give the function one invocation at a time."
            )
        control_listener.clear_intent()
        self._previous = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signal back. Nothing interrupts afterwards."""
        self.close()
        signal.signal(signal.SIGTERM, self._previous)

    def interrupt(self, intent: Intent) -> None:
        """Stop the flow with a meaning; called from another thread. Repeated calls interrupt again.

        A real signal, unlike `_thread.interrupt_main`, also ends a sleep or a wait for the network.
        """
        with self._lock:
            if self._closed.is_set() or self._main.ident is None:
                return
            control_listener._set_intent(intent)  # noqa: SLF001
            signal.pthread_kill(self._main.ident, signal.SIGTERM)

    def close(self) -> None:
        """Let no more interruptions through, and swallow the one that may be on its way. Idempotent."""
        while not self._closed.is_set():
            try:
                with self._lock:
                    self._closed.set()
            except TerminationSignal:
                continue
        # The engine leaves its own handler in place after an intent.
        signal.signal(signal.SIGTERM, self._note)
        control_listener.clear_intent()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        # Without an intent nobody of ours sent it.
        self.terminated = self.terminated or control_listener.get_intent() is None
