"""What the laptop's cloud itself stands on is killed while a file is taken in; `up`, and the file ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import pytest

from localcloud import health
from localcloud.address import LocalCloud
from localcloud.processes import INSTANCE, members
from localcloud.up import up
from tests.faults import victims
from tests.faults.conftest import Measured
from tests.faults.drops import csv, readings
from tests.faults.loop import Loop, eventually

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
VICTIMS: dict[str, Callable[[LocalCloud], list[psutil.Process]]] = {
    "emulator": lambda cloud: victims.service(cloud, "emulator"),
    "engine": lambda cloud: victims.service(cloud, "engine"),
    "supervisor": victims.supervisor,
    "emulator and supervisor": lambda cloud: [*victims.supervisor(cloud), *victims.service(cloud, "emulator")],
    "everything": lambda cloud: members(INSTANCE, cloud.instance),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_file_ends_although_the_cloud_was_killed_under_it(loop: Loop, measured: Measured, victim: str) -> None:
    measured.fault, measured.point = f"kill -9 of {victim}", "once the delivery is claimed, then up"
    loop.drop("first.csv", csv(readings(0)))
    run = loop.first("ingest")
    eventually("the claim", lambda: loop.keys(f"control/{loop.product}/deliveries/"), every=0.005)
    found = VICTIMS[victim](loop.cloud)
    measured.found = f"was {dict(loop.delivered())}, {victims.kill(found)} processes"
    killed = time.monotonic()
    assert up(home=loop.cloud.home) == loop.cloud
    started = time.monotonic() - killed
    measured.found += f", up after {started:.1f}"
    assert all(health.statuses(loop.cloud).values())
    eventually("the end of the run", lambda: loop.ended(run))
    measured.terminal = time.monotonic() - killed
    eventually("the end of the file", lambda: loop.delivered() == {"validated": 1})
    eventually("a model that serves", lambda: loop.serving() == "1" and loop.quiet())
    measured.done = time.monotonic() - killed
    assert [one["rows"]["validated"] for one in loop.manifests()] == [3_000]
    assert [version for version, _ in loop.versions()] == ["1"]
    assert [one["action"] for one in loop.entries("challenge", "promote")] == ["challenge", "promote"]
