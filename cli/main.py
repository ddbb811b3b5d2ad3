"""The command line: which commands there are, and how a failure reads.

It holds no behaviour of any command. Help is plain text and nothing heavy is imported before a command runs,
so that `tropism --help` answers at once.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from cli import (
    automations,
    batches,
    cloud,
    cost,
    demo,
    doctor,
    drop,
    experiment,
    history,
    init,
    labels,
    models,
    monitor,
    orders,
    predict,
    replay,
    report,
    requeue,
    schema,
    score,
    simulate,
    status,
    traffic,
    verify,
    why,
)
from cli.failures import translate
from lifecycle.errors import TropismError

FAULT_OF_OURS = 70  # EX_SOFTWARE of sysexits.h: never to be taken for "the answer is no"

COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("up", cloud.up),
    ("down", cloud.down),
    ("demo", demo.demo),
    ("doctor", doctor.doctor),
    ("init", init.init),
    ("status", status.status),
    ("report", report.report),
    ("drop", drop.drop),
    ("predict", predict.predict),
    ("score", score.score),
    ("simulate", simulate.simulate),
    ("replay", replay.replay),
    ("batches", batches.batches),
    ("requeue", requeue.requeue),
    ("schema", schema.schema),
    ("labels", labels.labels),
    ("monitor", monitor.monitor),
    ("models", models.models),
    ("history", history.history),
    ("why", why.why),
    ("approve", orders.approve),
    ("hold", orders.hold),
    ("abort", orders.abort),
    ("rollback", traffic.rollback),
    ("freeze", orders.freeze),
    ("unfreeze", orders.unfreeze),
    ("verify", verify.verify),
    ("cost", cost.cost),
)

# Commands under one word: the word, what it is about, and its commands.
GROUPS: tuple[tuple[str, str, tuple[tuple[str, Callable[..., None]], ...]], ...] = (
    ("experiment", experiment.HELP, experiment.COMMANDS),
    ("automations", automations.HELP, automations.COMMANDS),
)

app = typer.Typer(
    name="tropism",
    rich_markup_mode=None,  # rich costs half a second at every start; commands import it when they print
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Models that grow toward their data. Start with `tropism up`, or see it all with `tropism demo`.",
)
for _name, _command in COMMANDS:
    app.command(_name)(_command)
for _word, _about, _commands in GROUPS:
    _group = typer.Typer(rich_markup_mode=None, help=_about)
    for _name, _command in _commands:
        _group.command(_name)(_command)
    app.add_typer(_group, name=_word)


def command_names() -> tuple[str, ...]:
    """Return every command as it is typed, without `tropism`."""
    grouped = (f"{word} {name}" for word, _, commands in GROUPS for name, _ in commands)
    return (*(name for name, _ in COMMANDS), *grouped)


def _version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        from importlib.metadata import version

        from cli.shapes import VERSION

        print(f"tropism {version('tropism')}, JSON shapes {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the versions and leave.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; every failure a person can act on is one paragraph."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        given = ["--help"]
    try:
        return app(args=given, prog_name="tropism", standalone_mode=False) or 0
    except Exception as error:  # noqa: BLE001  # the one place where everything ends
        known = translate(error)
        if known is not None:
            return _report(known, as_json="--json" in given)
        traceback.print_exc()
        print("This is a fault of tropism, not of your data. The lines above say where.", file=sys.stderr)
        return FAULT_OF_OURS


def _report(error: TropismError, *, as_json: bool) -> int:
    """Print a failure to stderr and return its exit code."""
    if as_json:
        shape = {
            "type": type(error).__name__,
            "summary": error.summary,
            "detail": error.detail,
            "resolution": error.resolution,
        }
        print(json.dumps({"error": shape}, ensure_ascii=False, indent=2), file=sys.stderr)
    else:
        print(f"Error: {error}", file=sys.stderr)
    return error.exit_code
