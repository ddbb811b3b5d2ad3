"""What Prefect's server would make of a trigger and an event, tried before anything reaches a server.

A template that fails to render starts nothing, and the server says so in a log line only. This runs the
server's own code on the examples of `deployments/samples.py`; it depends on the pinned Prefect, and a
change there shows as a failing linter.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from prefect.events.schemas.automations import EventTrigger as ClientTrigger
from prefect.server.events.actions import ActionFailed, RunDeployment, SendNotification
from prefect.server.events.schemas.automations import Automation, EventTrigger, Firing, TriggeredAction, TriggerState
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.utilities.user_templates import matching_types_in_templates, maybe_template
from prefect.utilities.schema_tools.hydration import HydrationError
from pydantic import ValidationError

from deployments.manifest import Trigger
from deployments.samples import events

_AT = datetime(2013, 2, 1, tzinfo=UTC)
_PAYLOAD_FIELD = re.compile(r"event\.payload\.(\w+)")
# What Prefect's templates may name beside the event; the server reads it from its own database.
_ASKED = {
    "deployment",
    "flow",
    "flow_run",
    "task_run",
    "work_pool",
    "work_queue",
    "concurrency_limit",
    "variables",
}
_SOME_ID = "5b3a5d42-7c1e-4b44-8e52-9e3b5a1d7a10"


class RenderingError(Exception):
    """Prefect could not make parameters of this event."""


def examples(name: str, tags: tuple[str, ...] = ()) -> tuple[ReceivedEvent, ...]:
    """Return the example events of one name; Prefect's own are about a run of a deployment with these tags."""
    ours = [event.to_prefect(_AT, flow_run_id=_SOME_ID) for event in events() if event.name == name]
    return tuple(ReceivedEvent.model_validate(body) for body in ours or _of_prefect(name, tags))


def covers(trigger: EventTrigger, event: ReceivedEvent) -> bool:
    """Say whether the trigger would fire on the event."""
    return trigger.covers(event)


def render(trigger: EventTrigger, parameters: Mapping[str, Any], event: ReceivedEvent) -> dict[str, Any]:
    """Return the parameters the server would start a run with. Raises RenderingError with the server's reason."""
    try:
        action = RunDeployment(source="selected", deployment_id=UUID(_SOME_ID), parameters=dict(parameters))
    except ValidationError as error:
        raise RenderingError("; ".join(fault["msg"] for fault in error.errors())) from error
    automation = Automation(id=uuid4(), name="linted", trigger=trigger, actions=[action])
    return rendered(automation, trigger, action, event)


def rendered(
    automation: Automation, trigger: EventTrigger, action: RunDeployment | SendNotification, event: ReceivedEvent
) -> dict[str, Any]:
    """Return what the server would make of an action's templates: parameters, or a notification's subject and body.

    Raises RenderingError with the server's reason, also when a template asks the server for more than the event.
    """
    asked = matching_types_in_templates([text for text in _texts(action.model_dump()) if maybe_template(text)], _ASKED)
    if asked:
        raise RenderingError(f"a template asks the server for {', '.join(sorted(asked))}, which an event does not hold")
    triggered = TriggeredAction(
        automation=automation,
        firing=Firing(trigger=trigger, trigger_states={TriggerState.Triggered}, triggered=_AT, triggering_event=event),
        triggered=_AT,
        triggering_labels={},
        triggering_event=event,
        action=action,
    )
    try:
        if isinstance(action, RunDeployment):
            return asyncio.run(action.render_parameters(triggered))
        return dict(zip(("subject", "body"), asyncio.run(action.render(triggered)), strict=True))
    except (ActionFailed, HydrationError, TypeError) as error:
        raise RenderingError(f"{type(error).__name__} {error}".strip()) from error


def _texts(value: object) -> Iterator[str]:
    """Yield every text inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def misspelt(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the payload fields that templates name and no event has: a `default` would hide them for ever."""
    known = {field for event in events() for field in event.payload} | {"reason"}
    named = {name for value in parameters.values() for name in _PAYLOAD_FIELD.findall(str(value))}
    return tuple(sorted(named - known))


def on_server(trigger: Trigger | ClientTrigger) -> EventTrigger:
    """Return the trigger as the server has it."""
    names = {"expect", "match", "match_related", "posture", "threshold", "within"}
    return EventTrigger.model_validate(trigger.model_dump(mode="json", include=names))


def _of_prefect(name: str, tags: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Build what the server sends about a run that changed its state, or about an action that failed."""
    related = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in tags]
    if name.startswith("prefect.flow-run."):
        resource = {"prefect.resource.id": f"prefect.flow-run.{_SOME_ID}", "prefect.resource.name": "eager-otter"}
        payload: dict[str, Any] = {"intended": {"from": "RUNNING", "to": "CRASHED"}}
    elif name == "prefect.automation.action.failed":
        resource = {"prefect.resource.id": f"prefect.automation.{_SOME_ID}", "prefect.resource.name": 'a "name"'}
        payload = {"action_index": 0, "action_type": "run-deployment", "reason": "'x' " * 200}
    else:
        return []
    common = {"id": _SOME_ID, "event": name, "occurred": _AT.isoformat()}
    return [{**common, "resource": resource, "related": related, "payload": payload}]
