"""Two processes promote two models at the same moment: one wins, and the other says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Measured
from tests.faults.drops import csv, readings
from tests.faults.loop import Loop, eventually

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
ROOT = Path(__file__).parents[2]
AUTOMATION = "release-on-model-challenged"
RACER = """
import sys, time, pathlib
from datetime import UTC, datetime
from flows import release
from flows.following import Work
from lifecycle.control import Actor
from lifecycle.errors import TropismError
from tasks.clients import settings
from tasks.step import directly
product, version, gate, ready = sys.argv[1:]
def step(name, work, *args, **kwargs):
    if name == "change champion":
        pathlib.Path(ready).touch()
        while not pathlib.Path(gate).exists():
            time.sleep(0.001)
    return directly(name, work, *args, **kwargs)
try:
    print(release.carry_out(Work(step, settings(), product, Actor("racer", datetime.now(UTC), "race")), version).state)
except TropismError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""


@contextmanager
def nobody_releases(loop: Loop) -> Iterator[None]:
    """Switch off what starts releases, so that two challengers wait at once."""
    found = loop.http.post("automations/filter", json={"automations": {"name": {"any_": [AUTOMATION]}}}).json()
    (automation,) = [one["id"] for one in found if one["name"] == AUTOMATION]
    loop.http.patch(f"automations/{automation}", json={"enabled": False}).raise_for_status()
    try:
        yield
    finally:
        loop.http.patch(f"automations/{automation}", json={"enabled": True}).raise_for_status()


def test_of_two_promotions_at_once_one_wins_and_the_other_says_so(
    loop: Loop, measured: Measured, tmp_path: Path
) -> None:
    measured.fault, measured.point = "two promotions at once", "both about to write the control record"
    loop.drop("first.csv", csv(readings(0)))
    eventually("a first model that serves", lambda: loop.serving() == "1" and loop.quiet())
    with nobody_releases(loop):
        for number in (1, 2):
            loop.drop(f"refitted {number}.csv", csv(readings(number, refitted=True)))
            eventually("a challenger", lambda number=number: loop.quiet(challenges=1 + number))
        judged = [(one["from"], one["evidence"]["verdict"]) for one in loop.entries("challenge")]
        assert judged == [(None, "promote"), ("1", "promote"), ("1", "promote")]
        began = time.monotonic()
        ends = race(loop, tmp_path)
        measured.terminal = time.monotonic() - began
    (winner,) = [version for version, end in ends.items() if end.returncode == 0]
    (loser,) = {"2", "3"} - {winner}
    assert ends[winner].stdout.strip() == "promoted"
    assert ends[loser].returncode == 3
    said = ends[loser].stderr.strip()
    assert said.startswith(f"Somebody else changed the control record of {loop.product} first")
    record = loop.control() or {}
    assert (record["champion"]["model_version"], loop.serving()) == (winner, winner)
    assert [one["to"] for one in loop.entries("promote")] == ["1", winner]
    measured.found = f"{winner} won; {loser}: {said.splitlines()[0]}"


def race(loop: Loop, folder: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Bring two releases to the last moment before they decide, then let both go."""
    gate = folder / "gate"
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **loop.cloud.environment(), "PYTHONWARNINGS": "ignore"}
    running = {}
    for version in ("2", "3"):
        arguments = [sys.executable, "-c", RACER, loop.product, version, str(gate), str(folder / version)]
        running[version] = subprocess.Popen(
            arguments, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    eventually("both at the gate", lambda: all((folder / version).exists() for version in running), seconds=120)
    gate.touch()
    ends = {}
    for version, process in running.items():
        out, err = process.communicate(timeout=120)
        ends[version] = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    return ends
