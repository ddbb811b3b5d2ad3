"""How long flows were running, by Prefect's own clock. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterStartTime,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from lifecycle.errors import ServiceError
from tasks.runs import OURS, connected

_LIMIT = 200  # one page of the server
_PAGES = 50  # ten thousand runs, a year of a busy product


@dataclass(frozen=True)
class Worked:
    """How long a run was running, by Prefect's own clock; `product` is None when it was about all of them."""

    flow: str
    pool: str | None
    product: str | None
    time: timedelta


def worked(api: object | None, flows: Sequence[str], since: datetime, until: datetime) -> tuple[Worked, ...]:
    """Return our runs of these flows that began in the time, as the server at `api` knows them.

    Raises ServiceError when no server is named, it does not answer, or there are too many runs to read.
    """
    if api is None:
        raise ServiceError("Nothing says where Prefect is.", detail="PREFECT_API_URL is not set.")
    wanted = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[OURS]),
        start_time=FlowRunFilterStartTime(after_=since, before_=until, is_null_=False),
    )
    found: list[FlowRun] = []
    with connected(api) as client:
        named = client.read_flows(flow_filter=FlowFilter(name=FlowFilterName(any_=list(flows))), limit=_LIMIT)
        for page in range(_PAGES):
            read = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=list(flows))),
                flow_run_filter=wanted,
                sort=FlowRunSort.START_TIME_ASC,
                limit=_LIMIT,
                offset=page * _LIMIT,
            )
            found += read
            if len(read) < _LIMIT:
                break
        else:
            raise ServiceError(
                f"Prefect has more than {_PAGES * _LIMIT:,} runs since {since:%Y-%m-%d %H:%M} UTC.",
                resolution="Ask for a shorter time.",
            )
    names = {flow.id: flow.name for flow in named}
    return tuple(
        Worked(
            flow=names.get(run.flow_id, ""),
            pool=run.work_pool_name,
            product=run.parameters.get("product"),
            time=run.total_run_time,
        )
        for run in found
    )
