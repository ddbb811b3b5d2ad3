"""What can be wrong between `prefect.yaml` and the code: entrypoints, signatures, event names, templates.

It imports every entrypoint and asks Prefect's own code what a server would do; it asks no server.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from prefect.exceptions import MissingFlowError, ParameterTypeError, SignatureMismatchError
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.server.events.schemas.events import ReceivedEvent

from deployments.manifest import Deployment, Manifest, Trigger
from deployments.rendering import RenderingError, covers, examples, render

_PREFECT = "prefect.flow-run."


def faults(manifest: Manifest) -> tuple[str, ...]:
    """Return one sentence per fault, none when the manifest and the code belong together."""
    in_care = tuple(sorted({tag for deployment in manifest.deployments for tag in deployment.tags}))
    return tuple(fault for deployment in manifest.deployments for fault in _of_deployment(deployment, in_care))


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
            yield from _of_trigger(flow, deployment, trigger, examples(name, tags), name)


def _of_trigger(
    flow: Flow[..., Any], deployment: Deployment, trigger: Trigger, events: tuple[ReceivedEvent, ...], name: str
) -> Iterator[str]:
    where = f"{deployment.name}: trigger {trigger.name}"
    if not events:
        yield f"{where}: no event is called {name!r}; lifecycle/events.py names ours, Prefect's begin with {_PREFECT}"
    for event in events:
        if not covers(trigger, event):
            yield f"{where}: does not match {name} about {event.resource.id}"
            continue
        try:
            parameters = render(trigger, event)
        except RenderingError as error:
            yield f"{where}: the parameters cannot be rendered from {name}: {error}"
            continue
        yield from _wrong(flow, {**deployment.parameters, **parameters}, f"{where} on {name}")


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


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
