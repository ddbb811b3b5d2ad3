"""The workers are killed around the hand-over of a run: whatever was lost in between is run again, nothing twice."""

from __future__ import annotations

import time

import pytest

from tests.faults import victims
from tests.faults.conftest import Measured
from tests.faults.drops import csv, readings
from tests.faults.loop import ENDED, Loop, eventually

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
FLOWS = {"worker-lambda": "ingest", "worker-ecs": "train"}
POINTS = {
    "before it is picked up": "SCHEDULED",
    "between Pending and submission": "PENDING",
    "after submission": "submitted",
}


def reached(loop: Loop, run: str, point: str) -> bool:
    """Whether a run has come to a point: its state, or that the worker has noted where it was submitted."""
    found = loop.run(run)
    return bool(found["infrastructure_pid"]) if point == "submitted" else found["state_type"] == point


def submitted(loop: Loop, run: str) -> bool:
    """Whether AWS has the run although the worker never told: it died in between."""
    journal = loop.cloud.home.state / "invocations"
    asked = any(run in note.read_text() for note in journal.glob("*.json")) if journal.exists() else False
    return asked or bool(victims.task_of(loop.cloud, run))


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("worker", FLOWS)
def test_a_killed_worker_loses_no_run(loop: Loop, measured: Measured, worker: str, point: str) -> None:
    measured.fault, measured.point = f"kill -9 of {worker}", point
    flow, cloud = FLOWS[worker], loop.cloud
    if point == "before it is picked up":
        assert victims.freeze(victims.service(cloud, worker))
    loop.drop("first.csv", csv(readings(0)))
    run = loop.first(flow)
    assert victims.at(lambda: reached(loop, run, POINTS[point]), lambda: victims.service(cloud, worker))
    found = loop.run(run)
    told = "told" if found["infrastructure_pid"] else "not told"
    measured.found = f"was {found['state_type']}, {'asked' if submitted(loop, run) else 'not asked'}, {told};"
    assert victims.kill(victims.service(cloud, worker))
    killed = time.monotonic()
    eventually("somebody who carries the run", lambda: loop.run(run)["state_type"] in ("RUNNING", *ENDED))
    carried = time.monotonic() - killed
    ended = eventually("the end of the run", lambda: loop.ended(run))
    measured.terminal = time.monotonic() - killed
    if ended["state_type"] == "COMPLETED":  # it was not lost: how long it takes is the machine's affair
        measured.found += f" carried after {carried:.1f}"
        assert carried < 90
    else:
        assert ended["state_type"] == "CRASHED"
        successor: str = eventually("its successor", lambda: loop.successor(run))["id"]
        again = time.monotonic() - killed
        measured.found += f" run again after {again:.1f}"
        assert (measured.terminal < 90, again < 90) == (True, True)
        assert eventually("the successor's end", lambda: loop.ended(successor))["state_type"] == "COMPLETED"
    measured.done = time.monotonic() - killed
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet())
    assert loop.delivered() == {"validated": 1}
    assert [version for version, _ in loop.versions()] == ["1"]
    assert [one["action"] for one in loop.entries("challenge", "promote")] == ["challenge", "promote"]


def test_a_worker_that_dies_with_the_process_it_watched_loses_no_run(loop: Loop, measured: Measured) -> None:
    """Nobody is left who could tell; the sweep asks ECS."""
    measured.fault, measured.point = "kill -9 of worker-ecs and the task", "once it has the turn"
    loop.drop("first.csv", csv(readings(0)))
    run = loop.first("train")
    assert victims.at(loop.turn, lambda: victims.task_of(loop.cloud, run))
    assert victims.kill(victims.service(loop.cloud, "worker-ecs"))
    assert victims.kill(victims.task_of(loop.cloud, run))
    killed = time.monotonic()
    assert eventually("the end of the run", lambda: loop.ended(run))["state_type"] == "CRASHED"
    measured.terminal = time.monotonic() - killed
    successor: str = eventually("its successor", lambda: loop.successor(run))["id"]
    again = time.monotonic() - killed
    measured.found = f"run again after {again:.1f}"
    assert eventually("the successor's end", lambda: loop.ended(successor))["state_type"] == "COMPLETED"
    measured.done = time.monotonic() - killed
    assert (measured.terminal < 90, again < 90) == (True, True)
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet())
    assert [version for version, _ in loop.versions()] == ["1"]
    assert [one["action"] for one in loop.entries("challenge", "promote")] == ["challenge", "promote"]
