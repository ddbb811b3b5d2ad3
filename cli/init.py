"""`tropism init`: from a file to a product that can be reviewed, dropped on and served.

Nothing that exists is overwritten: a second run shows what would change. It needs no cloud.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import changes, output, understood
from cli.initialised import Initialised, State, rehearsed, shape
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from tasks.drafting import Draft, Wanted

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_NOTHING = "none"
_TASKS = ("binary", "multiclass", "regression", "counts")


def init(  # noqa: PLR0917  typer reads the options off the parameters
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the product shall be called.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="More files of the same kind.")] = None,
    data: Annotated[list[Path] | None, typer.Option("--data", help="A file as it will be delivered.")] = None,
    target: Annotated[str, typer.Option(help="The column to predict.")] = "",
    task: Annotated[str | None, typer.Option(help=f"One of {', '.join(_TASKS)}; guessed without.")] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when a row happened, or `none`.")] = None,
    key: Annotated[str | None, typer.Option(help="The columns that identify a row, with commas, or `none`.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write the files without asking.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Replace files that exist and differ.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Also judge the files and train on them here, without a cloud.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was understood as an object.")] = False,
) -> None:
    """Draw up a product from files: what the columns are, what a model may learn, what good data looks like.

    Writes products/NAME/product.yaml, two expectation suites and a sample, each guess with its reason beside it.
    Files that exist stay as they are: a second run shows what would change. Needs no running cloud.

    Example: tropism init churn --data customers.csv --target churned --yes
    """
    from lifecycle.batch import Limits
    from tasks.drafting import draft

    paths = [*(data or []), *(more or [])]
    _check(name, paths, target, task)
    with output.progress(f"reading {', '.join(path.name for path in paths)}", quiet=as_json):
        found = draft(name, paths, target, _wanted(task, time, key), Limits())
    root = home()
    differing = changes.differences(root, found.files)
    if not as_json:
        understood.tell(found)
    state = _settle(root, found, differing, yes=yes or apply, apply=apply, ask=not as_json)
    answer = shape(found, state, differing)
    if rehearse and state != "shown":
        with output.progress("judging the files and training on them", quiet=as_json):
            answer = replace(answer, rehearsed=rehearsed(root, name, paths))
    if as_json:
        output.emit(answer)
    else:
        _end(answer, paths)
    if state == "shown" or (answer.rehearsed is not None and not answer.rehearsed.would_serve):
        raise typer.Exit(1)


def home() -> Path:
    """Return the folder that holds products and expectations: the environment's, the local cloud's, or this one."""
    from localcloud import address

    if named := os.environ.get("TROPISM_ROOT"):
        return Path(named)
    cloud = address.find()
    return cloud.root if cloud is not None else Path()


def _check(name: str, paths: Sequence[Path], target: str, task: str | None) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"A product cannot be called {name!r}.",
            detail="A name has small letters, digits and hyphens, a letter first, 31 characters at most.",
        )
    if not paths:
        raise UsageError("There is no data.", resolution=f"Say `tropism init {name} --data FILE --target COLUMN`.")
    if not target:
        raise UsageError("There is no target.", resolution="Say which column to predict: `--target COLUMN`.")
    if task is not None and task not in _TASKS:
        raise UsageError(f"There is no task {task!r}.", detail=f"A task is one of {', '.join(_TASKS)}.")


def _wanted(task: str | None, time: str | None, key: str | None) -> Wanted:
    from typing import cast

    from lifecycle.metrics import TaskKind
    from tasks.drafting import Wanted

    grain = None if key is None else tuple(part.strip() for part in key.split(",")) if key != _NOTHING else ()
    return Wanted(cast("TaskKind | None", task), "" if time == _NOTHING else time, grain)


def _settle(root: Path, found: Draft, differing: str, *, yes: bool, apply: bool, ask: bool) -> State:
    """Write what is new, and what differs when that is wanted; return what became of it."""
    exists = any((root / name).is_file() for name in found.files)
    if exists and not differing and all((root / name).is_file() for name in found.files):
        return "unchanged"
    if differing and not apply:
        return "proposed"
    if not yes and not (ask and sys.stdin.isatty() and typer.confirm("Write these files?", default=True)):
        return "shown"
    changes.write(root, found.files)
    return "written"


def _end(answer: Initialised, paths: Sequence[Path]) -> None:
    """Say what was written, or what would be, how a rehearsal went, and what to do next."""
    if answer.state == "proposed":
        output.say(answer.changes)
        output.say("Nothing was written: these files exist. Change them by hand, or replace them with --apply.")
    elif answer.state == "unchanged":
        output.say("The product's files are as they would be drawn up: nothing to change.")
    elif answer.state == "shown":
        output.say("Nothing was written. Say --yes to write the files.")
    else:
        for name in answer.files:
            output.say(f"wrote {name}")
    understood.tell_rehearsal(answer)
    if answer.state != "shown":
        output.say(f"Look at products/{answer.product}/product.yaml. Then:")
        output.say(f"  tropism drop {answer.product} {paths[0]} --wait")
