"""The process of a training is killed: it is run again, and one model version and one ledger entry come out."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults import victims
from tests.faults.conftest import Measured
from tests.faults.drops import csv, readings
from tests.faults.loop import Loop, eventually

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
Point = Callable[[Loop, str], object]

POINTS: dict[str, Point] = {
    "while it starts": lambda loop, run: victims.task_of(loop.cloud, run),
    "once it has the turn": lambda loop, run: (loop.turn() or {}).get("owner") == run,
    "once MLflow knows of it": lambda loop, _: loop.trainings(),
    "once the version is registered": lambda loop, _: loop.versions(),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_training_is_run_again_and_makes_one_version(loop: Loop, measured: Measured, point: str) -> None:
    measured.fault, measured.point = "kill -9 of the train process", point
    loop.drop("first.csv", csv(readings(0)))
    run = loop.first("train")
    assert victims.at(lambda: POINTS[point](loop, run), lambda: victims.task_of(loop.cloud, run))
    state, entered = loop.run(run)["state_type"], len(loop.entries("challenge"))
    measured.found = f"was {state}, {len(loop.versions())} versions, {entered} entries;"
    assert victims.kill(victims.task_of(loop.cloud, run))
    killed = time.monotonic()
    ended = eventually("the end of the killed run", lambda: loop.ended(run))
    measured.terminal = time.monotonic() - killed
    assert ended["state_type"] == "CRASHED"
    successor = eventually("its successor", lambda: loop.successor(run))["id"]
    again = time.monotonic() - killed
    assert eventually("the successor's end", lambda: loop.ended(successor))["state_type"] == "COMPLETED"
    measured.done = time.monotonic() - killed
    measured.found += f" run again after {again:.1f}"
    assert (measured.terminal < 90, again < 90) == (True, True)
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet())
    assert [version for version, _ in loop.versions()] == ["1"]
    assert [(one["action"], one["to"]) for one in loop.entries("challenge", "promote")] == [
        ("challenge", "1"),
        ("promote", "1"),
    ]
    assert loop.delivered() == {"validated": 1}
    assert loop.known("train") == {run, successor}
