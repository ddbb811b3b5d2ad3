"""A product whose model 3 serves from a published version, its batches, and the command line beside it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.main import main
from functions.predict import handler as entry
from lifecycle.batch import BatchManifest, EventTimes, RowCounts, StoredFile, SuiteUsed, batch_prefix
from lifecycle.control import Actor, promote, settle
from lifecycle.settings import Settings
from tasks import control, ledger, objects
from tests.evidence.conftest import Place, model, place
from tests.predict.conftest import Context

__all__ = ["model", "place"]

PRODUCT_YAML = """
name: loans
task: binary
grain: [id]
time: at
columns:
  - {name: id, type: long}
  - {name: amount, type: double, nullable: true}
  - {name: income, type: double, nullable: true}
  - {name: sched, type: long}
  - {name: new, type: boolean, nullable: true}
  - {name: purpose, type: string, nullable: true}
  - {name: at, type: datetime, nullable: true}
  - {name: late, type: boolean, input: false}
target: {column: late}
features: {numbers: [amount]}
evaluation: {metric: auc, floors: {auc: 0.5}}
"""
INPUTS = ("amount", "income", "sched", "new", "purpose", "at")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Ran:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class House(Place):
    """The place, with a champion."""

    def publish(self, table: pa.Table, name: str = "march.csv") -> str:
        """Put a validated batch where the ingest flow puts it, and return its id."""
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        body = sink.getvalue()
        batch_id = sha256(name.encode() + body).hexdigest()
        key = f"{batch_prefix('validated', self.product, batch_id)}data.parquet"
        put = self.aws.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        data = StoredFile(key=key, sha256=sha256(body).hexdigest(), size=len(body), object_version=put["VersionId"])
        manifest = BatchManifest(
            product=self.product,
            batch_id=batch_id,
            delivery_id="d1",
            key=f"landing/{self.product}/{name}",
            object_version="v1",
            etag="e",
            landed_at=NOW,
            flow_run="run",
            rows=RowCounts(table.num_rows, table.num_rows, 0),
            columns=(),
            event_times=EventTimes(column="at", first=None, last=None),
            suite=SuiteUsed(name="loans_raw", sha256="5" * 64),
            data=data,
        )
        objects.create(self.bucket, key.replace("data.parquet", "manifest.json"), manifest.model_dump_json().encode())
        return batch_id

    def keys(self, prefix: str) -> list[str]:
        return objects.keys(self.bucket, prefix, limit=1000)

    def table(self, key: str) -> pa.Table:
        return pq.read_table(io.BytesIO(self.aws.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()))


@pytest.fixture
def house(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """The place with a product file and a champion, and an environment that names both."""
    (tmp_path / "products" / "loans").mkdir(parents=True)
    (tmp_path / "products" / "loans" / "product.yaml").write_text(PRODUCT_YAML)
    settings = Settings.model_validate({**place.settings.model_dump(exclude_unset=True), "root": tmp_path})
    for name, value in (("BUCKET", place.bucket), ("FUNCTION_PREFIX", settings.function_prefix), ("ROOT", tmp_path)):
        monkeypatch.setenv(f"TROPISM_{name}", str(value))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    by = Actor("release", NOW, "model.challenged")
    held = control.read(place.bucket, "loans")
    held = control.write(place.bucket, held, promote(held.record, place.champion, by))
    assert held.record.decision is not None
    ledger.append(place.bucket, "loans", held.record.decision)
    control.write(place.bucket, held, settle(held.record, by))
    return House(place.aws, settings, place.model, place.champion, place.challenger)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `tropism …` in this process."""

    def runs(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        found = capfd.readouterr()
        return Ran(code, found.out, found.err)

    return runs


Ask = Callable[..., tuple[list[float], list[str]]]


@pytest.fixture
def ask(house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Ask]:
    """Ask the handler as the endpoint does; returns the predictions and the lines of log it wrote."""
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(house.model.root))
    entry._model.cache_clear()

    def asked(records: list[dict[str, Any]], request_id: str = "r1", **params: Any) -> tuple[list[float], list[str]]:
        body = {"dataframe_records": records, "params": params}
        event = {
            "version": "2.0",
            "rawPath": "/invocations",
            "headers": {"content-type": "application/json"},
            "requestContext": {"http": {"method": "POST", "path": "/invocations"}},
            "body": json.dumps(body),
            "isBase64Encoded": False,
        }
        capfd.readouterr()
        version = str(house.champion.function_version)
        answer: Any = entry.handler(event, replace(Context(), aws_request_id=request_id, function_version=version))
        lines = [line for line in capfd.readouterr().out.splitlines() if "prediction.answered" in line]
        said = json.loads(answer["body"])
        return said.get("predictions", []), lines

    yield asked
    entry._model.cache_clear()


def rows(number: int, seed: int = 11) -> pa.Table:
    """Return rows as ingest validates them, missing values and a level training never saw among them."""
    random = np.random.default_rng(seed)
    gone = random.random(number) < 0.1
    purpose = random.choice(np.array(["car", "home", "edu", "boat"]), number)
    at = np.datetime64("2013-01-01T00", "us") + random.integers(0, 1000, number) * np.timedelta64(3_600_000_017, "us")
    return pa.table(
        {
            "id": pa.array(np.arange(number) + 1000),
            "amount": pa.array(random.lognormal(9, 0.5, number), mask=gone),
            "income": pa.array(random.lognormal(10.5, 0.6, number)),
            "sched": pa.array(random.integers(0, 24, number) * 100),
            "new": pa.array(random.random(number) < 0.5),
            "purpose": pa.array(np.where(gone, None, purpose), pa.string()),
            "at": pa.array(at),
            "late": pa.array(random.random(number) < 0.5),
        }
    )


def as_request(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows as a caller sends them."""
    found = table.select(INPUTS).to_pylist()
    return [{**row, "at": row["at"].isoformat()} for row in found]
