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


@dataclass(frozen=True)
class LambdaPool:
    """Where the pool `lambda` sends its runs: a function, and optionally a version or alias of it."""

    function_name: str
    qualifier: str | None = None


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
        _ensure(client, LAMBDA, "Flow runs of up to 15 minutes, in AWS Lambda.", lambda_template(functions)),
        _ensure(client, ECS, "Flow runs of any length, in ECS tasks.", ecs_template(tasks)),
    )


def lambda_template(values: LambdaPool) -> dict[str, Any]:
    """Fill the template of the pool `lambda`."""
    return _filled(LAMBDA, asdict(values))


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


def _ensure(client: SyncPrefectClient, name: str, description: str, template: dict[str, Any]) -> PoolChange:
    found = _read(client, name)
    if found is None:
        wanted = WorkPoolCreate(name=name, type=name, description=description, base_job_template=template)
        try:
            client.create_work_pool(wanted)
        except ObjectAlreadyExists:  # somebody else was faster since we looked
            return _ensure(client, name, description, template)
        return PoolChange(name, Change.CREATED)
    if found.type != name:
        raise ServiceError(
            f"The work pool {name!r} exists with another type.",
            detail=f"Its type is {found.type!r}, expected {name!r}, and Prefect cannot change a pool's type.",
            resolution=f"Make sure that nothing uses it, then `prefect work-pool delete {name}` and apply again.",
        )
    if found.base_job_template == template and found.description == description:
        return PoolChange(name, Change.UNCHANGED)
    client.update_work_pool(name, WorkPoolUpdate(description=description, base_job_template=template))
    return PoolChange(name, Change.UPDATED)


def _read(client: SyncPrefectClient, name: str) -> WorkPool | None:
    try:
        return client.read_work_pool(name)
    except ObjectNotFound:
        return None
