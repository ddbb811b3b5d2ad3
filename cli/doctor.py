"""`tropism doctor`: what is missing on this machine or account, and the command that mends it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import context, findings, output
from lifecycle.errors import LocalCloudError

_MARKS = {"ok": "ok", "missing": "MISSING", "notice": "notice"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of checks.")] = False,
) -> None:
    """Look at this machine, the services, the automations and the products; say what is missing and what mends it.

    Only configured addresses are asked and nothing is changed. Exit code 1 when something is missing.

    Example: tropism doctor
    """
    found = look()
    if as_json:
        output.emit(found)
    else:
        for finding in found:
            output.say(f"{_MARKS[finding.state].ljust(8)} {finding.check}: {finding.found}")
            if finding.resolution:
                output.say(f"{' ' * 9}{finding.resolution}")
        wrong = sum(finding.state == "missing" for finding in found)
        output.say(f"{wrong} of {len(found)} checks found something missing." if wrong else "Nothing is missing.")
    if any(finding.state == "missing" for finding in found):
        raise typer.Exit(1)


def look() -> list[findings.Finding]:
    """Make every check that can be made; what cannot be reached hides nothing else."""
    from cli import content, machine, services

    try:
        here = context.here()
    except LocalCloudError as error:
        return [*machine.look(), findings.of_error("local cloud", error)]
    local = machine.look() if here.local else []
    return [*local, *services.look(here), *content.look(here)]
