"""Harm at random to a loop of several products: whom to kill, who was hit, and whether they came back.

A run is `hit` when the process that carried it was killed. It is `near` when whoever was killed may have held something
of it: what a worker had taken, what had reached no environment yet, every open run while Prefect's server is away. What
is `due` may have been about to begin there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

from tests.faults import victims
from tests.faults.drops import csv, readings
from tests.faults.loop import ENDED, PAGE, Loop, eventually

FLOWS = ("ingest", "train", "release", "rollback", "monitor", "respond")
SERVICES = ("worker-lambda", "worker-ecs", "prefect", "bridge")
KINDS = ("ingest", "ingest", "ingest", "train", "train", "train", "release", "release", "monitor", *SERVICES)
"""One is drawn for each kill: a run dies more often than a service."""
LATEST = {"ingest": 6.0, "train": 12.0, "release": 6.0, "monitor": 6.0}
"""A run is killed within so many seconds after it was submitted, which is about as long as it takes on two cores;"""
SERVICE_LATEST = 15.0
"""a service within these after a file landed."""
ROWS = 3_000


@dataclass(frozen=True)
class Kill:
    """One kill and what came of it; times in seconds after it, `after` since the run was submitted or the file fell."""

    kind: str
    product: str
    after: float
    hit: frozenset[str]
    near: frozenset[str]
    due: frozenset[str]
    terminal: float = 0.0
    recovered: float = 0.0
    ends: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.kind:13} {self.after:5.1f} s in, {len(self.hit)} hit, {len(self.near)} near"
        return f"{told}: ended {self.terminal:5.1f}, recovered {self.recovered:5.1f}  {' '.join(self.ends)}"


@dataclass
class Harm:
    """Products under way, and dice that decide what befalls them: the same seed draws the same kinds and moments."""

    loops: Sequence[Loop]
    dice: random.Random
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, loop: Loop) -> None:
        """Deliver the next fortnight. The world changes with each, so that nearly every model is a better one."""
        number = self.dropped.get(loop.product, 0)
        self.dropped[loop.product] = number + 1
        loop.drop(f"fortnight {number}.csv", csv(readings(number, refitted=number % 2 == 1, rows=ROWS)))

    def kill(self) -> Kill:
        """Kill somebody at random and wait until whoever was hit has ended and come back; return what came of it.

        Who is faster than the dice is not killed, and not counted: they are thrown again.
        """
        while True:
            kind, loop = self.dice.choice(KINDS), self.dice.choice(list(self.loops))
            after = self.dice.uniform(0, LATEST.get(kind, SERVICE_LATEST))
            run = self._victim(kind, loop)
            time.sleep(after)
            if kind in SERVICES or (run and not loop.ended(run)):
                struck = _strike(kind, loop, run, after)
                if struck is not None:
                    return self._watched(loop, struck)

    def _victim(self, kind: str, loop: Loop) -> str | None:
        """Give a product work; return the run that is to die, once it is submitted. None when a service is."""
        if kind == "monitor":
            return _submitted(loop, _looked_at(loop))
        known, judged = loop.known(kind), len(loop.entries("challenge"))
        self.drop(loop)
        if kind in SERVICES:
            return None
        if kind != "release":
            new = eventually(f"a run of {kind}", lambda: loop.known(kind) - known, every=0.5)
            return _submitted(loop, next(iter(new)))
        return eventually("a release, or a refusal", lambda: _release(loop, known, judged), every=0.5)[0]

    def _watched(self, loop: Loop, kill: Kill) -> Kill:
        """Wait until whoever was hit has ended, the successor of whoever was lost too, and the files."""
        began, ends = time.monotonic(), []
        eventually("Prefect", lambda: loop.http.get("health").is_success)
        struck = sorted(kill.hit | kill.near)
        ended = [eventually(f"the end of run {run}", lambda run=run: loop.ended(run), every=0.5) for run in struck]
        terminal = time.monotonic() - began
        for run in ended:
            told = f"{_flow(loop, run)}:{run['state_type']}"
            if run["state_type"] == "CRASHED" and "recoverable" in run["tags"]:
                successor = eventually("its successor", lambda run=run: loop.successor(run["id"]))["id"]
                told += f">{eventually('the end', lambda one=successor: loop.ended(one))['state_type']}"
            ends.append(told)
        wanted = self.dropped.get(loop.product, 0)
        eventually("the end of every file", lambda: loop.delivered() == {"validated": wanted}, every=1)
        recovered = time.monotonic() - began
        return replace(kill, terminal=terminal, recovered=recovered, ends=tuple(ends))


def _strike(kind: str, loop: Loop, run: str | None, after: float) -> Kill | None:
    """Freeze the victims, see whom they carry, and kill them; None when nobody was left to kill."""
    before = _under_way(loop) if kind == "prefect" else None  # once it is frozen, nobody can be asked
    found = _victims(kind, loop, run)
    if not victims.freeze(found):
        return None
    open_runs = _under_way(loop) if before is None else before
    hit, near = _carried(kind, run, [one for one in open_runs if one["state_type"] != "SCHEDULED"])
    victims.kill(found)
    due = frozenset[str]() if kind in ("train", "bridge") else _ids(open_runs)
    return Kill(kind, loop.product, after, hit, near, due)


def _victims(kind: str, loop: Loop, run: str | None) -> list[psutil.Process]:
    if kind == "train":
        return victims.task_of(loop.cloud, str(run))
    if kind == "bridge":
        return victims.bridge(loop.cloud)
    return victims.service(loop.cloud, kind) if kind in SERVICES else victims.environments(loop.cloud)


def _carried(kind: str, run: str | None, found: list[dict[str, Any]]) -> tuple[frozenset[str], frozenset[str]]:
    """Say who is hit and who is near, of the runs that are open."""
    here = [one for one in found if one["work_pool_name"] == kind.removeprefix("worker-")]
    if kind == "train":
        return frozenset({str(run)}), frozenset()
    if kind == "bridge":
        return frozenset(), frozenset()
    if kind == "prefect":
        return frozenset(), _ids(found)
    if kind in SERVICES:
        return frozenset(), _ids(one for one in here if one["state_type"] == "PENDING")
    here = [one for one in found if one["work_pool_name"] == "lambda"]
    hit = _ids(one for one in here if one["state_type"] == "RUNNING")
    return hit, _ids(here) - hit


def _under_way(loop: Loop) -> list[dict[str, Any]]:
    """Every run in the cloud that is Pending or Running, or about to be."""
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    state = {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}}
    wanted = {"flow_runs": {"state": state, "expected_start_time": {"before_": soon}}, "limit": PAGE}
    answer = loop.http.post("flow_runs/filter", json=wanted)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def _ids(runs: Iterable[dict[str, Any]]) -> frozenset[str]:
    return frozenset(str(run["id"]) for run in runs)


def _flow(loop: Loop, run: dict[str, Any]) -> str:
    return str(loop.http.get(f"flows/{run['flow_id']}").raise_for_status().json()["name"])


def _submitted(loop: Loop, run: str) -> str:
    """Wait until a worker has submitted a run, or it is over."""
    eventually("its submission", lambda: (found := loop.run(run))["infrastructure_pid"] or found["state_type"] in ENDED)
    return run


def _looked_at(loop: Loop) -> str:
    """Have a product looked at, as its schedule does; return the run."""
    found = loop.http.post("deployments/filter", json={"deployments": {"name": {"any_": ["monitor"]}}}).json()
    asked = loop.http.post(
        f"deployments/{found[0]['id']}/create_flow_run", json={"parameters": {"product": loop.product}}
    )
    return str(asked.raise_for_status().json()["id"])


def _release(loop: Loop, known: frozenset[str], judged: int) -> tuple[str | None] | None:
    """Return a release that is new, or none when the model was refused; None while neither is known."""
    if new := loop.known("release") - known:
        return (next(iter(new)),)
    entered = loop.entries("challenge")[judged:]
    return (None,) if entered and entered[-1]["evidence"]["verdict"] != "promote" else None
