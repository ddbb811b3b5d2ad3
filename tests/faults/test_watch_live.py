"""The whole loop by itself: a model serves, the world changes, labels say so, and a better model takes its place.

Nobody starts anything: files and labels are put into the bucket, requests are asked, and the rest is events. The same
requests in a world that stayed as it was have no consequence.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from localcloud.address import LocalCloud
from tasks import registry
from tests.faults.conftest import Measured, product_on
from tests.faults.drops import csv
from tests.faults.loop import Loop, eventually

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
ROWS, PER_REQUEST, MINUTE, DUE = 1_000, 10, 60.0, 45.0
AUTOMATION = "AUTOMATION"


def gauges(seed: int, rows: int, *, changed: bool = False) -> pd.DataFrame:
    """Return readings. `changed`: outflow goes against inflow, which is higher, and pressure means the opposite."""
    random = np.random.default_rng(seed)
    inflow, side = random.normal(0.8 if changed else 0.0, 1, rows), -1 if changed else 1
    outflow, pressure = side * inflow + random.normal(0, 0.25, rows), random.normal(0, 1, rows)
    wrong = random.random(rows) < 1 / (1 + np.exp(-2.5 * side * pressure))
    return pd.DataFrame({"inflow": inflow, "outflow": outflow, "pressure": pressure, "wrong": wrong.astype(int)}).round(
        6
    )


@dataclass
class World:
    """One product, its endpoint, and its label files."""

    loop: Loop

    @cached_property
    def url(self) -> str:
        cloud = self.loop.cloud
        function = f"{cloud.function_prefix}-predict-{self.loop.product}"
        where = f"{cloud.aws_endpoint_url}/2021-10-31/functions/{function}/url"
        found = httpx.get(where, params={"Qualifier": "live"}, timeout=30).raise_for_status().json()["FunctionUrl"]
        return f"{cloud.aws_endpoint_url}/_aws/lambda-url/{found.split('//')[1].split('.')[0]}/invocations"

    def ask(self, rows: pd.DataFrame) -> list[str]:
        """Ask for predictions within one minute of the clock; return their ids, one per row."""
        time.sleep(MINUTE - time.time() % MINUTE + 0.5)
        ids: list[str] = []
        with httpx.Client(timeout=60) as client:
            for start in range(0, len(rows), PER_REQUEST):
                ids += self._asked(client, rows[start : start + PER_REQUEST])["prediction_ids"]
        assert time.time() % MINUTE < MINUTE - 5, "the requests took more than their minute"
        return ids

    @contextmanager
    def asking(self, rows: pd.DataFrame) -> Iterator[None]:
        """Ask on and on, as callers do while a model is released."""
        over = threading.Event()

        def ask() -> None:
            with httpx.Client(timeout=60) as client:
                while not over.wait(0.05):
                    self._asked(client, rows.sample(PER_REQUEST))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def tell(self, ids: list[str], rows: pd.DataFrame) -> None:
        """Tell what came true: nearly all at once, the last ones when they are due."""
        cut = len(ids) - len(ids) // 20
        self._labels("first", ids[:cut], rows[:cut])
        time.sleep(MINUTE - time.time() % MINUTE + DUE + 1)
        self._labels("last", ids[cut:], rows[cut:])

    def looks(self) -> list[dict[str, Any]]:
        return [self.loop.json(key) for key in self.loop.keys(f"metrics/{self.loop.product}/looks/")]

    def final(self, since: datetime) -> dict[str, Any] | None:
        """The final performance of predictions made since a moment, once a look knows it."""
        told = (look["realised"] for look in self.looks() if look["realised"])
        return next(
            (one for one in told if one["state"] == "final" and one["since"] >= f"{since:%Y-%m-%dT%H:%M}"), None
        )

    def _labels(self, name: str, ids: list[str], rows: pd.DataFrame) -> None:
        body = pd.DataFrame({"prediction_id": ids, "label": rows["wrong"].tolist()}).to_csv(index=False).encode()
        key = f"labels/{self.loop.product}/{name}-{time.time_ns()}.csv"
        self.loop.s3.put_object(Bucket=self.loop.cloud.bucket, Key=key, Body=body)

    def _asked(self, client: httpx.Client, rows: pd.DataFrame) -> Any:
        given = rows.drop(columns="wrong")
        body = {"dataframe_split": {"columns": list(given), "data": given.to_numpy().tolist()}}
        answer = client.post(self.url, content=json.dumps(body), headers={"content-type": "application/json"})
        return answer.raise_for_status().json()


@pytest.fixture
def world(sensors_cloud: LocalCloud, house: Path) -> Iterator[World]:
    with product_on(sensors_cloud, house, template="meters") as loop:
        loop.drop("first.csv", csv(gauges(0, 3_000)))
        eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet(challenges=1))
        yield World(loop)


def test_a_changed_world_ends_in_a_better_model_and_an_unchanged_one_in_nothing(
    world: World, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured.fault, measured.point = "the world changes", "labels 45 s later"
    loop = world.loop
    nothing_follows(world)
    changed = gauges(2, ROWS, changed=True)
    began = time.monotonic()
    since = datetime.now(UTC)
    world.tell(world.ask(changed), changed)
    told = time.monotonic()
    with world.asking(changed):
        eventually("a better model that serves", lambda: loop.entries("promote")[1:], seconds=600)
        measured.done = time.monotonic() - told
    measured.terminal = told - began
    (answer,) = [entry for entry in loop.entries("respond") if entry["evidence"]["action"] == "retrain"]
    assert answer["evidence"]["cause"] == "performance"
    final = world.final(since)
    assert final is not None
    assert (final["labels"], final["value"] < 0.3) == (ROWS, True)
    (made,) = [entry for entry in loop.entries("challenge") if entry["cause"].startswith("respond ")]
    assert (made["cause"], made["evidence"]["verdict"]) == (f"respond {answer['evidence']['decision']}", "promote")
    assert loop.entries("promote")[-1]["to"] == made["to"] == loop.serving()
    assert len(loop.entries("step")) >= 2  # it took the requests in steps
    for name, value in loop.cloud.environment().items():
        monkeypatch.setenv(name, value)
    tags = registry.mlflow_client().get_model_version(loop.product, made["to"]).tags
    assert tags[registry.CAUSE] == made["cause"]
    starters = {
        flow: {(run["created_by"] or {}).get("type") for run in loop.runs(flow)}
        for flow in ("ingest", "train", "monitor", "respond")
    }
    assert starters == {flow: {AUTOMATION} for flow in starters}
    measured.found = f"AUC {final['value']:.2f} of {final['holdout']:.2f}; model {made['to']} serves"


def nothing_follows(world: World) -> None:
    """Ask and tell the truth in a world that is as it was: it is looked at, and nothing is answered or changed."""
    loop, rows, since = world.loop, gauges(1, ROWS), datetime.now(UTC)
    world.tell(world.ask(rows), rows)
    final = eventually("a look at what came true", lambda: world.final(since))
    assert abs(final["value"] - final["holdout"]) < 0.05
    eventually("what came true as training data", lambda: loop.entries("challenge")[1:])
    eventually("the end of that training", lambda: loop.quiet(challenges=2))
    assert loop.runs("respond") == []
    assert loop.entries("respond") == []
    assert (loop.serving(), len(loop.entries("promote"))) == ("1", 1)
