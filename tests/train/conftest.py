"""A small product that trains in a second, its batches as `ingest` publishes them, and an MLflow of its own."""

import hashlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.train import challenge
from lifecycle.batch import BatchManifest, ColumnSchema, EventTimes, RowCounts, StoredFile, SuiteUsed
from lifecycle.control import Actor, Contender, promote, settle
from lifecycle.events import Event
from lifecycle.settings import Settings
from tasks import control, registry
from tasks.claim import take_turn
from tests.conftest import Aws

PRODUCT = """
name: shop
task: binary
grain: [order]
time: at
columns:
  - { name: order, type: long, input: false }
  - { name: at, type: datetime, input: false }
  - { name: amount, type: double, nullable: true }
  - { name: weight, type: double }
  - { name: city, type: string, nullable: true }
  - { name: returned, type: long, nullable: true, input: false }
target: { column: returned }
features: { numbers: [amount, weight, ratio], categories: [city] }
training: { holdout_days: 5, min_rows: 300, min_holdout_rows: 50, max_rounds: 30, early_stopping_rounds: 5 }
evaluation: { metric: auc, floors: { auc: 0.55 }, slices: [city], min_slice_rows: 100 }
promotion: { resamples: 200 }
"""
HOOK = """
def derive(columns):
    return {"ratio": columns["amount"] / columns["weight"]}
"""
START = datetime(2013, 1, 1, tzinfo=UTC)
Change = Callable[[pd.DataFrame], pd.DataFrame]


# MLflow 3.17 and Prefect's server ask SQLAlchemy 2.1 for what goes away; it is theirs to change.
_VENDORS_OWN = "ignore::sqlalchemy.exc.SADeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(_VENDORS_OWN))


@dataclass
class Steps:
    """Carries steps out without Prefect; what would go to Prefect is kept instead. `fail` names a step to die in."""

    done: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def __call__(self, name: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.done.append(name)
        if name == "announce":
            self.events.append(args[0])
            return None
        if name == "show scorecard":
            self.pages.append(args[-1])
            return None
        return work(*args, **kwargs)


@dataclass(frozen=True)
class Shop:
    """Where one test works: its own bucket, folder and MLflow."""

    settings: Settings
    aws: Aws

    @property
    def bucket(self) -> str:
        return self.settings.bucket

    def edit(self, old: str, new: str) -> None:
        """Change product.yaml."""
        path = self.settings.products / "shop" / "product.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def publish(self, number: int, *, key: str = "", change: Change | None = None, rows: int = 700) -> str:
        """Publish the delivery of one fortnight as `ingest` would; return its batch id."""
        frame = orders(number, rows)
        buffer = io.BytesIO()
        table = pa.Table.from_pandas(frame if change is None else change(frame), preserve_index=False)
        pq.write_table(table, buffer, write_page_checksum=True)
        body = buffer.getvalue()
        batch_id = hashlib.sha256(body).hexdigest()
        data_key = f"validated/shop/{batch_id}/data.parquet"
        version = self.aws.s3.put_object(Bucket=self.bucket, Key=data_key, Body=body)["VersionId"]
        manifest = BatchManifest(
            product="shop",
            batch_id=batch_id,
            delivery_id=f"delivery-{number}",
            key=key or f"landing/shop/{number}.parquet",
            object_version="v1",
            etag="e",
            landed_at=START + timedelta(days=14 * number, minutes=len(body) % 50),
            flow_run="ingest-run",
            rows=RowCounts(table.num_rows, table.num_rows, 0),
            columns=tuple(ColumnSchema(name=name, type="double") for name in table.column_names),
            event_times=EventTimes(column="at", first=None, last=None),
            suite=SuiteUsed(name="shop_raw", sha256="5" * 64),
            data=StoredFile(key=data_key, sha256=batch_id, size=len(body), object_version=version),
        )
        self.aws.s3.put_object(
            Bucket=self.bucket,
            Key=f"validated/shop/{batch_id}/manifest.json",
            Body=manifest.model_dump_json().encode(),
        )
        return batch_id

    def train(self, steps: Steps | None = None) -> Steps:
        """Take the turn and train once, without Prefect."""
        steps = steps or Steps()
        take_turn(self.bucket, "shop", "run-1")
        challenge(self.settings, "shop", "batch.validated", "run-1", steps)
        return steps

    def crown(self, version: str) -> None:
        """Make a version the champion, as a release would."""
        found, now = registry.version_of("shop", version), datetime.now(UTC)
        contender = Contender(
            model_version=version,
            bundle=found.bundle,
            function_version=version,
            mlflow_run=found.mlflow_run,
            since=now,
            reason="test",
        )
        by = Actor("test", now)
        held = control.write(self.bucket, h := control.read(self.bucket, "shop"), promote(h.record, contender, by))
        control.write(self.bucket, held, settle(held.record, by))


def orders(number: int, rows: int = 700) -> pd.DataFrame:
    """Return a fortnight of orders; what the weight means turns around from the third fortnight on."""
    random = np.random.default_rng(number)
    amount, weight = random.lognormal(3, 1, rows), random.gamma(3, 2, rows)
    city = random.choice(["Ulm", "Köln", "Graz", None], rows, p=[0.4, 0.3, 0.2, 0.1])
    pull = 0.5 if number >= 2 else -0.5
    chance = 1 / (1 + np.exp(-(-1 + pull * (weight - 6) + 0.8 * (city == "Ulm"))))
    seconds = np.sort(random.uniform(0, 14 * 86400, rows)).astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "order": np.arange(rows) + 100_000 * number,
            "at": np.datetime64("2013-01-01", "us") + np.timedelta64(14 * number, "D") + seconds,
            "amount": np.where(random.random(rows) < 0.05, np.nan, amount),
            "weight": weight,
            "city": city,
            "returned": (random.random(rows) < chance).astype("int64"),
        }
    )


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables made, which takes seconds; tests work on copies."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        registry.mlflow_client().search_experiments()
    return path


@pytest.fixture
def shop(aws: Aws, tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The product in a folder, a bucket and a store of this test's own."""
    folder = tmp_path / "products" / "shop"
    folder.mkdir(parents=True)
    (folder / "product.yaml").write_text(PRODUCT)
    (folder / "features.py").write_text(HOOK)
    (tmp_path / "expectations").mkdir()
    store = shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    return Shop(Settings.model_validate({"bucket": aws.bucket(), "root": tmp_path}), aws)
