"""A product with two published versions whose code really runs, and a log, metrics and alarms to be put beside them."""

from __future__ import annotations

import gzip
import io
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from lifecycle.control import Contender
from lifecycle.manifest import Release
from lifecycle.predictions import Prediction, partition
from lifecycle.profiles import Holdout, Numbers, Reference
from lifecycle.settings import Settings
from tasks import function_versions
from tasks.packages import pack
from tests.conftest import REPO, Aws
from tests.evidence.records import EDGES
from tests.predict.conftest import Loans, rich_spec, train

REFERENCE = Reference(
    format=2,
    rows=400,
    numbers={},
    categories={},
    importance={"amount": 1.0},
    scores=Numbers(edges=EDGES, counts=(100,) * 4, missing=0),
    holdout=Holdout(rows=400, base=0.5, calibration_error=0.0, labels=(10.0, 30.0, 60.0, 90.0)),
    metrics={"auc": 0.8},
)
BOOTSTRAP = f"""#!/bin/sh
export PYTHONPATH={REPO}
exec {REPO}/.venv/bin/python -m awslambdaric functions.predict.entry.handler
"""


@dataclass(frozen=True)
class Place:
    """One product's function, its bucket, and the model of both its versions."""

    aws: Aws
    settings: Settings
    model: Loans = field(repr=False)
    champion: Contender
    challenger: Contender
    product: str = "loans"

    @property
    def bucket(self) -> str:
        return self.settings.bucket

    @property
    def function(self) -> str:
        return self.settings.predict_function(self.product)

    def deliver(self, *records: Prediction, name: str | None = None, at: datetime | None = None) -> str:
        """Put records into the log as a delivery stream does, and return the object's key."""
        lines = "\n".join(record.model_dump_json() for record in records) + "\n"
        key = partition(self.product, at or datetime.now(UTC)) + (name or uuid.uuid4().hex)
        self.aws.s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(lines.encode()))
        return key

    def measure(self, metric: str, version: str | None, minutes: Iterable[tuple[datetime, float]]) -> None:
        """Put what Lambda itself would count behind the alias."""
        named = {"FunctionName": self.function, "Resource": f"{self.function}:live"}
        named |= {} if version is None else {"ExecutedVersion": version}
        data = [
            {
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in named.items()],
                "Timestamp": at,
                "Value": value,
            }
            for at, value in minutes
        ]
        client: Any = boto3.session.Session().client("cloudwatch")
        client.put_metric_data(Namespace="AWS/Lambda", MetricData=data)
        client.close()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Loans:
    """A small model whose bundle has a profile to compare scores with."""
    return train(tmp_path_factory.mktemp("loans"), rich_spec(), "binary", REFERENCE.model_dump_json())


@pytest.fixture
def place(aws: Aws, model: Loans) -> Iterator[Place]:
    """A function of this test's own with two published versions of the model: the champion's, then the challenger's."""
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": f"t{uuid.uuid4().hex[:8]}"})
    client = boto3.session.Session().client("lambda")
    function = settings.predict_function("loans")
    client.create_function(
        FunctionName=function,
        Role="arn:aws:iam::000000000000:role/predict",
        Runtime="provided.al2023",
        Handler="functions.predict.entry.handler",
        MemorySize=512,
        Timeout=20,
        Code={"ZipFile": _code()},
    )
    champion, challenger = (_contender(settings, function, model, version) for version in ("3", "4"))
    yield Place(aws, settings, model, champion, challenger)
    client.delete_function(FunctionName=function)
    client.close()


def _contender(settings: Settings, function: str, model: Loans, version: str) -> Contender:
    package = pack(_code(), model.root / "bundle", Release(version, "2026-01-01T00:00:00+00:00"))
    made = function_versions.publish(settings.bucket, function, package)
    bundle = function_versions.bundle_of(settings.bucket, function, made.number)
    return Contender(
        model_version=version,
        bundle=bundle.digest,
        function_version=made.number,
        mlflow_run=f"run-{version}",
        since=datetime.now(UTC) - timedelta(hours=2),
        reason="It is better.",
    )


def _code() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o100755 << 16
        archive.writestr(info, BOOTSTRAP)
    return out.getvalue()
