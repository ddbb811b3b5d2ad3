"""The automations there are, in the repository or on a server, as Prefect's server has them. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import AutomationCore
from prefect.server.events.schemas.automations import Automation, EventTrigger
from prefect.utilities.callables import parameter_schema

from deployments import automations, state
from deployments.lint import load_flow
from deployments.manifest import Manifest
from lifecycle.envelope import EventName
from lifecycle.refusal import did_you_mean


@dataclass(frozen=True)
class Target:
    """A deployment that an automation may start. `schema` imports the flow when the repository is asked."""

    name: str
    defaults: Mapping[str, Any]
    schema: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Known:
    """The automations there are, and the deployments by id."""

    automations: tuple[Automation, ...]
    targets: Mapping[UUID, Target]

    def hint(self, event: str) -> str:
        """Say which event was probably meant when nothing knows this one; empty otherwise."""
        expected = {
            name for one in self.automations for each in one.triggers_of_type(EventTrigger) for name in each.expect
        }
        known = sorted({*map(str, EventName), *expected})
        if event in known or event.startswith("prefect."):
            return ""
        return f"Nothing sends an event called {event!r}.{did_you_mean(event, known)}"


def in_repository(manifest: Manifest) -> Known:
    """Return what `tropism apply` would put on a server."""
    ids = {deployment.name: uuid4() for deployment in manifest.deployments}
    made: list[AutomationCore] = []
    for deployment in manifest.deployments:
        made += state.triggers(deployment, ids[deployment.name])
    made += automations.wanted(ids, enabled=manifest.triggers_enabled)
    targets = {
        ids[one.name]: Target(one.name, one.parameters, partial(_schema, one.entrypoint))
        for one in manifest.deployments
    }
    return Known(tuple(_as_server(core, uuid4()) for core in made), targets)


def on_server(client: SyncPrefectClient) -> Known:
    """Return what a server has, whoever made it."""
    targets = {
        one.id: Target(one.name, one.parameters, partial(dict, one.parameter_openapi_schema or {}))
        for one in client.read_deployments()
    }
    return Known(tuple(_as_server(found, found.id) for found in client.read_automations()), targets)


def _schema(entrypoint: str) -> Mapping[str, Any]:
    """Import a flow and return what it takes."""
    return parameter_schema(load_flow(entrypoint)).model_dump_for_openapi()


def _as_server(core: AutomationCore, known: UUID) -> Automation:
    return Automation.model_validate({**core.model_dump(mode="json"), "id": known})
