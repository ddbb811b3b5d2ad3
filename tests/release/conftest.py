"""A mould whose versions really run, tiny models in real bundles, and a bucket of their own."""

import io
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import numpy as np
import pytest
import xgboost

from lifecycle import bundle
from lifecycle.columns import Column
from lifecycle.contract import Contract, Task
from lifecycle.features import FeatureSpec, fit
from lifecycle.manifest import Lineage
from lifecycle.settings import Settings
from tests.conftest import Aws

ROOT = Path(__file__).parents[2]
BOOTSTRAP = f"""#!/bin/sh
export PYTHONPATH={ROOT}
exec {ROOT}/.venv/bin/python -m awslambdaric functions.predict.handler.handler
"""
Made = Callable[[int], Path]


@dataclass(frozen=True)
class House:
    """Where one test works: its own bucket, its own mould."""

    settings: Settings
    aws: Aws

    @property
    def bucket(self) -> str:
        return self.settings.bucket


@pytest.fixture
def house(aws: Aws) -> Iterator[House]:
    """A bucket and a mould of this test's own; its functions are removed afterwards."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": prefix, "root": ROOT})
    client = boto3.session.Session().client("lambda")
    client.create_function(
        FunctionName=f"{prefix}-predict",
        Role="arn:aws:iam::000000000000:role/predict",
        Runtime="provided.al2023",
        Handler="functions.predict.handler.handler",
        MemorySize=512,
        Timeout=20,
        Environment={"Variables": {"STAGE": "test"}},
        Code={"ZipFile": code()},
    )
    yield House(settings, aws)
    for function in client.list_functions()["Functions"]:
        if function["FunctionName"].startswith(prefix):
            client.delete_function(FunctionName=function["FunctionName"])
    client.close()


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make the bundle of a model; another seed is another model."""
    made: dict[int, Path] = {}

    def make(seed: int) -> Path:
        if seed not in made:
            made[seed] = tmp_path_factory.mktemp(f"bundle{seed}")
            write_bundle(made[seed], seed)
        return made[seed]

    return make


def code() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, BOOTSTRAP)
    return out.getvalue()


def write_bundle(folder: Path, seed: int) -> None:

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
        contract=Contract("flights", Task("binary", ("0", "1")), spec.inputs),
        reference="{}",
        lineage=Lineage(snapshot="s" * 64, batches=("b" * 64,), rows=200, seed=seed),
    )
    bundle.write(folder, draft)
