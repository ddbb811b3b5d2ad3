"""Every Lambda environment is killed, wherever a run in it stands: the file ends once, the model is released once."""

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

INGEST: dict[str, Point] = {
    "while it starts": lambda loop, run: loop.run(run)["infrastructure_pid"],
    "once the delivery is claimed": lambda loop, _: loop.keys(f"control/{loop.product}/deliveries/"),
    "once the batch is published": lambda loop, _: loop.manifests(),
}
RELEASE: dict[str, Point] = {
    "while it starts": lambda loop, run: loop.run(run)["infrastructure_pid"],
    "once it runs": lambda loop, run: loop.run(run)["state_type"] == "RUNNING",
    "once the control record says so": lambda loop, _: loop.control(),
}


def kill_at(loop: Loop, measured: Measured, run: str, point: Point) -> str | None:
    """Kill every environment at a point and wait for the run's end; return its successor, if it was lost."""
    assert victims.at(lambda: point(loop, run), lambda: victims.environments(loop.cloud))
    measured.found = f"was {loop.run(run)['state_type']}, {dict(loop.delivered())};"
    assert victims.kill(victims.environments(loop.cloud))
    killed = time.monotonic()
    ended = eventually("the end of the run", lambda: loop.ended(run))
    measured.terminal = time.monotonic() - killed
    assert measured.terminal < 90
    if ended["state_type"] == "COMPLETED":  # it was frozen between its last write and its end
        measured.found += " it was done"
        return None
    assert ended["state_type"] == "CRASHED"
    successor: str = eventually("its successor", lambda: loop.successor(run))["id"]
    again = time.monotonic() - killed
    assert eventually("the successor's end", lambda: loop.ended(successor))["state_type"] == "COMPLETED"
    measured.done = time.monotonic() - killed
    measured.found += f" run again after {again:.1f}"
    assert again < 90
    return successor


@pytest.mark.parametrize("point", INGEST)
def test_a_killed_ingest_is_run_again_and_the_file_ends_once(loop: Loop, measured: Measured, point: str) -> None:
    measured.fault, measured.point = "kill -9 of Lambda, ingest", point
    loop.drop("first.csv", csv(readings(0)))
    run = loop.first("ingest")
    kill_at(loop, measured, run, INGEST[point])
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet())
    assert loop.delivered() == {"validated": 1}
    assert [one["rows"]["validated"] for one in loop.manifests()] == [3_000]
    assert [version for version, _ in loop.versions()] == ["1"]
    assert [one["action"] for one in loop.entries("challenge", "promote")] == ["challenge", "promote"]


@pytest.mark.parametrize("point", RELEASE)
def test_a_killed_release_is_run_again_and_the_model_is_promoted_once(
    loop: Loop, measured: Measured, point: str
) -> None:
    measured.fault, measured.point = "kill -9 of Lambda, release", point
    loop.drop("first.csv", csv(readings(0)))
    run = loop.first("release")
    kill_at(loop, measured, run, RELEASE[point])
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet())
    eventually("a settled record", lambda: (loop.control() or {})["release"] is None)
    assert [one["action"] for one in loop.entries("challenge", "promote", "rollback")] == ["challenge", "promote"]
    assert [version for version, _ in loop.versions()] == ["1"]
