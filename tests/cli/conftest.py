"""A bucket of a test's own with records that the real code wrote, and the command line run in this process."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from lifecycle.batch import Reason, RowCounts, delivery_key
from lifecycle.challenge import Challenge, Judgement, Recorder
from lifecycle.control import Actor, Contender, promote, settle
from lifecycle.delivery import Delivery, DeliveryState
from lifecycle.events import delivery_id
from tasks import control, ledger, objects
from tests.conftest import Aws

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRODUCT_YAML = """
name: parcels
task: binary
grain: [id]
time: at
columns:
  - {name: id, type: long}
  - {name: at, type: datetime}
  - {name: weight, type: double}
  - {name: late, type: boolean, input: false}
target: {column: late}
features: {numbers: [weight]}
evaluation: {metric: auc, floors: {auc: 0.5}}
release: { without_traffic: release }
"""


@dataclass(frozen=True)
class Ran:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `tropism …` in this process."""

    def runs(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        found = capfd.readouterr()
        return Ran(code, found.out, found.err)

    return runs


def empty_root(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a folder with one product, and an environment that names nothing else."""
    (folder / "products" / "parcels" / "sample").mkdir(parents=True)
    (folder / "products" / "parcels" / "product.yaml").write_text(PRODUCT_YAML)
    (folder / "expectations").mkdir()
    for name in [name for name in os.environ if name.startswith(("TROPISM_", "PREFECT_", "MLFLOW_"))]:
        patch.delenv(name)
    patch.setenv("TROPISM_ROOT", str(folder))
    patch.setenv("TROPISM_HOME", str(folder / "home"))
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one product; nothing is configured and nothing runs."""
    return empty_root(tmp_path, monkeypatch)


@dataclass
class World:
    """A bucket, and what happened in it."""

    aws: Aws
    bucket: str
    root: Path
    product: str = "parcels"
    _count: int = field(default=0)

    def delivered(
        self,
        name: str,
        state: DeliveryState = "validated",
        batch_id: str = "ab" * 32,
        rows: tuple[int, int, int] | None = (100, 100, 0),
        reasons: tuple[Reason, ...] = (),
    ) -> Delivery:
        """Record what became of a delivery."""
        self._count += 1
        key = f"landing/{self.product}/{name}"
        record = Delivery(
            product=self.product,
            delivery_id=delivery_id(self.bucket, key, f"v{self._count}"),
            key=key,
            object_version=f"v{self._count}",
            etag="e",
            state=state,
            owner=f"run-{self._count}",
            claimed_at=NOW.replace(minute=self._count),
            ended_at=None if state == "claimed" else NOW.replace(minute=self._count, second=30),
            batch_id=None if state == "claimed" else batch_id,
            rows=RowCounts(*rows) if rows and state != "claimed" else None,
            reasons=reasons,
        )
        self.record(record)
        return record

    def record(self, record: Delivery) -> None:
        """Write a record of a delivery where the ingest flow writes it."""
        key = delivery_key(record.product, record.delivery_id)
        assert objects.create(self.bucket, key, record.model_dump_json().encode()) is not None

    def challenged(self, version: str | None, batches: tuple[str, ...], **changes: Any) -> Challenge:
        """Record a training as the train flow does: the decision beside the model, and the ledger's entry."""
        found = self.challenge(batches, **changes)
        objects.create(
            self.bucket,
            f"mlflow/{self.product}/{found.mlflow_run}/artifacts/decision.json",
            found.model_dump_json().encode(),
        )
        by = Recorder(actor="train", cause="batch.validated", now=NOW)
        ledger.append(self.bucket, self.product, found.entry(version, by))
        return found

    def challenge(self, batches: tuple[str, ...], **changes: Any) -> Challenge:
        """Return what a training decided; without changes, that the first model may serve."""
        self._count += 1
        made: dict[str, Any] = {
            "product": self.product,
            "train_key": f"key-{self._count}",
            "snapshot": "5" * 64,
            "batches": batches,
            "mlflow_run": f"mlflow-{self._count}",
            "verdict": "promote",
            "reasons": (Reason("NO_CHAMPION", None, "no champion", "floors only"),),
            "judgement": Judgement(metric="auc", challenger=0.7),
            "bundle": f"{self._count:064x}",
        }
        return Challenge(**{**made, **changes})

    def promoted(self, version: str, bundle: str = "c" * 64, function_version: str = "2") -> Contender:
        """Make a model the champion as the release flow does: the record, the ledger's entry, settled."""
        by = Actor("release", NOW, "model.challenged")
        contender = Contender(
            model_version=version,
            bundle=bundle,
            function_version=function_version,
            mlflow_run=f"mlflow-{version}",
            since=NOW,
            reason=f"Model {version} is better.",
        )
        held = control.write(
            self.bucket, (read := control.read(self.bucket, self.product)), promote(read.record, contender, by)
        )
        assert held.record.decision is not None
        ledger.append(self.bucket, self.product, held.record.decision)
        control.write(self.bucket, held, settle(held.record, by))
        return contender


def account(aws: Aws, root: Path, patch: pytest.MonkeyPatch) -> World:
    """Make an account with one empty bucket; its Prefect does not answer."""
    bucket = aws.bucket()
    patch.setenv("TROPISM_BUCKET", bucket)
    patch.setenv("TROPISM_FUNCTION_PREFIX", f"t{bucket[-8:]}")
    patch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")  # the discard port: nothing listens there
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
    return World(aws, bucket, root)


@pytest.fixture
def world(aws: Aws, root: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with one empty bucket, and one product that nothing was ever delivered to."""
    return account(aws, root, monkeypatch)
