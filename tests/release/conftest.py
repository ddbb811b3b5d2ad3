"""A mould whose versions really run, tiny models in real bundles, and a bucket of their own."""

import io
import json
import shutil
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import boto3
import numpy as np
import pytest
import xgboost
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import release
from flows.following import Work
from lifecycle import bundle
from lifecycle.batch import Reason
from lifecycle.challenge import Challenge, Judgement, Recorder
from lifecycle.columns import Column
from lifecycle.contract import Contract, Task
from lifecycle.control import Actor
from lifecycle.features import FeatureSpec, fit
from lifecycle.manifest import Lineage
from lifecycle.promotion import Verdict
from lifecycle.settings import Settings
from tasks import ledger, registry, tracking
from tasks.step import Step, directly
from tests.conftest import Aws

ROOT = Path(__file__).parents[2]
BOOTSTRAP = f"""#!/bin/sh
export PYTHONPATH={ROOT}
exec {ROOT}/.venv/bin/python -m awslambdaric functions.predict.entry.handler
"""
Made = Callable[..., Path]


@dataclass(frozen=True)
class House:
    """Where one test works: its own bucket, its own mould."""

    settings: Settings
    aws: Aws
    product: str

    @property
    def function(self) -> str:
        return self.settings.predict_function(self.product)

    @property
    def bucket(self) -> str:
        return self.settings.bucket


PLAN = {"steps": [50, 100], "bake_time": "2s", "tick": "1s", "min_requests": 30, "deadline": "10m"}


def describe(root: Path, product: str, **plan: Any) -> None:
    """Write down what a product is, and how its releases proceed."""
    folder = root / "products" / product
    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "products" / "flights" / "product.yaml").read_text(encoding="utf-8").partition("\nrelease:")[0]
    release = json.dumps({**PLAN, "without_traffic": "release", **plan})
    named = text.replace("name: flights", f"name: {product}")
    (folder / "product.yaml").write_text(f"{named}\nrelease: {release}\n", encoding="utf-8")


@contextmanager
def built(aws: Aws) -> Iterator[House]:
    """Make a bucket, a product and a mould; its functions are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="root-") as name:
        yield from _built(aws, Path(name))


def _built(aws: Aws, root: Path) -> Iterator[House]:
    prefix, product = f"t{uuid.uuid4().hex[:8]}", f"p{uuid.uuid4().hex[:8]}"
    describe(root, product)
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": prefix, "root": root})
    with closing(boto3.session.Session().client("sns")) as topics:
        topics.create_topic(Name=f"{prefix}-alarms")
    client = boto3.session.Session().client("lambda")
    client.create_function(
        FunctionName=f"{prefix}-predict",
        Role="arn:aws:iam::000000000000:role/predict",
        Tags={
            "tropism:delivery-role": "arn:aws:iam::000000000000:role/delivery",
            "tropism:subscription-role": "arn:aws:iam::000000000000:role/subscription",
        },
        Runtime="provided.al2023",
        Handler="functions.predict.entry.handler",
        MemorySize=512,
        Timeout=20,
        Environment={"Variables": {"STAGE": "test"}},
        Code={"ZipFile": code()},
    )
    yield House(settings, aws, product)
    for function in client.list_functions()["Functions"]:
        if function["FunctionName"].startswith(prefix):
            client.delete_function(FunctionName=function["FunctionName"])
    client.close()


@pytest.fixture
def house(aws: Aws) -> Iterator[House]:
    """A product of this test's own that nothing was released for."""
    with built(aws) as made:
        yield made


@pytest.fixture
def two(house: House, bundles: Made, listener: "Listener", registry_uri: str) -> House:
    """A product of this test's own whose model 2 serves after model 1."""
    assert registry_uri
    release_two(house, bundles)
    listener.events.clear()
    return house


