"""Twenty files at once while what stands between the bucket and the flows is killed: each ends once, rows add up."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.faults import victims
from tests.faults.conftest import Measured
from tests.faults.drops import csv, readings
from tests.faults.loop import Loop, eventually

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
GOOD, DIRTY, REPEATED, BROKEN = range(10), range(10, 12), range(4), range(12, 16)
SPOILT = 7  # rows of a dirty file that no machine can have sent


def files() -> dict[str, bytes]:
    """Ten good files, two with a few bad rows, four of the good ones again, and four that nobody can use."""
    good = {f"good {number}.csv": csv(readings(number, rows=1_500)) for number in GOOD}
    dirty = {f"dirty+{number}.csv": csv(readings(number, rows=1_500, broken=SPOILT)) for number in DIRTY}
    again = {f"again %{number}.csv": good[f"good {number}.csv"] for number in REPEATED}
    few = {f"few {number}.csv": csv(readings(number, rows=100)) for number in BROKEN[:2]}
    cut = {f"cut {number}.parquet": b"PAR1" + csv(readings(number, rows=500)) for number in BROKEN[2:]}
    return {**good, **dirty, **again, **few, **cut}


def test_every_file_of_a_burst_ends_once(loop: Loop, measured: Measured) -> None:
    measured.fault, measured.point = "20 files; bridge and Prefect killed", "after 1 and after 3 ends"
    dropped = files()
    assert len(dropped) == 20
    began = time.monotonic()
    for name, body in dropped.items():
        loop.drop(name, body)
    bridges = eventually("a bridge at work", lambda: victims.kill(victims.bridge(loop.cloud)), seconds=30, every=0.01)
    eventually("a first end", lambda: sum(loop.delivered().values()) >= 1)
    killed = victims.kill(victims.service(loop.cloud, "prefect"))
    bridges += victims.kill(victims.bridge(loop.cloud))
    eventually("more ends", lambda: sum(loop.delivered().values()) >= 3)
    bridges += victims.kill(victims.bridge(loop.cloud))
    measured.found = f"killed {bridges} bridge and {killed} server processes;"
    eventually("twenty ends", lambda: sum(loop.delivered().values()) == 20 and "claimed" not in loop.delivered())
    measured.terminal = time.monotonic() - began
    eventually("quiet", lambda: loop.quiet(challenges=1))
    eventually("a training of everything", lambda: trained(loop))
    measured.done = time.monotonic() - began

    assert loop.delivered() == {"validated": 12, "duplicate": 4, "quarantined": 4}
    assert Counter(record["key"] for record in loop.deliveries()) == Counter(
        f"landing/{loop.product}/{name}" for name in dropped
    )
    assert loop.keys(f"landing/{loop.product}/") == []
    rows = Counter(one["rows"]["validated"] for one in loop.manifests())
    assert rows == {1_500: 10, 1_500 - SPOILT: 2}
    counted = [record["rows"] for record in loop.deliveries() if record["state"] == "validated"]
    assert [one["received"] - one["validated"] - one["quarantined"] for one in counted] == [0] * 12
    assert sum(one["validated"] for one in counted) == 12 * 1_500 - 2 * SPOILT
    assert len(loop.quarantined()) == 4
    made = [entry["to"] for entry in loop.entries("challenge") if entry["to"] is not None]
    assert Counter(made) == Counter(version for version, _ in loop.versions())
    measured.found += f" {dict(loop.delivered())}, {len(made)} versions"


def trained(loop: Loop) -> bool:
    """Whether the last training saw every validated batch, and nobody has anything left to do."""
    last = loop.entries("challenge")[-1:]
    seen = set(last[0]["evidence"]["batches"].split(",")) if last else set()
    wanted = {manifest["batch_id"][:12] for manifest in loop.manifests()}
    return seen == wanted and loop.quiet()
