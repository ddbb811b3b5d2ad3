"""The automations that are not a deployment's own trigger, kept on the server under one tag.

Prefect itself says nothing aloud when an automation's action fails: a log line on the server and an event that
nobody listens to. The watch below turns that event into a sweep whose cause names the automation and the reason.

Silent runs need no automation here. The ECS observer and the functions' failure records tell of a lost run in
seconds, and the sweep asks AWS for the truth about the others; Prefect's own dead-man triggers were late in one
of five tries on a busy server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from lifecycle.errors import ServiceError

TAG = "managed-by-tropism"
WATCH = "sweep-on-automation-failed"
_REASON_CHARACTERS = 300


class Change(StrEnum):
    """What happened to an automation."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class AutomationChange:
    """An automation's name and what is, or was, to be done about it."""

    name: str
    change: Change
    found: AutomationCore | None = None
    wanted: AutomationCore | None = None
    id: UUID | None = None


def wanted(deployments: Mapping[str, UUID], *, enabled: bool) -> tuple[AutomationCore, ...]:
    """Return the automations there must be. Raises ServiceError when a deployment they start is missing."""
    sweep = deployments.get("sweep")
    if sweep is None:
        raise ServiceError(
            "The automations start the deployment 'sweep', which the server does not have.",
            detail=f"It has {', '.join(sorted(deployments)) or 'none'}.",
            resolution="Deploy first: `tropism apply`.",
        )
    reason = f"event.payload.reason | default('no reason') | string | truncate({_REASON_CHARACTERS}, true)"
    # One expression in brackets: Prefect appends a filter, which would take the last operand only.
    cause = "{{ ('automation ' ~ (event.resource.name | default('unnamed')) ~ ' failed: ' ~ (" + reason + ")) }}"
    watch = AutomationCore(
        name=WATCH,
        description="An automation's action failed: say so, and let the sweep repair what was not started.",
        enabled=enabled,
        tags=[TAG],
        trigger=EventTrigger(
            expect={"prefect.automation.action.failed"},
            # Not its own failures: they would start it again without end.
            match={"prefect.resource.name": f"!{WATCH}"},
            posture=Posture.Reactive,
            threshold=1,
            within=0,
        ),
        actions=[RunDeployment(source="selected", deployment_id=sweep, parameters={"cause": cause})],
    )
    return (watch,)


def differences(client: SyncPrefectClient, automations: tuple[AutomationCore, ...]) -> tuple[AutomationChange, ...]:
    """Say what `sync` would do, one entry per automation that is wanted or carries the tag."""
    tagged = [found for found in client.read_automations() if TAG in found.tags]
    changes: list[AutomationChange] = []
    for core in automations:
        same = [found for found in tagged if found.name == core.name]
        changes.append(_change(core, same[0] if same else None))
        changes.extend(_leftover(found) for found in same[1:])
    names = {core.name for core in automations}
    return (*changes, *(_leftover(found) for found in tagged if found.name not in names))


def sync(client: SyncPrefectClient, automations: tuple[AutomationCore, ...]) -> tuple[AutomationChange, ...]:
    """Create, update and delete until the server has exactly these under the tag.

    A second call changes nothing. An automation that is updated keeps its id.
    """
    changes = differences(client, automations)
    for change in changes:
        match change.change:
            case Change.CREATED if change.wanted is not None:
                client.create_automation(change.wanted)
            case Change.UPDATED if change.wanted is not None and change.id is not None:
                client.update_automation(change.id, change.wanted)
            case Change.DELETED if change.id is not None:
                client.delete_automation(change.id)
    return changes


def comparable(automation: AutomationCore) -> dict[str, Any]:
    """Return what makes two automations the same, without what the server adds."""
    core = AutomationCore.model_validate(automation.model_dump())
    return core.model_dump(mode="json", exclude={"owner_resource": True, "trigger": {"id"}})


def _change(core: AutomationCore, found: Automation | None) -> AutomationChange:
    if found is None:
        return AutomationChange(core.name, Change.CREATED, wanted=core)
    change = Change.UNCHANGED if comparable(found) == comparable(core) else Change.UPDATED
    return AutomationChange(core.name, change, found=found, wanted=core, id=found.id)


def _leftover(found: Automation) -> AutomationChange:
    return AutomationChange(found.name, Change.DELETED, found=found, id=found.id)
