"""Callers that never stop asking, and what each of them was answered: the only witness of what a release does."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from tests.faults.models import COLUMNS

_OK = 200


@dataclass(frozen=True)
class Answer:
    """One answer as its caller saw it: when it was asked for and there, on the monotonic clock, and of which model."""

    began: float
    ended: float
    status: int
    model: str | None


@dataclass
class Stream:
    """`threads` callers, each asking again `pause` seconds after an answer, until left. Nothing is retried."""

    url: str
    bodies: Sequence[bytes]
    pause: float = 0.0
    threads: int = 2
    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _turns: itertools.count[int] = field(default_factory=itertools.count)
    _over: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._running = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._running:
            thread.join()

    def reach(self, more: int) -> None:
        """Wait until so many more answers came."""
        until = len(self.answers) + more
        while len(self.answers) < until and any(thread.is_alive() for thread in self._running):
            time.sleep(0.01)

    def since(self, moment: float) -> list[Answer]:
        """Return the answers to what was asked from a moment on."""
        return [one for one in list(self.answers) if one.began >= moment]

    def counted(self) -> Counter[tuple[str | None, int]]:
        """Return how often each model answered with which status."""
        return Counter((one.model, one.status) for one in list(self.answers))

    def _ask(self) -> None:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        while not self._over.is_set():
            body, began = self.bodies[next(self._turns) % len(self.bodies)], time.monotonic()
            try:
                connection.request("POST", f"{parts.path}invocations", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
            else:
                model = answer.headers["x-model-version"]
                self.answers.append(Answer(began, time.monotonic(), answer.status, model))
            self._over.wait(self.pause)
        connection.close()


def body(rows: Sequence[Sequence[float]]) -> bytes:
    """Return one request for rows."""
    return json.dumps({"dataframe_split": {"columns": COLUMNS, "data": rows}}).encode()
