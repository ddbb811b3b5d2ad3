"""Prefect's `POST /events` over one kept connection, with the standard library.

It tells apart what is about one message (Prefect refuses it) from what is about all of them (Prefect is away).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from lifecycle.envelope import Event

_TIMEOUT_SECONDS = 5.0
"""Prefect answers in 6 to 18 ms; five seconds is a server that is away, not a slow one."""
_AWAY = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES = 2
"""The second is for a kept connection that the server had closed meanwhile."""


class NotAcceptedError(Exception):
    """Prefect answered and refuses this event."""


class UnreachableError(Exception):
    """Prefect does not answer, or not for now; the next event would fare no better."""


class Api:
    """One connection to the Prefect API at `url`; `auth` returns `user:password`, or nothing without one."""

    def __init__(self, url: str, auth: Callable[[], str], renew: Callable[[], str]) -> None:
        """Connect to nothing yet. `renew` is asked instead of `auth` after a password was refused."""
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
        self._path = f"{parts.path.rstrip('/')}/events"
        self._auth, self._renew = auth, renew

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connection."""
        self._connection.close()

    def post(self, event: Event, seconds: float) -> None:
        """Send one event within `seconds`. A repeat is dropped by Prefect.

        Raises NotAcceptedError when Prefect refuses it and UnreachableError when Prefect is away.
        """
        body = json.dumps([event.to_prefect(datetime.now(UTC))]).encode()
        status = self._try(body, seconds, self._auth())
        if status == HTTPStatus.UNAUTHORIZED:
            status = self._try(body, seconds, self._renew())
        if status == HTTPStatus.UNAUTHORIZED or status in _AWAY:
            raise UnreachableError(f"Prefect answers with status {status}, expected 204.")
        if status != HTTPStatus.NO_CONTENT:
            raise NotAcceptedError(f"Prefect answers with status {status}, expected 204.")

    def _try(self, body: bytes, seconds: float, secret: str) -> int:
        """Return the status of the answer."""
        headers = {"Content-Type": "application/json"}
        if secret:
            headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
        self._connection.timeout = min(_TIMEOUT_SECONDS, seconds / _TRIES)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self._connection.timeout)
        reason = ""
        for _ in range(_TRIES):
            try:
                self._connection.request("POST", self._path, body, headers)
                answer = self._connection.getresponse()
                answer.read()
            except (OSError, HTTPException) as error:
                self._connection.close()
                reason = f"{type(error).__name__}: {error}"
            else:
                return answer.status
        raise UnreachableError(f"Prefect does not answer: {reason}.")
