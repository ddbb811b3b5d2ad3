"""Send an event to Prefect and know that it arrived.

Prefect's own `emit_event` is fire-and-forget: with the server away it returns an id and the process ends
with exit code 0. This posts, waits for the answer and retries for a quarter of a minute. It keeps nothing
for later: whoever calls has a record to send the same event from again, and a repeat has the same id.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from lifecycle.errors import ServiceError
from lifecycle.events import Event

WAITS_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Together 15 seconds: a restart of the server on its own database takes 7."""
_TIMEOUT_SECONDS = 10.0
_ACCEPTED = 204
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})


def send(event: Event, *, waits: Sequence[float] = WAITS_SECONDS) -> None:
    """Post one event to the Prefect API of the ambient settings and see it accepted.

    A second call with an equal event does nothing: the server has seen its id. Connections that fail and
    answers that may pass are retried, once per entry of `waits`, in seconds. Raises ServiceError when the event
    was not accepted.
    """
    from prefect.runtime import flow_run  # noqa: PLC0415  # seconds, which a rollback must not wait for
    from prefect.settings import get_current_settings  # noqa: PLC0415

    api = get_current_settings().api
    if not api.url:
        raise ServiceError(
            f"{event.name} has nowhere to go.",
            detail="PREFECT_API_URL is not set.",
            resolution="Start the services with `tropism up`, or set PREFECT_API_URL to the server's API.",
        )
    secret = api.auth_string.get_secret_value() if api.auth_string else ""
    user, _, password = secret.partition(":")
    url, found = f"{api.url.rstrip('/')}/events", ""
    body = [event.to_prefect(datetime.now(UTC), flow_run_id=flow_run.get_id())]
    with httpx.Client(timeout=_TIMEOUT_SECONDS, auth=httpx.BasicAuth(user, password) if secret else None) as client:
        for wait in waits:
            time.sleep(wait)
            found, final = _post(client, url, body)
            if final:
                break
    if found:
        raise ServiceError(
            f"Prefect did not accept {event.name} ({event.id}).",
            detail=f"POST {url}: {found}, expected {_ACCEPTED}.",
            resolution="See what is down with `tropism doctor`; sending the same event again is safe.",
        )


def _post(client: httpx.Client, url: str, body: object) -> tuple[str, bool]:
    """Try once. Return what was found instead of an acceptance, empty when there is none, and whether that is final."""
    try:
        answer = client.post(url, json=body)
    except httpx.HTTPError as error:
        return f"{type(error).__name__} {error}".strip(), False
    if answer.status_code == _ACCEPTED:
        return "", True
    return f"status {answer.status_code}", answer.status_code not in _MAY_PASS
