"""Who may execute this attempt of a flow run: exactly one of all deliveries of one submission.

Lambda delivers an asynchronous event at least once and `RunTask` may start two tasks for one call, while
Prefect's server accepts RUNNING -> RUNNING. So the first act of an execution is to insert a row that is unique
in Prefect's own database, (flow run, key); the server answers 409 to everyone after the first.

The key names the submission, not the delivery: how often the run has been Running, and the state from which it
was submitted (the Scheduled or AwaitingRetry one before Pending). Both come from one reading of the run's
states, so they always belong together. The run count alone would not do: a run that dies before Running is
submitted again with the same count. The races, and why each is harmless:

* Two deliveries read the same Pending run: same key, one row, one winner.
* A delivery arrives while the winner runs, or after it: the last state is not Pending, it loses.
* A delivery reads a Pending run, stalls, and inserts after the winner has ended or the run was submitted again:
  its key is the old submission's and taken, it loses.
* An old delivery arrives after the run was submitted again: it carries the old `run_count` and loses; without
  one (ECS), or when the run never began in between, it takes the new submission's key, executes what the new
  delivery would have executed, and the new delivery loses. Once, either way.
* A winner is declared lost while it still loads the flow, and the run is submitted again: it asks `holds` right
  before it begins and finds that its submission is over.
* A winner dies before Running: the key stays taken and later deliveries lose. Whoever declares the run lost
  schedules it anew, which is a new state and so a new key.
* The reply to a successful insert is lost and the client repeats it: 409, but the row names this execution as
  its owner, so it has won.
* The run is cancelled before it begins: the winner ends it, a loser leaves it to the winner.

A loser changes nothing. Claims go with their run when it is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError


class Verdict(StrEnum):
    """What a delivery may do."""

    EXECUTE = "execute"
    CANCEL = "cancel"
    SKIP = "skip"


@dataclass(frozen=True)
class Claim:
    """A verdict and its reason; `key` is the submission that was claimed or asked for."""

    verdict: Verdict
    reason: str
    key: str = ""


@dataclass(frozen=True)
class Submission:
    """One waiting submission of a run: how many Running states came before it, and the state it came from."""

    attempts: int
    origin: UUID | None
    cancelled: bool

    @property
    def key(self) -> str:
        """Name the submission; the same for every delivery of it."""
        return f"claim-{self.attempts}-{self.origin or 'new'}"


WAITING = {StateType.PENDING, StateType.CANCELLING}


def submission(states: Sequence[State]) -> Submission | None:
    """Find the submission that waits to be executed in a run's states; None when none waits.

    A run that was Running since it was scheduled does not wait, even if it is being cancelled.
    """
    ordered = sorted(states, key=lambda state: state.timestamp)
    waiting = len(ordered)
    while waiting and ordered[waiting - 1].type in WAITING:
        waiting -= 1
    if waiting == len(ordered):
        return None
    origin = ordered[waiting - 1] if waiting else None
    if origin is not None and origin.type == StateType.RUNNING:
        return None
    return Submission(
        attempts=sum(state.type == StateType.RUNNING for state in ordered),
        origin=origin.id if origin is not None else None,
        cancelled=ordered[-1].type == StateType.CANCELLING,
    )


def claim(client: SyncPrefectClient, flow_run_id: UUID, *, owner: str, run_count: int | None = None) -> Claim:
    """Ask to execute a flow run. A second call with the same owner answers the same while the run waits.

    `owner` names this execution and no other, a retry of the same invocation included. `run_count` is what the
    delivery was submitted with, where the delivery knows it.

    Raises:
        LookupError: when this server has no such run: it was deleted, or the worker talks to another server.

    """
    try:
        flow_run = client.read_flow_run(flow_run_id)
        states = client.read_flow_run_states(flow_run_id)
    except ObjectNotFound:
        raise LookupError(
            f"Prefect at {client.api_url} has no flow run {flow_run_id}. If it was not deleted, the worker that "
            "submitted it has another PREFECT_API_URL than this process."
        ) from None
    waiting = submission(states)
    if waiting is None:
        return Claim(Verdict.SKIP, f"The flow run does not wait to be executed: its state is {flow_run.state_name}.")
    # The server's count only grows, so a smaller one is an older submission whenever it was read. It is not the
    # number of Running states: a resumed run enters Running without being counted.
    if run_count is not None and run_count < flow_run.run_count:
        return Claim(
            Verdict.SKIP,
            f"The delivery is old: submitted after {run_count} attempts, the run has had {flow_run.run_count}.",
            waiting.key,
        )
    if not _inserted(client, flow_run_id, waiting.key, owner):
        return Claim(Verdict.SKIP, "Another delivery of the same submission has claimed the flow run.", waiting.key)
    if waiting.cancelled:
        return Claim(Verdict.CANCEL, "The flow run was cancelled before it began.", waiting.key)
    return Claim(Verdict.EXECUTE, "First delivery of this submission.", waiting.key)


def holds(client: SyncPrefectClient, flow_run_id: UUID, claimed: Claim) -> bool:
    """Tell whether the submission that was claimed is still the one that waits. Changes nothing."""
    waiting = submission(client.read_flow_run_states(flow_run_id))
    return waiting is not None and waiting.key == claimed.key


def _inserted(client: SyncPrefectClient, flow_run_id: UUID, key: str, owner: str) -> bool:
    value = json.dumps({"owner": owner})
    try:
        client.create_flow_run_input(flow_run_id, key=key, value=value)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != HTTPStatus.CONFLICT:
            raise
        return client.read_flow_run_input(flow_run_id, key) == value
    return True
