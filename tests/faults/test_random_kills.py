"""Kills at random over a loop of three products: each run ends, each comes back, nothing is doubled.

Kinds, products and moments are drawn from a seed; what is under way at that moment is the machine's affair. Callers ask
each product's endpoint all the while. The emulator is not among the victims: the endpoint stands in it, and
`test_cloud_killed.py` has it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lifecycle.settings import Settings
from localcloud.address import LocalCloud
from tasks import endpoint, ledger
from tests.faults import victims
from tests.faults.conftest import Measured, product_on
from tests.faults.drops import csv, readings
from tests.faults.harm import FLOWS, ROWS, Harm, Kill
from tests.faults.loop import Loop, eventually
from tests.faults.stage import staged
from tests.faults.stream import Stream

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
KILLS = int(os.environ.get("TROPISM_KILLS", "12"))
SEED = int(os.environ.get("TROPISM_SEED", "20260105"))
PROMISED = 90.0  # seconds until a run whose process was killed is in a state that says so
PRODUCTS = 3
ALONE = 45.0  # seconds: with a sweep, a killed run has ended and begun again by then
PLAN = {
    "steps": [100],
    "bake_time": "2s",
    "tick": "2s",
    "min_requests": 5,
    "deadline": "3m",
    "slow_after": "20s",  # a busy machine is no fault of the model
    "max_score_psi": 10,
    "without_traffic": "release",
}
LOG = logging.getLogger("kills")


@dataclass(frozen=True)
class Town:
    """Three products that serve, and somebody who asks each of them."""

    harm: Harm
    streams: dict[str, Stream]

    @property
    def loops(self) -> list[Loop]:
        return list(self.harm.loops)


@pytest.fixture
def town(sensors_cloud: LocalCloud, house: Path, tmp_path: Path) -> Iterator[Town]:
    with ExitStack() as stack:
        loops = [stack.enter_context(product_on(sensors_cloud, house, **PLAN)) for _ in range(PRODUCTS)]
        stack.enter_context(staged(loops[0], tmp_path))
        harm = Harm(loops, random.Random(SEED))
        for loop in loops:
            harm.drop(loop)
        for loop in loops:
            eventually(
                "a model that serves", lambda loop=loop: loop.serving() == "1" and loop.quiet(challenges=1), seconds=300
            )
        yield Town(harm, {loop.product: stack.enter_context(callers(loop)) for loop in loops})


def callers(loop: Loop) -> Stream:
    """Somebody who asks a product's endpoint once a second."""
    settings = Settings()
    public = endpoint.public_url(settings.predict_function(loop.product))
    asked = readings(0)[["site", "temperature", "vibration", "load"]].head(100)
    bodies = [json.dumps({"dataframe_records": [row]}).encode() for row in asked.to_dict(orient="records")]
    return Stream(endpoint.reachable(settings, str(public)), bodies, pause=1.0, threads=1)


def test_random_kills_lose_nothing_and_double_nothing(town: Town, measured: Measured) -> None:
    measured.fault, measured.point = "killed at random", f"{KILLS} times, {PRODUCTS} products, seed {SEED}"
    kills: list[Kill] = []
    for number in range(KILLS):
        kills.append(town.harm.kill())
        LOG.info("%2d %s", number + 1, kills[-1])
        measured.terminal, measured.done = max(one.terminal for one in kills), max(one.recovered for one in kills)
        measured.found = f"{number + 1} kills: {dict(Counter(one.kind for one in kills))}"
    assert [str(one) for one in kills if one.terminal >= PROMISED] == []
    ends = [(one.kind, end) for one in kills for end in one.ends if not end.startswith("sweep:")]
    # While the server is away a run may fail by its own word. What it leaves is woken again, as is seen below.
    fair = [end for kind, end in ends if end.endswith("COMPLETED") or (kind == "prefect" and end.endswith(":FAILED"))]
    assert fair == [end for _, end in ends]
    for loop in town.loops:
        eventually(f"peace for {loop.product}", lambda loop=loop: at_peace(loop), every=2)
        judged(loop, town.harm.dropped[loop.product], kills)
    answered = [stream.counted() for stream in town.streams.values()]
    assert [stream.failures for stream in town.streams.values()] == [[]] * PRODUCTS
    assert {status for counted in answered for _, status in counted} == {200}
    hit, lost = sum(len(one.hit) for one in kills), sum("CRASHED>COMPLETED" in end for _, end in ends)
    measured.found += f"; {hit} runs hit, {lost} run again; {sum(sum(one.values()) for one in answered)} answers"