@pytest.fixture(scope="module")
def settled(aws: Aws, bundles: Made, registry_uri: str) -> Iterator[House]:
    """The same, shared by the tests of a module that leave it as it was."""
    assert registry_uri
    with built(aws) as made:
        with hearing():
            release_two(made, bundles)
        yield made


def work(house: House, step: Step = directly, name: str = "test") -> Work:
    return Work(step, house.settings, house.product, Actor(name, datetime.now(UTC), "model.challenged"))


def release_two(house: House, bundles: Made) -> None:
    for version, champion in (("1", None), ("2", "1")):
        assert register(house, bundles(int(version), house.product), champion=champion) == version
        assert release.carry_out(work(house), version).state == "promoted"


@dataclass
class Listener:
    """A stand-in for Prefect's API. Answers POST /api/events with 204 and keeps the events; everything else is 404."""

    url: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Whoever listens to events, for the length of a test."""
    with hearing() as heard:
        yield heard


@contextmanager
def hearing() -> Iterator[Listener]:
    """Take the place of Prefect's API."""
    heard = Listener("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            known = self.path == "/api/events"
            if known:
                heard.events.extend(json.loads(body))
            self.send_response(204 if known else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        heard.url = f"http://127.0.0.1:{server.server_port}/api"
        with temporary_settings({PREFECT_API_URL: heard.url}):
            yield heard
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def registry_uri(session_environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model registry in a file; set for the session."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    session_environment.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def register(house: House, folder: Path, *, champion: str | None, verdict: str = "promote") -> str:
    """Register a bundle as a training does, and return its version."""
    key, product = uuid.uuid4().hex, house.product
    run = tracking.open_run(product, house.bucket, key, f"{product}-{key[:6]}")
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(folder, Path(name) / registry.BUNDLE_FOLDER)
        tracking.upload(run, Path(name))
    digest = bundle.load(folder).digest
    challenge = Challenge(
        product=product,
        train_key=key,
        snapshot="s" * 64,
        batches=("b" * 64,),
        mlflow_run=run.run_id,
        verdict=cast("Verdict", verdict),
        reasons=(Reason("better", None, "0.02", "at least 0.005"),),
        judgement=Judgement(metric="auc", challenger=0.72),
        champion=champion,
        bundle=digest,
    )
    tags = {registry.VERDICT: verdict, registry.DIGEST: digest, registry.DECISION: challenge.model_dump_json()}
    made = registry.register(product, run.run_id, tags, challenge.summary(None))
    tracking.finish_run(run)
    by = Recorder("train", "batch.validated", datetime.now(UTC))
    ledger.append(house.bucket, product, challenge.entry(made.version, by))
    return made.version


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make the bundle of a product's model; another seed is another model."""
    made: dict[tuple[int, str], Path] = {}

    def make(seed: int, product: str = "flights") -> Path:
        if (seed, product) not in made:
            made[seed, product] = tmp_path_factory.mktemp(f"bundle{seed}")
            write_bundle(made[seed, product], seed, product)
        return made[seed, product]

    return make


def code() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, BOOTSTRAP)
    return out.getvalue()


def write_bundle(folder: Path, seed: int, product: str) -> None:

    random = np.random.default_rng(seed)
    distance = random.uniform(100, 3000, 200)
    label = (distance + random.normal(0, 300, 200) > 1500).astype(float)
    spec = FeatureSpec(inputs=(Column("distance", "double"),), numbers=("distance",))
    features = fit(spec, {"distance": distance})
    matrix = xgboost.DMatrix(features.transform({"distance": distance}), label)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 2, "seed": seed, "nthread": 1}, matrix, 3)
    draft = bundle.Draft(
        model=bytes(booster.save_raw("ubj")),
        features=features,
        contract=Contract(product, Task("binary", ("0", "1")), spec.inputs),
        reference="{}",
        lineage=Lineage(snapshot="s" * 64, batches=("b" * 64,), rows=200, seed=seed),
    )
    bundle.write(folder, draft)
