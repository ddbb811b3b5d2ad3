"""The Lambda function that executes one flow run per invocation: `functions.run_flow.handler.handler`.

Its own environment gives PREFECT_API_URL (and credentials, if the API wants some) and a PREFECT_HOME below /tmp,
the one place a Lambda function may write to. Its asynchronous invocations want MaximumRetryAttempts 0, because
Prefect owns retries, and an on-failure destination, because an environment that is killed says nothing.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from functions.run_flow.attempt import Place
from functions.run_flow.execute import Delivery, execute
from functions.run_flow.request import RunRequest
from functions.run_flow.watch import Limits

# A cancellation is seen within a second; one read costs Prefect's server about 10 ms.
POLL = 1.0  # seconds
# To write a final state and drain logs takes under a second, on two busy cores up to three.
RESERVE = 5.0  # seconds


class Context(Protocol):
    """What AWS hands a handler, as far as it is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """Tell how long this invocation may still take."""


def handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 - AWS's signature
    """Execute the flow run that the event names. A repeated event executes nothing.

    Raises:
        ValueError: when the event is no request to run a flow.
        Exception: when Prefect's API cannot be reached; Lambda hands the event to its on-failure destination.

    """
    request = RunRequest.from_event(event)
    limits = within(context.get_remaining_time_in_millis() / 1000, request.timeout, now=time.monotonic())
    delivery = Delivery(request.flow_run_id, run_count=request.run_count, env=request.env)
    return execute(delivery, Place("Lambda", limits, beats=False)).to_json()


def within(left: float, timeout: float | None, *, now: float) -> Limits:
    """Find when to stop a flow: before the function's time is over and before the run's own; all in seconds."""
    allowed = left if timeout is None else min(left, timeout)
    # A short function keeps most of its time: the reserve is a third of it at most.
    return Limits(poll=POLL, deadline=now + allowed, reserve=min(RESERVE, allowed / 3))
