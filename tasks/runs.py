"""Prefect's flow runs, as the sweep sees them: which are unfinished or crashed, declare one dead, run one again.

Only this project's runs are looked at, by their tag, and of those only the ones tagged `recoverable` are ever run
again. Whether a run is dead is `lifecycle/lost.py`'s to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterIdempotencyKey,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter
from prefect.exceptions import Abort, ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings
from prefect.states import Crashed
from prefect.utilities.engine import propose_state_sync

from lifecycle.errors import ServiceError
from lifecycle.events import EventName
from lifecycle.lost import Notice, Run, rerun_key

OURS, RECOVERABLE = "tropism", "recoverable"
_LIMIT = 200  # one page of the server; more than that are lost only when everything is
_EVENT_LIMIT, _EVENT_PAGES = 50, 10  # the server gives fifty events at a time
_OPEN = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING, StateType.PAUSED)


def now() -> datetime:
    """Return the time by the clock of Prefect's server, in whole seconds: the one that dates the states of runs."""
    with connected() as client:
        return parsedate_to_datetime(client.hello().headers["date"])


def unfinished() -> tuple[Run, ...]:
    """Return our runs that have not ended, sweeps too, the oldest first, at most one page of them."""
    with connected() as client:
        return _runs(client, FlowRunFilter(tags=_tagged(OURS), state=_in(*_OPEN)))


def crashed(now: datetime, look_back: timedelta) -> tuple[Run, ...]:
    """Return the recoverable runs that crashed lately, at most one page of them."""
    after = FlowRunFilterEndTime(after_=now - look_back)
    with connected() as client:
        return _runs(
            client, FlowRunFilter(tags=_tagged(OURS, RECOVERABLE), state=_in(StateType.CRASHED), end_time=after)
        )


def replaced(runs: Iterable[Run]) -> frozenset[str]:
    """Return which of the runs' successors exist already, by idempotency key."""
    wanted = [rerun_key(run) for run in runs]
    if not wanted:
        return frozenset()
    with connected() as client:
        keys = FlowRunFilterIdempotencyKey(any_=wanted)
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(idempotency_key=keys), limit=_LIMIT)
    return frozenset(run.idempotency_key for run in found if run.idempotency_key)


def notices(now: datetime, look_back: timedelta) -> dict[str, Notice]:
    """Return what AWS reported of dead processes lately, by flow run; the server keeps these events for days."""
    wanted = EventFilter(
        event=EventNameFilter(name=[str(EventName.RUN_LOST)]),
        occurred=EventOccurredFilter(since=now - look_back, until=now + timedelta(minutes=1)),
    )
    with connected() as client:
        found = [event.payload for event in reversed(_events(client, wanted))]
    return {
        str(payload["flow_run_id"]): Notice(
            str(payload["flow_run_id"]), str(payload.get("process", "")), str(payload.get("cause", ""))
        )
        for payload in found
        if payload.get("flow_run_id") and payload.get("process")
    }


def declare_crashed(run: Run, reason: str) -> bool:
    """Propose Crashed for a run; return whether it is crashed now.

    Not forced: a run that ended meanwhile keeps its end. A second call changes nothing.
    """
    with connected() as client:
        try:
            state = propose_state_sync(client, Crashed(message=reason), flow_run_id=UUID(run.id))
        except (Abort, ObjectNotFound):
            return False
    return state.is_crashed()


def run_again(run: Run) -> str:
    """Create the successor of a crashed run and return its id; there is one at most, however often this is called."""
    if run.deployment_id is None:
        raise ServiceError(f"Flow run {run.id} belongs to no deployment, so it cannot be run again.")
    with connected() as client:
        made = client.create_flow_run_from_deployment(
            UUID(run.deployment_id),
            parameters={**run.parameters, "retry_of": run.id},
            idempotency_key=rerun_key(run),
            tags=["rerun", f"retry-of:{run.id}"],
        )
    return str(made.id)


@contextmanager
def connected(api: object | None = None) -> Iterator[SyncPrefectClient]:
    """Open a client, of the ambient server when none is named, and turn its errors into ours."""
    try:
        with _named(api) if api else get_client(sync_client=True) as client:
            yield client
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        raise ServiceError(
            "Prefect does not answer as it should.",
            detail=f"{type(error).__name__}: {str(error)[:300]}",
            resolution="See what is down with `tropism doctor`.",
        ) from error


def _named(api: object) -> SyncPrefectClient:
    """Return a client of a server by its address; without one Prefect's own would start a server in this process."""
    secret = get_current_settings().api.auth_string
    return SyncPrefectClient(str(api), auth_string=secret.get_secret_value() if secret else None)


def _events(client: SyncPrefectClient, wanted: EventFilter) -> Sequence[Event]:
    """Read the newest matching events, the newest first, a bounded number of pages."""
    page = client.read_events(wanted, limit=_EVENT_LIMIT)
    found = list(page.events)
    for _ in range(_EVENT_PAGES - 1):
        if page.next_page is None:
            break
        page = client.read_events_page(str(page.next_page))
        found.extend(page.events)
    return found


def _runs(client: SyncPrefectClient, wanted: FlowRunFilter) -> tuple[Run, ...]:
    found = client.read_flow_runs(flow_run_filter=wanted, limit=_LIMIT, sort=FlowRunSort.EXPECTED_START_TIME_ASC)
    ids = list({run.flow_id for run in found})
    flows = client.read_flows(flow_filter=FlowFilter(id=FlowFilterId(any_=ids)), limit=_LIMIT) if ids else []
    names = {flow.id: flow.name for flow in flows}
    return tuple(_run(run, names.get(run.flow_id, "")) for run in found)


def _run(run: FlowRun, flow: str) -> Run:
    state = run.state
    return Run(
        id=str(run.id),
        flow=flow,
        state_type=run.state_type.value if run.state_type else "SCHEDULED",
        state_name=run.state_name or "",
        since=state.timestamp if state else (run.created or datetime.now(UTC)),
        pool=run.work_pool_name,
        pid=run.infrastructure_pid,
        deployment_id=str(run.deployment_id) if run.deployment_id else None,
        idempotency_key=run.idempotency_key,
        message=(state.message or "") if state else "",
        parameters=dict(run.parameters),
    )


def _tagged(*tags: str) -> FlowRunFilterTags:
    return FlowRunFilterTags(all_=list(tags))


def _in(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