def at_peace(loop: Loop) -> bool:
    """Whether nobody has anything left to do, and the last release is over."""
    record = loop.control() or {}
    last = loop.entries("challenge")[-1]
    seen = set(last["evidence"]["batches"].split(","))
    trained = seen == {manifest["batch_id"][:12] for manifest in loop.manifests()}
    return trained and loop.quiet() and record["release"] is None and record["rollout"] is None


def judged(loop: Loop, dropped: int, kills: list[Kill]) -> None:
    """Every file is one batch, every training one version and one entry, every promotion one; only the killed died."""
    assert loop.delivered() == {"validated": dropped}
    assert Counter(one["rows"]["validated"] for one in loop.manifests()) == {ROWS: dropped}
    versions = [version for version, _ in loop.versions()]
    made = [entry["to"] for entry in loop.entries("challenge") if entry["to"] is not None]
    assert (Counter(made), len(set(versions))) == (Counter(versions), len(versions))
    assert len({run for _, run in loop.versions()}) == len(versions)
    promoted = [entry["to"] for entry in loop.entries("promote")]
    assert len(set(promoted)) == len(promoted)
    record = loop.control() or {}
    assert record["champion"]["model_version"] == promoted[-1] == loop.serving()
    verdict = ledger.check(loop.cloud.bucket, loop.product)
    assert verdict.holds, verdict.reason
    assert loop.entries("run_lost", "diverged") == []
    dead = {run["id"] for flow in FLOWS for run in loop.runs(flow) if run["state_type"] == "CRASHED"}
    assert dead <= frozenset().union(*(one.hit | one.near | one.due for one in kills)), "a healthy run was marked dead"


@contextmanager
def nobody_sweeps(loop: Loop) -> Iterator[None]:
    """Switch off what starts a sweep: its schedule and its automations."""
    (sweep,) = loop.http.post("deployments/filter", json={"deployments": {"name": {"any_": ["sweep"]}}}).json()
    found = loop.http.post("automations/filter", json={"limit": 200}).json()
    automations = [one["id"] for one in found if one["name"].startswith("sweep-on-")]
    assert automations

    def switch(*, on: bool) -> None:
        loop.http.patch(f"deployments/{sweep['id']}", json={"paused": not on}).raise_for_status()
        for one in automations:
            loop.http.patch(f"automations/{one}", json={"enabled": on}).raise_for_status()

    switch(on=False)
    try:
        yield
    finally:
        switch(on=True)


def test_without_a_sweep_what_was_killed_stays_lost(loop: Loop, measured: Measured) -> None:
    """What the other test shows is the sweep's work, and would not happen by itself."""
    measured.fault, measured.point = "kill -9 of Lambda, no sweep", "while it is taken in"
    with nobody_sweeps(loop):
        loop.drop("first.csv", csv(readings(0)))
        run = loop.first("ingest")
        claimed = partial(loop.keys, f"control/{loop.product}/deliveries/")
        assert victims.at(claimed, lambda: victims.environments(loop.cloud))
        assert victims.kill(victims.environments(loop.cloud))
        killed = time.monotonic()
        time.sleep(ALONE)
        assert (loop.run(run)["state_type"], loop.successor(run)) == ("RUNNING", None)
        assert loop.delivered() == {"claimed": 1}
    eventually("the end of the run", lambda: loop.ended(run))
    measured.terminal = time.monotonic() - killed
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet())
    measured.done = time.monotonic() - killed
    assert loop.delivered() == {"validated": 1}
