"""One attempt of a claimed flow run: load the flow, run it with Prefect's engine, leave the run in an end state.

The engine writes the states of a flow that runs. This writes the states nobody else would: when the flow cannot
be loaded, is cancelled before it begins, or is stopped because the place where it runs is about to end it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.engine import _drive_run_flow_result
from prefect.events.worker import EventsWorker
from prefect.flow_engine import FlowRunEngine, load_flow, run_flow
from prefect.flows import Flow
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Cancelled, Crashed
from prefect.utilities.engine import propose_state_sync

from functions.run_flow.claim import Claim, holds
from functions.run_flow.interrupt import Guard
from functions.run_flow.watch import Limits, Stop, Watch

# How long logs and events may take to leave the process once the run has ended.
DRAIN = 5.0  # seconds
GAVE_UP = 70  # exit code: sysexits' EX_SOFTWARE, told apart from Python's 1 and from signals


@dataclass(frozen=True)
class Place:
    """Where the run executes. `beats` keeps Prefect's heartbeats, which cost a synchronous flow a second at its end."""

    name: str
    limits: Limits
    beats: bool

    @property
    def late(self) -> str:
        """What a run is told that was stopped for its place's time limit."""
        return (
            f"Stopped {self.limits.reserve:.0f} s before the time limit of {self.name}. Raise the job variable "
            "`timeout` if it is set, and the function's own (`aws lambda update-function-configuration --timeout`, at "
            "most 900 s), or give the deployment a work pool without a limit."
        )


def attempt(client: SyncPrefectClient, flow_run_id: UUID, claimed: Claim, guard: Guard, place: Place) -> State | None:
    """Execute a claimed run and return the state it is left in; None when the submission was over before it began.

    Raises:
        Exception: when Prefect's API cannot be reached, and then only.

    """
    flow_run = client.read_flow_run(flow_run_id)
    try:
        flow = load_flow(flow_run)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a flow's module raises when it is imported
        return settle(client, flow_run_id, f"The flow could not be loaded in {place.name}: {_told(error)}")
    if guard.terminated:
        return settle(client, flow_run_id, f"Stopped in {place.name} by SIGTERM before the flow began.")
    if not holds(client, flow_run_id, claimed):
        return None
    return _run(client, flow, client.read_flow_run(flow_run_id), guard, place)


def settle(client: SyncPrefectClient, flow_run_id: UUID, message: str) -> State:
    """Bring a claimed run that is still open to its end. A run that has ended, or waits again, is left alone."""
    flow_run = client.read_flow_run(flow_run_id)
    state = flow_run.state
    # A retry "in process" waits for this process and is given to no worker.
    waits_for_us = state is not None and state.is_scheduled() and flow_run.empirical_policy.retry_type == "in_process"
    if state is None or state.is_pending() or state.is_running() or waits_for_us:
        return propose_state_sync(client, Crashed(message=message), flow_run_id=flow_run_id)
    if state.is_cancelling():
        return propose_state_sync(client, Cancelled(message=message), flow_run_id=flow_run_id)
    return state


def _run(client: SyncPrefectClient, flow: Flow[Any, Any], flow_run: FlowRun, guard: Guard, place: Place) -> State:
    message = f"The flow ended in {place.name} without a final state."
    watch = Watch(flow_run.id, guard, place.limits, give_up=lambda: _give_up(flow_run.id, place))
    try:
        with _heartbeats(on=place.beats), watch:
            _drive_run_flow_result(flow, run_flow(flow, flow_run=flow_run, return_type="state"))
    except BaseException as error:  # noqa: BLE001 - the engine has judged it; nothing a flow raises ends a warm runtime
        message = f"The flow ended in {place.name}: {_told(error)}"
    finally:
        guard.close()
    if watch.stopped is not Stop.DEADLINE:
        return settle(client, flow_run.id, message)
    state = settle(client, flow_run.id, place.late)
    if state.is_crashed():
        FlowRunEngine(flow=flow, flow_run=flow_run).call_hooks(state)
    return state


def _give_up(flow_run_id: UUID, place: Place) -> None:
    """Write the state of a flow that cannot be stopped, then end the process.

    A run that was declared crashed may begin anew at once; what is left of it here must do nothing more.
    """
    try:
        with get_client(sync_client=True) as client:
            settle(client, flow_run_id, f"{place.late} The flow did not react to being stopped.")
        drain()
    finally:
        os._exit(GAVE_UP)


def drain() -> None:
    """Send what is queued: Lambda freezes threads between invocations, and a frozen log line may never leave."""
    APILogWorker.drain_all(timeout=DRAIN)
    EventsWorker.drain_all(timeout=DRAIN)


@contextmanager
def _heartbeats(*, on: bool) -> Iterator[None]:
    if on:
        yield
        return
    # No environment variable can turn them off: Prefect 3.8 refuses every empty value.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
