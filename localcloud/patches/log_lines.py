# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""A function's log: complete when its answer goes out, and no larger in memory after a million invocations.

ministack collects what a function wrote by waiting a few milliseconds for it. On a busy machine a line comes later,
is taken for the next invocation's, and is lost with the environment when there is none. With the patch everything
that was in the pipe when the answer came is read before the answer goes out; nothing is waited for. It also makes a
log stream for every invocation, where AWS makes one per environment; the last few hundred of a function are kept.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import queue
import re
import select
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import cloudwatch_logs, lambda_svc

from localcloud.patches.registry import Patch

KEPT_STREAMS = 200
_CHUNK = 1 << 16
_BEGIN_SECONDS = 5.0
_OF_AN_INVOCATION = re.compile(r"\d{4}/\d{2}/\d{2}/\[.+\][0-9a-f]{32}")


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="log lines",
        lack="what a function wrote is waited for, not read, and its log grows for ever",
        needed=_needed,
        apply=_apply,
    )


def _needed() -> bool:
    waits = "_drain_stderr_bounded" not in vars(lambda_runtime.ProvidedWorker)
    return waits and 'group["streams"][stream_name] = {' in inspect.getsource(lambda_svc._emit_lambda_logs)


def _apply() -> None:
    lambda_runtime.ProvidedWorker._pump_output = _pumping
    lambda_runtime.ProvidedWorker._drain_stderr_bounded = _drained
    lambda_svc._emit_lambda_logs = _bounded(lambda_svc._emit_lambda_logs)


class Pipe:
    """What an environment writes, line by line into a queue. A thread reads it, and whoever wants it all, too."""

    def __init__(self, descriptor: int, lines: queue.Queue[str]) -> None:
        """Read from a pipe's end, which the caller closes when `run` has returned."""
        self.lines = lines
        self._descriptor = descriptor
        self._rest = b""
        self._lock = threading.Lock()
        self._ended = False
        os.set_blocking(descriptor, False)  # two readers: what one was told of, the other may have taken

    def run(self) -> None:
        """Read until everybody who had the other end has closed it."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while not self._ended:
            poll.poll()
            self.empty()

    def empty(self) -> None:
        """Read all that was written before this call."""
        with self._lock:
            while not self._ended and (chunk := self._read()) is not None:
                self._ended = not chunk
                self._take(chunk)

    def _read(self) -> bytes | None:
        """Return what there is, nothing at the end, or None when there is nothing yet."""
        try:
            return os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return None

    def _take(self, chunk: bytes) -> None:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        if self._ended and self._rest:
            whole.append(self._rest)
        for line in whole:
            self._put(line.decode("utf-8", errors="replace").rstrip("\r"))

    def _put(self, line: str) -> None:
        """Add a line; the oldest goes when there is no room, as upstream has it."""
        while self.lines.full():
            with contextlib.suppress(queue.Empty):
                self.lines.get_nowait()
        self.lines.put_nowait(line)


def _pumping(worker: Any, stream: Any, log_queue: queue.Queue[str]) -> None:
    """Take the place of ProvidedWorker._pump_output."""
    with stream:
        pipe = worker.tropism_pipe = Pipe(stream.fileno(), log_queue)
        pipe.run()


def _drained(worker: Any, *_: Any, **__: Any) -> str:
    """Take the place of ProvidedWorker._drain_stderr_bounded: nothing is waited for but the reader's own start."""
    lines = worker._stderr_queue
    deadline = time.monotonic() + _BEGIN_SECONDS
    while getattr(getattr(worker, "tropism_pipe", None), "lines", None) is not lines and time.monotonic() < deadline:
        time.sleep(0.001)
    worker.tropism_pipe.empty()
    return str(worker._drain_stderr())


def _bounded(original: Callable[..., None]) -> Callable[..., None]:
    """Forget the oldest streams of a function's group once there are too many."""

    @functools.wraps(original)
    def emitted(func: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        original(func, *args, **kwargs)
        config = func.get("config") or func
        name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
        streams = (cloudwatch_logs._log_groups.get(name) or {}).get("streams", {})
        for old in oldest(streams):
            streams.pop(old, None)

    return emitted


def oldest(streams: dict[str, Any]) -> list[str]:
    """Return the names of the streams to forget: those of invocations beyond the last `KEPT_STREAMS`."""
    if len(streams) <= KEPT_STREAMS:
        return []
    return [name for name in list(streams) if _OF_AN_INVOCATION.fullmatch(name)][:-KEPT_STREAMS]
