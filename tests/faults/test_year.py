"""Months of flights through the endpoint, labels a week late: better answers, and a ledger that is exact.

Two months by default. TROPISM_YEAR_UNTIL=12 plays the year, as `benchmarks/year.py` does in a cloud of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from benchmarks.year import PRODUCT, Plan, furnish, play
from benchmarks.year_figures import LEAST_GAIN
from benchmarks.year_page import counted
from localcloud.address import LocalCloud
from tests.faults.conftest import Measured
from tests.faults.loop import Loop, eventually

pytestmark = [pytest.mark.faults, pytest.mark.localcloud]
MONTHS = range(2, 1 + int(os.environ.get("TROPISM_YEAR_UNTIL", "3")))
WHOLE_YEAR = 11
AUTOMATION = "AUTOMATION"


@pytest.fixture
def flights(sensors_cloud: LocalCloud, house: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """The product as it ships, watched at the pace of a play-back; it is taken away when all its runs have ended."""
    furnish(house)
    for name, value in sensors_cloud.environment().items():
        monkeypatch.setenv(name, value)
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=sensors_cloud.aws_endpoint_url)
    with httpx.Client(base_url=sensors_cloud.prefect_api_url + "/", timeout=30) as http:
        made = Loop(sensors_cloud, PRODUCT, s3, http)
        yield made
        eventually("the end of every run", made.quiet)
    s3.close()
    shutil.rmtree(house / "products" / PRODUCT)


def test_the_loop_answers_better_than_the_first_model_and_each_final_performance_is_exact(
    flights: Loop, house: Path, tmp_path: Path, measured: Measured
) -> None:
    measured.fault, measured.point = "the year goes on", f"{len(MONTHS)} months, labels a week late"
    found = play(flights.cloud, house, tmp_path, Plan(MONTHS))
    year, measured.done = found.year, found.seconds
    mean = year.mean
    measured.found = f"AUC {mean.loop:.3f}, first model {mean.static:.3f}; {counted(year.challenges)}"
    assert found.said["deliveries"] == {"validated": 2 * len(MONTHS)}
    assert found.said["refused"] == 0
    assert year.odd == 0  # until the first retraining the endpoint answers what the January bundle says
    assert len(year.windows) > 0
    assert [one.told for one in year.windows] == [one.again for one in year.windows]
    assert mean.gain >= (LEAST_GAIN if len(MONTHS) == WHOLE_YEAR else 0.0)
    starters = {
        flow: {(run["created_by"] or {}).get("type") for run in flights.runs(flow)} for flow in ("ingest", "train")
    }
    assert starters == {"ingest": {AUTOMATION}, "train": {AUTOMATION}}
    page = flights.s3.get_object(Bucket=flights.cloud.bucket, Key=f"reports/{PRODUCT}/index.html")["Body"].read()
    for title in (b"Realised auc", b"Improvement over the champion", b"Drift over time"):
        assert title in page
