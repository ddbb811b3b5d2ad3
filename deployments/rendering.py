"""What Prefect's server would make of a trigger and an event, tried before anything reaches a server.

A template that fails to render starts nothing, and the server says so in a log line only. This runs the
server's own code on the examples of `deployments/samples.py`; it depends on the pinned Prefect, and a
change there shows as a failing linter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from prefect.server.events.actions import ActionFailed, RunDeployment
from prefect.server.events.schemas.automations import Automation, EventTrigger, Firing, TriggeredAction, TriggerState
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.utilities.schema_tools.hydration import HydrationError

from deployments.manifest import Trigger
from deployments.samples import events

_AT = datetime(2013, 2, 1, tzinfo=UTC)
_SOME_ID = "5b3a5d42-7c1e-4b44-8e52-9e3b5a1d7a10"


class RenderingError(Exception):
    """Prefect could not make parameters of this event."""


def examples(name: str, tags: tuple[str, ...] = ()) -> tuple[ReceivedEvent, ...]:
    """Return the example events of one name; Prefect's own are about a run of a deployment with these tags."""
    ours = [event.to_prefect(_AT, flow_run_id=_SOME_ID) for event in events() if event.name == name]
    return tuple(ReceivedEvent.model_validate(body) for body in ours or _of_prefect(name, tags))


def covers(trigger: Trigger, event: ReceivedEvent) -> bool:
    """Say whether the trigger would fire on the event."""
    return _event_trigger(trigger).covers(event)


def render(trigger: Trigger, event: ReceivedEvent) -> dict[str, Any]:
    """Return the parameters the server would start a run with. Raises RenderingError with the server's reason."""
    action = RunDeployment(source="selected", deployment_id=UUID(_SOME_ID), parameters=dict(trigger.parameters))
    expected = _event_trigger(trigger)
    automation = Automation(id=uuid4(), name=trigger.name, trigger=expected, actions=[action])
    firing = Firing(trigger=expected, trigger_states={TriggerState.Triggered}, triggered=_AT, triggering_event=event)
    triggered = TriggeredAction(
        automation=automation,
        firing=firing,
        triggered=_AT,
        triggering_labels={},
        triggering_event=event,
        action=action,
    )
    try:
        return asyncio.run(action.render_parameters(triggered))
    except (ActionFailed, HydrationError, TypeError) as error:
        raise RenderingError(f"{type(error).__name__}: {error}") from error


def _event_trigger(trigger: Trigger) -> EventTrigger:
    fields = trigger.model_dump(mode="json", include={"expect", "match", "match_related", "posture", "threshold"})
    return EventTrigger.model_validate({**fields, "within": trigger.within})


def _of_prefect(name: str, tags: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Build what the server sends about a run that changed its state."""
    if not name.startswith("prefect.flow-run."):
        return []
    related = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in tags]
    body = {
        "id": _SOME_ID,
        "event": name,
        "occurred": _AT.isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{_SOME_ID}", "prefect.resource.name": "eager-otter"},
        "related": related,
        "payload": {"intended": {"from": "RUNNING", "to": "CRASHED"}, "validated_state": {"type": "CRASHED"}},
    }
    return [body]
