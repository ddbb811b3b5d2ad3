"""`tropism simulate`: live requests at a steady rate, so that a release has something to be judged on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from cli.callers import Callers, Tally

_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Simulated:
    """`simulate`: requests made, answers by model version, requests without an answer, and how long it took."""

    product: str
    asked: int
    answered: Mapping[str, int]
    failed: int
    seconds: float


def simulate(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    requests: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many requests.")] = 500,
    per_second: Annotated[float, typer.Option(min=0.01, max=1000, help="How many a second.")] = 20.0,
    file: Annotated[
        Path | None, typer.Option(help="Rows to ask for, Parquet or CSV; the product's sample without.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tally as an object.")] = False,
) -> None:
    """Ask the endpoint for predictions at a steady rate, as users would, and count who answered.

    The requests are live: a release is judged on them. Exit code 1 when one of them got no answer. Months of
    deliveries, on a clock of their own and with their labels, are played back by `tropism replay`.

    Example: tropism simulate flights --requests 600 --per-second 20
    """
    here = context.here(product)
    from cli.callers import callers

    if file is not None and not file.is_file():
        raise UsageError(f"There is no file {file}.")
    begun = time.monotonic()
    with callers(here, product, file, per_second=per_second, limit=requests) as asking:
        _follow(asking, requests, quiet=as_json)
    found = asking.tally
    done = Simulated(product, found.asked, found.answered, found.failed, round(time.monotonic() - begun, 1))
    if as_json:
        output.emit(done)
    else:
        output.say(f"{done.asked} requests in {output.duration(done.seconds)}: {shares(found)}.")
    if found.failed:
        raise typer.Exit(1)


def shares(tally: Tally) -> str:
    """Say who answered how often."""
    if not tally.asked:
        return "nobody asked"
    versions = sorted(tally.answered.items(), key=lambda item: int(item[0]) if item[0].isdigit() else 0)
    parts = [f"model {version} {n} ({n / tally.asked:.0%})" for version, n in versions]
    return ", ".join([*parts, *([f"{tally.failed} without an answer"] if tally.failed else [])])


def _follow(asking: Callers, requests: int, *, quiet: bool) -> None:
    """Show how far it is until every request was made."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=requests)
        while not asking.wait(_LOOK_SECONDS):
            bar.update(task, completed=asking.tally.asked, description=shares(asking.tally))
