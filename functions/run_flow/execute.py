"""One delivery of a flow run, from its claim to its outcome, in this process.

Lambda's handler and the ECS task are thin callers. Whatever happens in here, a run that was claimed is left in a
state with a message, or an exception leaves this module and the platform records the loss. It does not retry:
Prefect owns retries.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL

from functions.run_flow.attempt import Place, attempt, drain, settle
from functions.run_flow.claim import Claim, Verdict, claim
from functions.run_flow.interrupt import Guard


@dataclass(frozen=True)
class Delivery:
    """What arrived: which run, after how many attempts it was submitted (None: not told), and its environment."""

    flow_run_id: UUID
    run_count: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a delivery ended. `state` is the run's state afterwards, "" for a delivery that executed nothing.

    `terminated` says that the process was told to stop from outside; `seconds` is the whole delivery.
    """

    flow_run_id: UUID
    verdict: Verdict
    reason: str
    state: str = ""
    terminated: bool = False
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Shape it for the platform's log and for whoever invoked synchronously."""
        return {
            "flow_run_id": str(self.flow_run_id),
            "verdict": self.verdict.value,
            "reason": self.reason,
            "state": self.state,
            "seconds": round(self.seconds, 3),
        }


def execute(delivery: Delivery, place: Place) -> Outcome:
    """Claim a flow run, execute it and leave it in a state with a message.

    A second call for the same submission executes nothing and changes nothing.

    Raises:
        Exception: when Prefect's API cannot be reached or does not know the run, and then only.

    """
    began = time.monotonic()
    if not PREFECT_API_URL.value():
        # Prefect would start a server of its own here, which knows of no run.
        raise ValueError("PREFECT_API_URL is not set. Give this process the address that the worker has.")
    try:
        with get_client(sync_client=True) as client:
            claimed = claim(client, delivery.flow_run_id, owner=str(uuid.uuid4()), run_count=delivery.run_count)
            if claimed.verdict is Verdict.SKIP:
                return _reported(Outcome(delivery.flow_run_id, claimed.verdict, claimed.reason))
            with _environment(delivery), Guard() as guard:
                if claimed.verdict is Verdict.CANCEL:
                    state: State | None = settle(client, delivery.flow_run_id, claimed.reason)
                else:
                    state = attempt(client, delivery.flow_run_id, claimed, guard, place)
        return _reported(_outcome(delivery, claimed, state, terminated=guard.terminated, began=began))
    finally:
        drain()


def _outcome(delivery: Delivery, claimed: Claim, state: State | None, *, terminated: bool, began: float) -> Outcome:
    if state is None:
        return Outcome(delivery.flow_run_id, Verdict.SKIP, "The submission was over before the flow began.")
    return Outcome(
        delivery.flow_run_id,
        claimed.verdict,
        state.message or claimed.reason,
        state=state.name or state.type.value,
        terminated=terminated,
        seconds=time.monotonic() - began,
    )


def _reported(outcome: Outcome) -> Outcome:
    logger = get_logger("run_flow")
    if outcome.verdict is Verdict.SKIP:
        logger.info("run.skipped flow_run_id=%s reason=%s", outcome.flow_run_id, outcome.reason)
    else:
        # A state's message may quote an exception of the flow, and with it data: it stays with the run.
        logger.info(
            "run.ended flow_run_id=%s state=%s seconds=%.3f", outcome.flow_run_id, outcome.state, outcome.seconds
        )
    return outcome


@contextmanager
def _environment(delivery: Delivery) -> Iterator[None]:
    """Set the run's variables for its time: a warm runtime serves other runs afterwards."""
    wanted = {**delivery.env, "PREFECT__FLOW_RUN_ID": str(delivery.flow_run_id)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
