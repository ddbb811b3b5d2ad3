"""`python -m cli.reference` writes `docs/cli.md` from the commands themselves, so that the page cannot be wrong.

Commands, options and examples come from the application, shapes from their classes, exit codes from the tree
of errors.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from cli import (
    automations,
    batches,
    cloud,
    cost,
    demo,
    experiment,
    findings,
    history,
    initialised,
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
    shapes,
    simulate,
    traced,
    traffic,
    verify,
    why,
)
from cli.main import FAULT_OF_OURS, app
from lifecycle.errors import TropismError

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
_DEEPER = "  "

SHAPES: Mapping[str, tuple[tuple[str, object], ...]] = {
    "up": (("`up --json`", shapes.Services),),
    "down": (("`down --json`", cloud.Stopped),),
    "demo": (("`demo --json`", list[demo.Told]),),
    "init": (("`init --json`", initialised.Initialised),),
    "status": (("`status PRODUCT --json`", shapes.ProductStatus), ("`status --json`", shapes.Overview)),
    "report": (("`report --json`", report.Built),),
    "drop": (("`drop --json`, with or without `--wait`", list[shapes.Dropped]),),
    "predict": (
        ("`predict --json`", predict.Prediction),
        ("`predict --explain --json`", predict.ExplainedPrediction),
    ),
    "score": (("`score --json`", list[score.ScoredBatch]),),
    "simulate": (("`simulate --json`", simulate.Simulated),),
    "replay": (("`replay --json`", replay.Replayed),),
    "batches": (("`batches --json`", list[batches.Batch]),),
    "requeue": (("`requeue --json`", list[requeue.Requeued]),),
    "schema": (("`schema --json`", schema.Evolved),),
    "labels": (("`labels --json`", list[labels.ToldLabels]),),
    "monitor": (("`monitor --json`", monitor.Watched),),
    "models": (
        ("`models --json`", list[models.Model]),
        ("`models --published --json`", list[models.Published]),
    ),
    "history": (("`history --json`", list[history.Decided]),),
    "approve": (("`approve --json`", orders.Order),),
    "hold": (("`hold --json`", orders.Order),),
    "abort": (("`abort --json`", orders.Order),),
    "freeze": (("`freeze --json`", list[orders.Order]),),
    "unfreeze": (("`unfreeze --json`", list[orders.Order]),),
    "why": (("`why --json`", why.Explained), ("`why PRODUCT PREDICTION_ID --json`", traced.TracedPrediction)),
    "verify": (("`verify --json`", list[verify.Check]),),
    "rollback": (("`rollback --json`", traffic.RolledBack),),
    "experiment start": (("`experiment start --json`", experiment.Moved),),
    "experiment status": (("`experiment status --json`", experiment.ExperimentStatus),),
    "experiment stop": (("`experiment stop --json`", experiment.Moved),),
    "cost": (("`cost --json`", list[cost.Cost]),),
    "automations test": (("`automations test --json`", automations.Trial),),
    "doctor": (("`doctor --json`", list[findings.Finding]),),
}

_HEAD = f"""<!-- Written by `python -m cli.reference`. Do not edit. -->
# The command line

Every command takes `--json` and `--help`. Answers go to stdout; progress, warnings and errors go to stderr.
Where a command works is decided once: an environment that sets `TROPISM_BUCKET` is used as it is, otherwise the
local cloud that `tropism up` started.

The JSON shapes below are version {shapes.VERSION} (`tropism --version` prints it). Fields may be added; a field that
changes its meaning or goes away raises the version. Times are ISO 8601 in UTC. With `--json` an error is
`{{"error": {{"type", "summary", "detail", "resolution"}}}}` on stderr.
"""


def page() -> str:
    """Return the whole page."""
    group: Any = typer.main.get_command(app)
    parts = [_HEAD, _exit_codes(), *(_command(name, command) for name, command in _commands(group))]
    return "\n".join(parts)


def _commands(group: Any, word: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # typer publishes no type for it
    """Yield every command under the words that lead to it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{word}{name} ")
        else:
            yield f"{word}{name}", command


def _exit_codes() -> str:
    rows = [
        (0, "done"),
        (1, "the answer is no: a file was quarantined under `--wait`, a verification failed"),
        *sorted({(kind.exit_code, _first(kind.__doc__)) for kind in _families()}),
        (FAULT_OF_OURS, "a fault of tropism itself, with a traceback"),
    ]
    lines = [f"| {code} | {meaning} |" for code, meaning in rows]
    return "\n".join(["## Exit codes", "", "| code | meaning |", "|---|---|", *lines, ""])


def _families(root: type[TropismError] = TropismError) -> Iterator[type[TropismError]]:
    """Yield each error that carries a code of its own."""
    for kind in root.__subclasses__():
        if "exit_code" in vars(kind):
            yield kind
        yield from _families(kind)


def _command(name: str, command: Any) -> str:  # noqa: ANN401  # typer publishes no type for what it builds
    text = (command.help or "").strip()
    told, _, example = text.partition("Example:")
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    usage = " ".join([f"tropism {name}", "[OPTIONS]" if options else "", *(_metavar(param) for param in arguments)])
    lines = [f"## tropism {name}", "", told.strip(), "", "```", " ".join(usage.split()), "```", ""]
    if arguments or options:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_metavar(param)}` | {param.help} |" for param in arguments]
        lines += [f"| `{_flag(param)}` | {param.help} |" for param in options]
        lines.append("")
    lines += ["Example:", "", "```", example.strip(), "```", ""]
    for title, shape in SHAPES.get(name, ()):
        lines += [f"{title}: {_about(shape)}", "", "```", skeleton(shape), "```", ""]
    return "\n".join(lines)


def _metavar(param: Any) -> str:  # noqa: ANN401
    name = (param.metavar or param.name).upper()
    name = f"{name}..." if param.nargs == -1 and not name.endswith("...") else name
    return name if param.required else f"[{name}]"


def _flag(param: Any) -> str:  # noqa: ANN401
    flag = param.opts[0]
    return flag if param.is_flag else f"{flag} {param.name.upper()}"


def _about(shape: object) -> str:
    kind = get_args(shape)[0] if get_origin(shape) is list else shape
    text = " ".join((kind.__doc__ or "").split())
    return re.sub(r"^`[^`]+`: ", "", text)  # the class says which command it belongs to; the page says it already


def skeleton(shape: object, indent: str = "") -> str:
    """Draw a type as the JSON it prints."""
    if is_dataclass(shape) and isinstance(shape, type):
        hints = get_type_hints(shape)
        inner = [
            f'{indent}{_DEEPER}"{field.name.rstrip("_")}": {skeleton(hints[field.name], indent + _DEEPER)}'
            for field in fields(shape)
        ]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    origin, args = get_origin(shape), get_args(shape)
    if origin in {list, tuple}:
        return f"[{skeleton(args[0], indent)}, …]"
    if origin in {Union, types.UnionType}:
        return " | ".join(skeleton(arg, indent) for arg in args)
    if origin is Literal:
        return " | ".join(f'"{arg}"' for arg in args)
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return f'{{"…": {skeleton(args[1], indent)}}}'
    return _WORDS.get(shape, "any")


_WORDS: Mapping[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "true | false",
    type(None): "null",
}


def _first(text: str | None) -> str:
    line = (text or "").strip().splitlines()[0].rstrip(".")
    return line[:1].lower() + line[1:]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}.")
