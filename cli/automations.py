"""`tropism automations test`: what an event would start, before it is sent."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import context, output
from cli.shapes import Json
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from deployments.standing import Known
    from deployments.trial import Act, Tried

HELP = "Which automations an event would fire."


@dataclass(frozen=True)
class Doing:
    """One action, such as `run-deployment`, with the values its templates give; `fault` says why it would fail."""

    does: str
    deployment: str | None
    values: Mapping[str, Json]
    fault: str | None


@dataclass(frozen=True)
class Candidate:
    """One automation. `why` says what keeps it from firing, or what one event alone does not decide."""

    automation: str
    verdict: Literal["fires", "fails", "quiet", "unclear"]
    why: tuple[str, ...]
    actions: tuple[Doing, ...]


@dataclass(frozen=True)
class Trial:
    """`automations test`: the event as Prefect would get it, and every automation, those that fire first.

    `event` and `resource` are null when the bridge would send nothing; `hint` says why, or which event was meant.
    """

    source: Literal["repository", "server"]
    event: str | None
    resource: str | None
    hint: str | None
    automations: tuple[Candidate, ...]


def try_event(
    event: Annotated[
        Path, typer.Option("--event", metavar="FILE", help="A Prefect event or an AWS message as JSON; - reads stdin.")
    ],
    server: Annotated[bool, typer.Option("--server", help="Try the automations of the Prefect server in use.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the trial as an object.")] = False,
) -> None:
    """Say which automations an event would fire, with which parameters, and why the others would not.

    Nothing is sent and nothing is started. The automations are those of the checkout one stands in, as `prefect.yaml`
    and deployments/automations.py say. Exit code 1 when none would fire, or one that fires would fail.

    Example: tropism automations test --event event.json
    """
    found = trial(_text(event), "stdin" if str(event) == "-" else str(event), server=server)
    if as_json:
        output.emit(found)
    else:
        tell(found)
    verdicts = {one.verdict for one in found.automations}
    if "fires" not in verdicts or "fails" in verdicts:
        raise typer.Exit(1)


def trial(text: str, source: str, *, server: bool) -> Trial:
    """Try an event. Raises UsageError when the text is no event or the checkout has no automations."""
    from deployments import event_file
    from deployments.trial import try_all

    known, given = _known(server=server), event_file.read(text, source)
    where: Literal["repository", "server"] = "server" if server else "repository"
    if given.event is None:
        return Trial(where, None, None, given.kept_back, ())
    tried = tuple(_candidate(one) for one in try_all(known, given.event))
    return Trial(where, given.event.event, given.event.resource.id, known.hint(given.event.event) or None, tried)


def tell(found: Trial) -> None:
    """Print what would fire with its parameters, and one line for each of the others."""
    output.say(f"{found.event} about {found.resource}" if found.event else "No event would be sent.")
    if found.hint:
        output.say(found.hint)
    for one in found.automations:
        output.say(f"{one.verdict.ljust(7)} {one.automation}{': ' if one.why else ''}{'; '.join(one.why)}")
        for action in one.actions:
            output.say(f"        {action.does} {action.deployment or ''}".rstrip())
            for name, value in action.values.items():
                output.say(f"          {name} = {value!r}")
    fire = sum(one.verdict == "fires" for one in found.automations)
    output.say(f"{fire} of {len(found.automations)} automations of the {found.source} would fire.")


def _known(*, server: bool) -> Known:
    from deployments import standing

    if server:
        from deployments.plan import client_of

        with client_of(context.here().settings) as client:
            return standing.on_server(client)
    from deployments.manifest import load
    from deployments.plan import MANIFEST

    return standing.in_repository(load(MANIFEST, os.environ))


def _text(event: Path) -> str:
    if str(event) == "-":
        return sys.stdin.read()
    try:
        return event.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{event} cannot be read.", detail=f"{error}.") from error


def _candidate(one: Tried) -> Candidate:
    return Candidate(one.automation, one.verdict, one.why, tuple(_doing(act) for act in one.acts))


def _doing(act: Act) -> Doing:
    return Doing(act.does, act.deployment, act.values, act.fault)


COMMANDS = (("test", try_event),)
