"""What can be wrong between `prefect.yaml` and the code: entrypoints, signatures, event names, templates.

It imports every entrypoint and asks Prefect's own code what a server would do; it asks no server.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import EventTrigger
from prefect.exceptions import MissingFlowError, ParameterTypeError, SignatureMismatchError
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.server.events.schemas.automations import EventTrigger as ServerTrigger
from prefect.server.events.schemas.events import ReceivedEvent

from deployments import automations
from deployments.manifest import Deployment, Manifest
from deployments.rendering import RenderingError, covers, examples, misspelt, on_server, render


@dataclass(frozen=True)
class Starting:
    """What an automation starts, on what, and with which parameters."""

    flow: Flow[..., Any]
    trigger: ServerTrigger
    parameters: Mapping[str, Any]
    where: str


def faults(manifest: Manifest) -> tuple[str, ...]:
    """Return one sentence per fault, none when the manifest and the code belong together."""
    return (
        *(fault for deployment in manifest.deployments for fault in _of_deployment(deployment, _tags(manifest))),
        *_of_automations(manifest),
    )


def load_flow(entrypoint: str) -> Flow[..., Any]:
    """Import a flow and nothing in its place. Raises ImportError, MissingFlowError or what the import raises."""
    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def _of_deployment(deployment: Deployment, tags: tuple[str, ...]) -> Iterator[str]:
    try:
        flow = load_flow(deployment.entrypoint)
    except MissingFlowError:
        yield f"deployment {deployment.name}: {deployment.entrypoint} is not a Prefect flow"
        return
    except Exception as error:  # noqa: BLE001  # an import runs anybody's code
        yield f"deployment {deployment.name}: {deployment.entrypoint} cannot be imported: {_short(error)}"
        return
    for name, given in _given(deployment).items():
        yield from _unknown(flow, given, f"{deployment.name}: {name}")
    for schedule in deployment.schedules:
        defaults = {**deployment.parameters, **schedule.parameters}
        yield from _wrong(flow, defaults, f"{deployment.name}: schedule {schedule.slug}")
    for trigger in deployment.triggers:
        for name in trigger.expect:
            where = f"{deployment.name}: trigger {trigger.name}"
            starting = Starting(flow, on_server(trigger), {**deployment.parameters, **trigger.parameters}, where)
            yield from _of_start(starting, examples(name, tags), name)


def _of_automations(manifest: Manifest) -> Iterator[str]:
    """Try the automations that start a deployment the same way."""
    ids = {deployment.name: uuid4() for deployment in manifest.deployments}
    if "sweep" not in ids:
        yield "there is no deployment 'sweep', which deployments/automations.py starts"
        return
    entrypoints = {ids[deployment.name]: deployment.entrypoint for deployment in manifest.deployments}
    for automation in automations.wanted(ids, enabled=True):
        trigger, action = automation.trigger, automation.actions[0]
        if not isinstance(trigger, EventTrigger) or not isinstance(action, RunDeployment) or not action.deployment_id:
            yield f"automation {automation.name}: starts no deployment on an event, so it cannot be tried"
            continue
        try:
            flow = load_flow(entrypoints[action.deployment_id])
        except Exception:  # noqa: BLE001, S112  # said already, about the deployment
            continue
        where = f"automation {automation.name}"
        yield from _unknown(flow, action.parameters or {}, where)
        for name in sorted(trigger.expect):
            starting = Starting(flow, on_server(trigger), action.parameters or {}, where)
            yield from _of_start(starting, examples(name, _tags(manifest)), name)


def _of_start(starting: Starting, events: tuple[ReceivedEvent, ...], name: str) -> Iterator[str]:
    """Try a trigger on the examples of one event."""
    where = starting.where
    for field in misspelt(starting.parameters):
        yield f"{where}: no event carries a field {field!r} in its payload"
    if not events:
        yield f"{where}: no event is called {name!r}; lifecycle/events.py and deployments/rendering.py list them"
    for event in events:
        if not covers(starting.trigger, event):
            yield f"{where}: does not match {name} about {event.resource.id}"
            continue
        try:
            parameters = render(starting.trigger, starting.parameters, event)
        except RenderingError as error:
            yield f"{where}: the parameters cannot be rendered from {name}: {error}"
            continue
        yield from _wrong(starting.flow, parameters, f"{where} on {name}")


def _given(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return every set of parameters of a deployment by where it stands."""
    sets = {"parameters": deployment.parameters}
    sets |= {f"schedule {schedule.slug}": schedule.parameters for schedule in deployment.schedules}
    return sets | {f"trigger {trigger.name}": trigger.parameters for trigger in deployment.triggers}


def _unknown(flow: Flow[..., Any], given: dict[str, Any], where: str) -> Iterator[str]:
    """Name the parameters that the flow does not take: Prefect would start the run and the run would fail."""
    taken = list(inspect.signature(flow.fn).parameters)
    for name in given:
        if name not in taken:
            yield f"{where}: {flow.name} takes no parameter {name!r}, it takes {', '.join(taken)}"


def _wrong(flow: Flow[..., Any], parameters: dict[str, Any], where: str) -> Iterator[str]:
    """Say which required parameter is missing or which value has the wrong type."""
    signature = inspect.signature(flow.fn)
    known = {name: value for name, value in parameters.items() if name in signature.parameters}
    for name, parameter in signature.parameters.items():
        if parameter.default is parameter.empty and name not in known:
            yield f"{where}: gives no {name!r}, which {flow.name} requires"
            return
    try:
        flow.validate_parameters(known)
    except (ParameterTypeError, SignatureMismatchError, TypeError, ValueError) as error:
        yield f"{where}: {flow.name} cannot be called: {_short(error)}"


def _tags(manifest: Manifest) -> tuple[str, ...]:
    return tuple(sorted({tag for deployment in manifest.deployments for tag in deployment.tags}))


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
