"""Thousands of requests with the log's delivery stream gone for a third of them: a record for every answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lifecycle.manifest import Release
from lifecycle.serving import Serving
from lifecycle.settings import Settings
from tasks import function_versions, moulds, packages
from tasks.clients import lambda_client
from tests.faults import victims
from tests.faults.conftest import Measured
from tests.faults.drops import csv, readings
from tests.faults.loop import Loop, eventually
from tests.predictions.outage import Endpoint, body_of, judge, through

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
REQUESTS = int(os.environ.get("TROPISM_OUTAGE_REQUESTS", "20000"))
THREADS = 4
GROWTH_MB = 100
"""20,000 requests took 22 MB, traces of the calls and metrics among them; a kept record each would take 100."""
ROW = {"site": "north", "temperature": 71.5, "vibration": 2.1, "load": 0.6}


@pytest.fixture
def asked(loop: Loop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Endpoint:
    """A product whose first model was trained and released by the loop, and a second version of its function."""
    for name, value in loop.cloud.environment().items():
        monkeypatch.setenv(name, value)
    loop.drop("first.csv", csv(readings(0)))
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet(challenges=1))
    settings = Settings()
    function = settings.predict_function(loop.product)
    champion = lambda_client().get_alias(FunctionName=function, Name="live")["FunctionVersion"]
    location = lambda_client().get_function(FunctionName=function, Qualifier=champion)["Code"]["Location"]
    packages.unpack(httpx.get(location, timeout=60).raise_for_status().content, tmp_path)
    other = packages.pack(
        moulds.mould_code(settings),
        tmp_path / packages.FOLDER,
        Release("2", "2026-03-01T00:00:00+00:00"),
        packages.Extras(Serving(features="digest")),
    )
    challenger = function_versions.publish(settings.bucket, function, other).number
    return Endpoint(settings, loop.product, champion, challenger, body_of(ROW))


@contextmanager
def nobody_repairs(loop: Loop) -> Iterator[None]:
    """Pause the sweep: it would take back an alias that was moved by hand."""
    found = loop.http.post("deployments/filter", json={"deployments": {"name": {"any_": ["sweep"]}}}).json()
    (sweep,) = [one["id"] for one in found]
    loop.http.patch(f"deployments/{sweep}", json={"paused": True}).raise_for_status()
    try:
        yield
    finally:
        loop.http.patch(f"deployments/{sweep}", json={"paused": False}).raise_for_status()


def megabytes(loop: Loop) -> int:
    """What the emulator has in memory, without the functions it runs."""
    return min(victims.service(loop.cloud, "emulator"), key=lambda one: one.pid).memory_info().rss >> 20


def test_every_answer_has_its_record_although_the_stream_was_gone(
    loop: Loop, asked: Endpoint, measured: Measured
) -> None:
    measured.fault, measured.point = "delivery stream deleted", f"35 to 65 % of {REQUESTS} requests"
    before = megabytes(loop)
    with nobody_repairs(loop):
        outcome = through(asked, wanted=REQUESTS, threads=THREADS)
        outcome.alias.split(0)
    measured.terminal, measured.done = outcome.asking, outcome.asking + outcome.recovery
    rate = len(outcome.answers) / outcome.asking
    measured.found = json.dumps(
        {
            "answers": len(outcome.answers),
            "records": len({record.request_id for record in outcome.records}),
            "outage": round(outcome.outage, 1),
            "recovery": round(outcome.recovery, 1),
            "per second": round(rate),
            "objects": outcome.tally.objects,
            "repeats": outcome.tally.repeats,
            "emulator MB": [before, after := megabytes(loop)],
        }
    )
    judge(outcome, wanted=REQUESTS)
    assert after - before < GROWTH_MB
