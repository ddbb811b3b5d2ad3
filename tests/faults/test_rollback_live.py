"""A step back while people ask without a pause: no request fails, whatever of the rest of the system is there.

What counts is what callers are answered. No time is asserted: how many seconds it took stands in the table.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from flows.going_back import roll_back
from lifecycle.eligibility import served
from localcloud import supervision
from localcloud.address import LocalCloud
from tasks import function_versions, ledger, packages
from tasks.clients import s3
from tests.faults.conftest import Measured, product_on
from tests.faults.loop import eventually
from tests.faults.models import Fault
from tests.faults.stage import Ran, Stage, staged
from tests.faults.stream import Stream

pytestmark = [
    pytest.mark.faults,
    pytest.mark.localcloud,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
PAUSE = 0.05
BUNDLE_REFUSED = 13


@pytest.fixture(scope="module")
def built(sensors_cloud: LocalCloud, house: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A product whose model 2 serves after model 1; nobody had asked for either."""
    with (
        product_on(sensors_cloud, house, without_traffic="release", deadline="11m") as loop,
        staged(loop, tmp_path_factory.mktemp("stage")) as made,
    ):
        made.promoted(Fault())
        made.promoted(Fault(salt=0.001))
        yield made


@pytest.fixture
def stage(built: Stage) -> Stage:
    """The same, model 2 serving, and everything at peace."""
    if built.champion != "2":
        roll_back(built.product, "the next test", to="2", request=uuid.uuid4().hex)
    eventually("peace", lambda: built.record.release is None and built.loop.serving() == "2")
    return built


@contextmanager
def away(stage: Stage) -> Iterator[None]:
    """Stop the Prefect server, and put MLflow's database out of reach, until left."""
    cloud = stage.loop.cloud
    store = cloud.home.path / "mlflow.db"
    kept = store.with_suffix(".away")
    supervision.stop(cloud, "prefect")
    store.rename(kept)
    store.mkdir()
    try:
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{cloud.prefect_api_url}/health", timeout=5)
        yield
    finally:
        store.rmdir()
        kept.rename(store)
        supervision.start(cloud, "prefect")
        eventually("Prefect", lambda: stage.loop.http.get("health").status_code == httpx.codes.OK)


@contextmanager
def corrupted(stage: Stage, model: str) -> Iterator[None]:
    """Turn a byte of the code that a model's version was published from, until left."""
    number = served(ledger.entries(stage.house.bucket, stage.product))[model].function_version
    (version,) = [one for one in function_versions.published(stage.house.function) if one.number == number]
    key = function_versions.code_key(stage.house.function, packages.to_sha256(version.code_sha256))
    intact = s3().get_object(Bucket=stage.house.bucket, Key=key)["Body"].read()
    middle = len(intact) // 2
    broken = intact[:middle] + bytes([intact[middle] ^ 1]) + intact[middle + 1 :]
    s3().put_object(Bucket=stage.house.bucket, Key=key, Body=broken)
    try:
        yield
    finally:
        s3().put_object(Bucket=stage.house.bucket, Key=key, Body=intact)


def step_back(stage: Stage) -> tuple[Ran, Stream]:
    """Give the command while callers ask, from before it until after."""
    with stage.stream(pause=PAUSE) as stream:
        stream.reach(50)
        ran = stage.tropism("rollback", stage.product, "--reason", "people complain", "--json")
        stream.reach(50)
    return ran, stream


def seconds(ran: Ran, stream: Stream, to: str) -> float:
    """Return how long after the command callers got answers of `to` alone."""
    first = next(one.ended for one in stream.answers if one.model == to)
    last = max((one.ended for one in stream.answers if one.model != to and one.ended > ran.began), default=first)
    return max(first, last) - ran.began


def test_a_step_back_costs_nobody_an_answer(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "rollback", "while people ask"
    ran, stream = step_back(stage)
    assert ran.code == 0, ran.err
    proven(stage, ran, stream, measured)
    eventually("everything having followed", lambda: stage.record.release is None)


def test_a_corrupted_target_is_refused_and_what_serves_goes_on(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "rollback", "the previous bundle is corrupted"
    with corrupted(stage, "1"):
        ran, stream = step_back(stage)
    refused(stage, ran, stream)
    measured.found = json.loads(ran.err)["error"]["summary"]


def test_both_again_with_prefect_and_mlflow_away(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "rollback", "Prefect's server stopped, MLflow's database gone"
    with away(stage):
        with corrupted(stage, "1"):
            refused(stage, *step_back(stage))
        ran, stream = step_back(stage)
        assert ran.code == 0, ran.err
        proven(stage, ran, stream, measured)
        assert ran.json["pending"] == ["model_alias", "event"]
        assert stage.record.release is not None
    eventually("the sweep bringing the rest along", lambda: stage.record.release is None)
    assert stage.answers() == {"1"}


def refused(stage: Stage, ran: Ran, stream: Stream) -> None:
    """Nothing has moved, and everybody was answered by what served."""
    assert ran.code == BUNDLE_REFUSED, ran.err
    assert "is not the code it was published from" in ran.err
    assert stream.failures == []
    assert set(stream.counted()) == {("2", 200)}
    assert (stage.champion, stage.record.release, stage.answers()) == ("2", None, {"2"})


def proven(stage: Stage, ran: Ran, stream: Stream, measured: Measured) -> None:
    """Everybody was answered: by the old model from some moment on, and by it alone."""
    assert stream.failures == []
    assert set(stream.counted()) == {("2", 200), ("1", 200)}
    assert {one.model for one in stream.since(ran.ended)} == {"1"}
    measured.terminal, measured.done = seconds(ran, stream, "1"), ran.ended - ran.began
    measured.found = f"{len(stream.answers)} answers, none failed"
    assert (stage.champion, stage.alias().extra, stage.answers()) == ("1", {}, {"1"})
    assert ran.json["endpoint"] == "1"
