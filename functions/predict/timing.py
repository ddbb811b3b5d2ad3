"""Work that is given up when its time is over: an alarm of the operating system interrupts it.

One call into a C library is not interrupted; the alarm is heard when it returns. It works in the main thread of a
system that has alarms, which is where the Lambda runtime calls; elsewhere nothing is started.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Made = TypeVar("Made")


class LateError(BaseException):
    """The time is over. No `Exception`, so that no `except Exception` of the interrupted code takes it for its own."""


class UnboundedError(Exception):
    """Nothing here could interrupt the work, so it was not begun."""


def within(seconds: float, work: Callable[[], Made]) -> Made:
    """Return what `work` returns. Raises LateError when it takes longer, UnboundedError where nothing can interrupt."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        raise UnboundedError
    if seconds <= 0:
        raise LateError
    armed = True

    def ring(_signal: int, _frame: FrameType | None) -> None:
        if armed:  # an alarm that comes after the work is done has nothing to say
            raise LateError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        made = work()
        armed = False
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return made
