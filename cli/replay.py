"""`tropism replay`: months of deliveries played back through the endpoint, on a clock of its own."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from cli.spans import span

if TYPE_CHECKING:
    from cli.playback import Player
    from cli.timetable import Day


@dataclass(frozen=True)
class Replayed:
    """`replay`: what was done now. `answered`: rows by model version, those of earlier goes too; `models`: verdicts.

    `refused`: requests the endpoint would not answer; `paused`: seconds the clock stood still for what landed.
    """

    product: str
    days: int
    requests: int
    answered: Mapping[str, int]
    refused: int
    labels: int
    deliveries: Mapping[str, int]
    models: Mapping[str, int]
    paused: float
    seconds: float


def replay(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product; it needs a time column.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Deliveries with labels, Parquet or CSV.")],
    *,
    day: Annotated[str, typer.Option(help="How long a day lasts here: 500ms, 2s, 1m.")] = "2s",
    labels_after: Annotated[str, typer.Option(help="How long after its row a label is known.")] = "7d",
    labels_every: Annotated[str, typer.Option(help="How often what is known is told, in whole days.")] = "7d",
    parts: Annotated[int, typer.Option(min=1, max=31, help="In how many growing parts a delivery lands.")] = 2,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Rows of one request at most.")] = 500,
    answers: Annotated[Path | None, typer.Option(help="Keep what was answered there, and go on from there.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for one delivery at most.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as an object.")] = False,
) -> None:
    """Play deliveries back in the order of time: ask for their rows, tell labels late, land what has come true.

    A day lasts seconds. The clock stands still while what landed is judged and trained on, until a model that passed
    has requests: computing is not compressed. Requests and labels are live like any other. With --answers the same
    command goes on where it was stopped. Exit code 1 when a delivery was quarantined or a request refused.

    Example: tropism replay flights flights-2013-02.parquet flights-2013-03.parquet --day 2s --answers spring.jsonl
    """
    here, begun = context.here(product), time.monotonic()
    declared, length = here.product(product), span(day, "--day").total_seconds()
    from cli import answers as kept
    from cli.doors import Live
    from cli.playback import Pace, Player
    from cli.played import played
    from cli.timetable import Rhythm, timetable

    rhythm = Rhythm(span(labels_after, "--labels-after"), span(labels_every, "--labels-every"), parts)
    deliveries = played(declared, files)
    days = timetable([one.times for one in deliveries], rhythm)
    with tempfile.TemporaryDirectory() as folder, _shown(len(days), quiet=as_json) as show:
        doors, pace = Live(here, declared, timeout), Pace(length, rows)
        player = Player(doors, deliveries, kept.read(answers), pace, Path(folder), show)
        player.play(days)
    done = _done(product, player, len(days), time.monotonic() - begun)
    if as_json:
        output.emit(done)
    else:
        _tell(done, player.refused)
    if done.refused or done.deliveries.get("quarantined"):
        raise typer.Exit(1)


def _done(product: str, player: Player, days: int, seconds: float) -> Replayed:
    return Replayed(
        product=product,
        days=days,
        requests=player.answers.requests,
        answered=dict(Counter(player.answers.model_of.values())),
        refused=len(player.refused),
        labels=player.labels,
        deliveries=dict(player.landed),
        models=dict(player.models),
        paused=round(player.paused, 1),
        seconds=round(seconds, 1),
    )


def _tell(done: Replayed, refused: Sequence[str]) -> None:
    output.say(f"{done.days} days in {output.duration(done.seconds)}, {output.duration(done.paused)} of them waiting.")
    rows = ", ".join(f"model {version} {count:,}" for version, count in done.answered.items())
    output.say(f"{done.requests:,} requests; rows answered by {rows or 'nobody'}; {done.labels:,} labels told.")
    output.say(f"Deliveries: {_counted(done.deliveries)}. Models: {_counted(done.models)}.")
    for said in refused[-1:]:
        output.say(f"{len(refused):,} requests were refused. The last: {said}")
    output.say(f"Look at it: `tropism report {done.product}`.")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()) or "none"


@contextmanager
def _shown(days: int, *, quiet: bool) -> Iterator[Callable[[Day, str], None]]:
    """Show how far it is: a bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task, seen = bar.add_task("", total=days), set[object]()

        def show(day: Day, waits: str) -> None:
            seen.add(day.at)
            bar.update(task, completed=len(seen) - 1, description=f"{day.at}{f': {waits}' if waits else ''}")

        yield show
