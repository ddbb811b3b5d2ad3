"""Which automations an event would fire, what they would start, and why the others would not. Nothing is fired.

Matching and rendering are Prefect's own code, as the server runs it; here is only what it answers, in words. One
event is tried: an automation that waits for several, or for none, is `unclear`, not quiet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from prefect.server.events.actions import RunDeployment, SendNotification, ServerActionTypes
from prefect.server.events.schemas.automations import Automation, EventTrigger, Posture
from prefect.server.events.schemas.events import ReceivedEvent, ResourceSpecification
from prefect.utilities.schema_tools.validation import CircularSchemaRefError, ValidationError, validate

from deployments.rendering import RenderingError, covers, rendered
from deployments.standing import Known, Target

Verdict = Literal["fires", "fails", "quiet", "unclear"]


@dataclass(frozen=True)
class Act:
    """One action: what it does, to which deployment, with which rendered values; `fault` when it would fail."""

    does: str
    deployment: str | None
    values: Mapping[str, Any]
    fault: str | None = None


@dataclass(frozen=True)
class Tried:
    """One automation and one event. `why` says what keeps it from firing."""

    automation: str
    verdict: Verdict
    why: tuple[str, ...]
    acts: tuple[Act, ...]


def try_all(known: Known, event: ReceivedEvent) -> tuple[Tried, ...]:
    """Try every automation on an event, those that fire first."""
    order: tuple[Verdict, ...] = ("fires", "fails", "unclear", "quiet")
    tried = (_try(one, event, known.targets) for one in known.automations)
    return tuple(sorted(tried, key=lambda one: (order.index(one.verdict), one.automation)))


def _try(automation: Automation, event: ReceivedEvent, targets: Mapping[UUID, Target]) -> Tried:
    trigger = automation.trigger
    if not isinstance(trigger, EventTrigger):
        told = f"its trigger is of the kind {trigger.type!r}, which one event does not decide"
        off = () if automation.enabled else ("it is disabled",)
        return Tried(automation.name, "quiet" if off else "unclear", (*off, told), ())
    against = tuple(_against(automation, trigger, event))
    if against or not covers(trigger, event):
        return Tried(automation.name, "quiet", against, ())
    waits = tuple(_waits(trigger))
    if waits:
        return Tried(automation.name, "unclear", waits, ())
    acts = tuple(_act(automation, trigger, action, event, targets) for action in automation.actions)
    faults = tuple(act.fault for act in acts if act.fault)
    return Tried(automation.name, "fails" if faults else "fires", faults, acts)


def _against(automation: Automation, trigger: EventTrigger, event: ReceivedEvent) -> Iterator[str]:
    """Yield everything that keeps an automation from firing on this event."""
    if not automation.enabled:
        yield "it is disabled"
    if not trigger.expects(event.event):
        yield f"it expects {' or '.join(sorted(trigger.expect))}, the event is {event.event}"
    yield from _unmatched("match", trigger.match, [event.resource])
    related = trigger.match_related if isinstance(trigger.match_related, list) else [trigger.match_related]
    for wanted in related:
        yield from _unmatched("match_related", wanted, list(event.related))
    if trigger.posture is Posture.Proactive:
        yield "it fires when the event stays away, not when it comes"


def _unmatched(where: str, wanted: Any, found: list[Any]) -> Iterator[str]:  # noqa: ANN401  # Prefect's own two types
    """Say which labels no resource carries as wanted; each is asked of Prefect by itself."""
    if wanted.includes(found):
        return
    lacking = [
        (label, values)
        for label, values in wanted.items()
        if not ResourceSpecification.model_validate({label: values}).includes(found)
    ]
    for label, values in lacking or wanted.items():
        have = ", ".join(sorted({one.get(label) or "nothing" for one in found})) or "nothing"
        yield f"{where}: {label} is {have}, expected {' or '.join(values)}"


def _waits(trigger: EventTrigger) -> Iterator[str]:
    if trigger.after:
        yield f"it waits for {' or '.join(sorted(trigger.after))} first"
    if trigger.threshold > 1:
        yield f"it needs {trigger.threshold} such events within {trigger.within}"


def _act(
    automation: Automation,
    trigger: EventTrigger,
    action: ServerActionTypes,
    event: ReceivedEvent,
    targets: Mapping[UUID, Target],
) -> Act:
    if not isinstance(action, RunDeployment | SendNotification):
        return Act(action.type, None, {})
    known = getattr(action, "deployment_id", None)
    target = targets.get(known) if known else None
    name = target.name if target else None
    try:
        values = rendered(automation, trigger, action, event)
    except RenderingError as error:
        return Act(action.type, name, {}, f"its templates cannot be rendered: {error}")
    if isinstance(action, RunDeployment) and known:
        return Act(action.type, name, values, _refused(target, values, known))
    return Act(action.type, name, values)


def _refused(target: Target | None, values: Mapping[str, Any], known: UUID) -> str | None:
    """Say why the server would not start a run with these parameters, or None."""
    if target is None:
        return f"there is no deployment {known}"
    try:
        schema = dict(target.schema())
    except Exception as error:  # noqa: BLE001  # an import runs anybody's code
        return f"{target.name} cannot be imported: {type(error).__name__} {error}"
    try:
        validate({**target.defaults, **values}, schema, raise_on_error=True)
    except (ValidationError, CircularSchemaRefError) as error:
        return f"{target.name} does not take its parameters: {' '.join(str(error).split())[:300]}"
    return None
