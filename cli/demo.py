"""`tropism demo`: the flights story, told as it happens.

It brings the local cloud up, has the product's own script write the months, and plays `cli/story.py`. It may be
repeated: what is known already is told as such, and a month that was never there takes the damaged one's place.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import cloud, context, deliveries, output, story
from cli.context import Here
from lifecycle.errors import ProductError

PRODUCT = "flights"
MONTHS = (1, 2, 3, 4)
DAMAGED = tuple(range(7, 13))  # the first of these that was never accepted arrives truncated
_FILES_SECONDS = 180.0


@dataclass(frozen=True)
class Told:
    """`demo`: one step, the sentences it came to, and how long it took."""

    step: str
    outcome: tuple[str, ...]
    seconds: float


class _Teller:
    """Prints the story, or keeps quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def title(self, title: str, why: str) -> None:
        """Say what comes next and what it is for."""
        if not self._quiet:
            output.heading(title)
            output.say(f"  {why}")

    def lines(self, lines: Sequence[str]) -> None:
        """Say what came of it."""
        for line in lines if not self._quiet else ():
            output.say(f"  → {line}" if not line.startswith(" ") else f"    {line}")


def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what each step came to as a list.")] = False,
) -> None:
    """Watch a model retrain itself on real flights: a year of New York departures, defects included.

    Brings the local cloud up first. Drops files and asks questions, nothing else: every run is started by an event.

    Example: tropism demo
    """
    started, since = time.monotonic(), datetime.now(UTC)
    say = _Teller(quiet=as_json)
    say.title("The cloud on this machine", "S3, EventBridge, SQS, Lambda and ECS, Prefect and its workers. No account.")
    changed = cloud.start(quiet=as_json)
    say.lines(["It runs." if changed else "Nothing changed: everything runs already."])
    here = context.here(PRODUCT)
    stage = _stage(here, say)
    told = [_play(stage, number, step, say) for number, step in enumerate(story.STEPS, start=1)]
    say.title(
        "Who started all this",
        "Nobody clicked run: an automation answered each event, and a release looks again by itself.",
    )
    say.lines(causes(here, since))
    if as_json:
        output.emit(told)
        return
    output.say()
    output.say("Look around:")
    cloud.addresses(here)
    output.say()
    output.say(f"The demo took {output.duration(time.monotonic() - started)}. `tropism down` stops everything.")


def causes(here: Here, since: datetime) -> list[str]:
    """Say how many runs of each flow there were since, and which automations made them."""
    lines = []
    for flow in ("ingest", "train", "release"):
        runs = here.prefect().runs(flow, since=since, product=PRODUCT)
        by = sorted({run.cause or "nobody known" for run in runs})
        lines.append(f"{len(runs)} {flow} runs, by {', '.join(by)}." if runs else f"No {flow} run was needed.")
    return lines


def write_files(here: Here, folder: Path, months: Sequence[int], damaged: int) -> None:
    """Have the product's own script write the months into an emptied folder. A second call writes the same bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    script = here.settings.products.resolve() / PRODUCT / "drops.py"
    wanted = [str(month) for month in dict.fromkeys((*months, damaged))]
    command = [sys.executable, str(script), str(folder), "--months", *wanted, "--truncated", str(damaged)]
    done = subprocess.run(  # noqa: S603  # our own interpreter and the product's own script
        command, capture_output=True, text=True, check=False, timeout=_FILES_SECONDS
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise ProductError(f"{script} could not write the demo's files.", detail=f"It said: {said}")


def _stage(here: Here, say: _Teller) -> story.Stage:
    """Return the stage, its files written; the damaged month is the first one that was never accepted."""
    known = {
        deliveries.file_of(record)
        for record in deliveries.read_all(here.bucket, PRODUCT)
        if record.state == "validated"
    }
    damaged = next((month for month in DAMAGED if not any(f"-{month:02d}." in name for name in known)), DAMAGED[0])
    folder = context.home() / "run" / "demo"  # what lies in `run` is gone after a stop
    say.title("Real data", "Departures from New York in 2013, joined with weather and planes, as they were published.")
    write_files(here, folder, MONTHS, damaged)
    lines = [f"{len(list(folder.glob('*.csv')))} files in {folder}."]
    if known:
        lines.append(f"{len(known)} files were accepted before and will be told apart as duplicates.")
    say.lines(lines)
    return story.Stage(here, PRODUCT, folder, damaged)


def _play(stage: story.Stage, number: int, step: story.Step, say: _Teller) -> Told:
    started = time.monotonic()
    say.title(f"{number}/{len(story.STEPS)}  {step.title}", step.why)
    lines = step.act(stage)
    say.lines(lines)
    return Told(step.title, tuple(lines), round(time.monotonic() - started, 1))
