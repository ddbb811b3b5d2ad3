"""A deployment as it should be and as the server has it, in one comparable form.

Reading only. What Prefect fills in by itself, such as ids and times, is left out; everything that
`prefect.yaml` says, and the parameter schema that the flow's signature says, is in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.events import DeploymentEventTrigger
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.utilities.callables import parameter_schema

from deployments.lint import load_flow
from deployments.manifest import MANAGED, TAG, Deployment


@dataclass(frozen=True)
class DeploymentState:
    """One deployment; values that are compared as text are JSON."""

    entrypoint: str
    version: str | None
    description: str | None
    tags: str
    work_pool: str | None
    work_queue: str | None
    job_variables: str
    parameters: str
    concurrency: str
    schedules: str
    signature: str
    pull_steps: str
    paused: bool
    enforce_parameter_schema: bool

    def changed(self, other: DeploymentState) -> tuple[tuple[str, str, str], ...]:
        """Return the fields that differ: name, found here, expected there."""
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return tuple((name, str(found), str(expected)) for name, found, expected in pairs if found != expected)


@dataclass(frozen=True)
class Server:
    """What the server has: its deployments of ours by `flow/name`, and every automation."""

    deployments: Mapping[str, tuple[UUID, DeploymentState]]
    automations: tuple[Automation, ...]

    @property
    def triggers(self) -> tuple[Automation, ...]:
        """Return the automations that came from the manifest."""
        return tuple(found for found in self.automations if found.description.startswith(MANAGED))

    def by_name(self) -> dict[str, UUID]:
        """Return the ids by the deployments' own names."""
        return {name.partition("/")[2]: known for name, (known, _) in self.deployments.items()}


def read(client: SyncPrefectClient) -> Server:
    """Read what the server has of ours."""
    flows = {flow.id: flow.name for flow in client.read_flows()}
    ours = [found for found in client.read_deployments() if TAG in found.tags]
    states = {f"{flows[found.flow_id]}/{found.name}": (found.id, _found(found)) for found in ours}
    return Server(deployments=states, automations=tuple(client.read_automations()))


def expected(deployment: Deployment) -> tuple[str, DeploymentState]:
    """Return the name, `flow/name`, and the state that the manifest and the flow's code ask for."""
    flow = load_flow(deployment.entrypoint)
    limit = deployment.concurrency_limit
    schedules = [
        (item.slug, item.cron, item.timezone, item.active, dict(item.parameters)) for item in deployment.schedules
    ]
    return f"{flow.name}/{deployment.name}", DeploymentState(
        entrypoint=deployment.entrypoint,
        version=deployment.version,
        description=deployment.description,
        tags=_text(sorted(deployment.tags)),
        work_pool=deployment.work_pool.name,
        work_queue=deployment.work_pool.work_queue_name,
        job_variables=_text(deployment.work_pool.job_variables),
        parameters=_text(deployment.parameters),
        concurrency=_text([limit.limit, limit.collision_strategy, limit.grace_period_seconds] if limit else None),
        schedules=_text(sorted(schedules)),
        signature=_signature(parameter_schema(flow).model_dump_for_openapi()),
        pull_steps=_text([]),
        paused=False,
        enforce_parameter_schema=True,
    )


def triggers(deployment: Deployment, deployment_id: UUID) -> tuple[AutomationCore, ...]:
    """Return the automations `prefect deploy` makes of the deployment's triggers, by Prefect's own code."""
    made = []
    for item in deployment.triggers:
        trigger = DeploymentEventTrigger.model_validate(item.model_dump(mode="json"))
        trigger.set_deployment_id(deployment_id)
        made.append(trigger.as_automation())
    return tuple(made)


def _found(found: DeploymentResponse) -> DeploymentState:
    options, limit = found.concurrency_options, found.global_concurrency_limit
    schedules = [
        (item.slug, item.schedule.cron, item.schedule.timezone, item.active, dict(item.parameters or {}))
        if isinstance(item.schedule, CronSchedule)
        else (item.slug, type(item.schedule).__name__, None, item.active, {})
        for item in found.schedules
    ]
    strategy = [options.collision_strategy, options.grace_period_seconds] if options else [None, None]
    return DeploymentState(
        entrypoint=found.entrypoint or "",
        version=found.version,
        description=found.description,
        tags=_text(sorted(found.tags)),
        work_pool=found.work_pool_name,
        work_queue=found.work_queue_name,
        job_variables=_text(found.job_variables or {}),
        parameters=_text(found.parameters),
        concurrency=_text([limit.limit, *strategy] if limit else None),
        schedules=_text(sorted(schedules, key=str)),
        signature=_signature(found.parameter_openapi_schema or {}),
        pull_steps=_text(found.pull_steps or []),
        paused=found.paused,
        enforce_parameter_schema=found.enforce_parameter_schema,
    )


def _signature(schema: Mapping[str, Any]) -> str:
    """Write a parameter schema without its empty parts, which the server drops."""
    return _text({key: value for key, value in schema.items() if value})


def _text(value: Any) -> str:  # noqa: ANN401  # JSON is any value
    return json.dumps(value, sort_keys=True, default=str)
