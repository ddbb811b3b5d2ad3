"""The two work pools, `lambda` and `ecs`, made and kept from checked-in base job templates.

The templates in `work_pools/` say everything that is the same everywhere; what differs by environment (names,
roles, subnets, the image) is put into their variables' defaults here. A pool's pause is an operator's business
and never touched. Pools must exist before `prefect deploy`, and before their workers: a worker would make a
missing pool with a default template that knows no function, cluster or role.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.resources import files
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from lifecycle.errors import ServiceError

LAMBDA = "lambda"
ECS = "ecs"
SWEEPS = "sweeps"
"""The queue of the sweeps. Dead runs hold the places of the others until a sweep says that they are dead: one that had
to wait for such a place would wait for ever."""
_OTHERS = "default"  # Prefect makes it with the pool, and runs without a queue of their own go there
_OF_LAMBDA = "Flow runs of up to 15 minutes, in AWS Lambda."
_OF_ECS = "Flow runs of any length, in ECS tasks."


@dataclass(frozen=True)
class LambdaPool:
    """Where the pool `lambda` sends its runs: a function, and optionally a version or alias of it.

    `at_once`: how many runs at a time, sweeps not counted; None leaves it to an operator and to the function's own
    concurrency.
    """

    function_name: str
    qualifier: str | None = None
    at_once: int | None = None


@dataclass(frozen=True)
class EcsPool:
    """Where the pool `ecs` runs its tasks. `cpu` is 1024 per core, `memory` in MB, `env` what each task is told."""

    cluster: str
    image: str
    execution_role_arn: str
    task_role_arn: str
    subnets: tuple[str, ...]
    log_group: str
    security_groups: tuple[str, ...] = ()
    assign_public_ip: bool = False
    family: str = "tropism-run-flow"
    cpu: int = 1024
    memory: int = 4096
    prefect_api_auth_string_secret_arn: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Change(StrEnum):
    """What happened to a pool."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class _Wanted:
    """What a pool should be."""

    name: str
    description: str
    template: dict[str, Any]
    at_once: int | None
    queues: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return the fields we decide about. A limit is the queue's: the pool's would hold for sweeps too."""
        limit = {} if self.at_once is None else {"concurrency_limit": None}
        return {"description": self.description, "base_job_template": self.template, **limit}


@dataclass(frozen=True)
class PoolChange:
    """A pool's name and what happened to it."""

    pool: str
    change: Change


def ensure_pools(client: SyncPrefectClient, functions: LambdaPool, tasks: EcsPool) -> tuple[PoolChange, ...]:
    """Make both pools what they should be. A second call with the same values changes nothing and says so.

    Raises:
        ServiceError: when a pool of the name exists with another type; pools cannot change their type.

    """
    return (
        _ensure(client, _Wanted(LAMBDA, _OF_LAMBDA, lambda_template(functions), functions.at_once, (SWEEPS,))),
        _ensure(client, _Wanted(ECS, _OF_ECS, ecs_template(tasks), None)),
    )


def lambda_template(values: LambdaPool) -> dict[str, Any]:
    """Fill the template of the pool `lambda`."""
    return _filled(LAMBDA, {"function_name": values.function_name, "qualifier": values.qualifier})


def ecs_template(values: EcsPool) -> dict[str, Any]:
    """Fill the template of the pool `ecs`."""
    return _filled(
        ECS,
        {
            **asdict(values),
            "subnets": list(values.subnets),
            "security_groups": list(values.security_groups),
            "assign_public_ip": "ENABLED" if values.assign_public_ip else "DISABLED",
        },
    )


def _filled(pool: str, defaults: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = json.loads((files("deployments") / "work_pools" / f"{pool}.json").read_text("utf-8"))
    for name, value in defaults.items():
        template["variables"]["properties"][name]["default"] = value
    return template


def _ensure(client: SyncPrefectClient, wanted: _Wanted) -> PoolChange:
    name, found = wanted.name, _read(client, wanted.name)
    if found is None:
        try:
            client.create_work_pool(WorkPoolCreate(name=name, type=name, **wanted.values()))
        except ObjectAlreadyExists:  # somebody else was faster since we looked
            return _ensure(client, wanted)
        _ensure_queues(client, wanted)
        return PoolChange(name, Change.CREATED)
    if found.type != name:
        raise ServiceError(
            f"The work pool {name!r} exists with another type.",
            detail=f"Its type is {found.type!r}, expected {name!r}, and Prefect cannot change a pool's type.",
            resolution=f"Make sure that nothing uses it, then `prefect work-pool delete {name}` and apply again.",
        )
    same = not _ensure_queues(client, wanted)
    if all(getattr(found, field_name) == value for field_name, value in wanted.values().items()):
        return PoolChange(name, Change.UNCHANGED if same else Change.UPDATED)
    client.update_work_pool(name, WorkPoolUpdate(**wanted.values()))
    return PoolChange(name, Change.UPDATED)


def _ensure_queues(client: SyncPrefectClient, wanted: _Wanted) -> bool:
    """Make the queues of a pool what they should be; return whether anything was changed."""
    changed = False
    for name in wanted.queues:
        try:
            client.read_work_queue_by_name(name, work_pool_name=wanted.name)
        except ObjectNotFound:
            client.create_work_queue(name, work_pool_name=wanted.name)
            changed = True
    others = client.read_work_queue_by_name(_OTHERS, work_pool_name=wanted.name)
    if wanted.at_once is not None and others.concurrency_limit != wanted.at_once:
        client.update_work_queue(others.id, concurrency_limit=wanted.at_once)
        changed = True
    return changed


def _read(client: SyncPrefectClient, name: str) -> WorkPool | None:
    try:
        return client.read_work_pool(name)
    except ObjectNotFound:
        return None
