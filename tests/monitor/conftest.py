"""A product whose model answered requests that lie in a log, as a delivery stream leaves them."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from lifecycle import bundle as bundles
from lifecycle.bundle import Bundle
from lifecycle.columns import Column, is_missing
from lifecycle.contract import Contract, Task
from lifecycle.evaluation import Scorecard
from lifecycle.features import FeatureSpec, fit
from lifecycle.manifest import Lineage
from lifecycle.metrics import calibration_error, value
from lifecycle.predictions import Prediction, partition
from lifecycle.profiles import read
from lifecycle.reference import OnHoldout, profile
from lifecycle.settings import Settings
from lifecycle.watched import watched
from tasks.summaries import Model, Models
from tasks.training import gains
from tests.conftest import Aws

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPEC = FeatureSpec(
    inputs=(
        Column("amount", "double"),
        Column("income", "double"),
        Column("kind", "string"),
        Column("unused", "double"),
    ),
    numbers=("amount", "income", "unused"),
    categories={"kind": 8},
)
LINEAGE = Lineage(snapshot="s" * 64, batches=("b" * 64,), rows=4_000, seed=7)


@dataclass(frozen=True)
class Drawn:
    """Rows as columns, and their true labels."""

    columns: dict[str, Any]
    labels: np.ndarray[Any, np.dtype[np.float64]]


def draw(seed: int, rows: int, *, moved: float = 0.0, missing: float = 0.0, slope: float = 1.0) -> Drawn:
    random = np.random.default_rng(seed)
    amount, income = random.normal(moved, 1, rows), random.normal(0, 1, rows)
    kind = random.choice(["car", "home", "edu"], rows, p=[0.5, 0.3, 0.2]).astype(object)
    margin = slope * (1.5 * amount - income + 0.5 * (kind == "car"))
    labels = (random.random(rows) < 1 / (1 + np.exp(-margin))).astype(np.float64)
    amount[random.random(rows) < missing] = np.nan
    return Drawn({"amount": amount, "income": income, "kind": kind, "unused": random.normal(0, 1, rows)}, labels)


@dataclass(frozen=True)
class Shop:
    """A product with one model, and the place its log lies in."""

    aws: Aws
    settings: Settings
    bundle: Bundle
    model: xgboost.Booster = field(repr=False)
    product: str = "loans"

    @property
    def bucket(self) -> str:
        return self.settings.bucket

    @property
    def models(self) -> Models:
        """The model as found in the bundle of the record, without a function that it would be fetched from."""
        known = Models(self.bucket, self.settings.predict_function(self.product))
        known._known[self.bundle.digest] = Model(self.bundle, read(self.bundle.reference))
        return known

    def scores(self, rows: Drawn) -> list[float]:
        found = self.model.inplace_predict(self.bundle.features.transform(rows.columns))
        return [float(one) for one in found]

    def answered(self, rows: Drawn, at: datetime, *, per: int = 1, **changes: Any) -> list[Prediction]:
        """Return the records of requests of `per` rows each, a second apart."""
        names = tuple(rows.columns)
        plain = {name: [None if is_missing(one) else one for one in rows.columns[name].tolist()] for name in names}
        table = list(zip(*(plain[name] for name in names), strict=True))
        scores, made = self.scores(rows), []
        for start in range(0, len(table), per):
            fields: dict[str, Any] = {
                "event": "prediction.answered",
                "at": at + timedelta(seconds=start // per),
                "request_id": str(
                    uuid.UUID(int=np.random.default_rng([start, int(at.timestamp())]).bit_generator.random_raw())
                ),
                "product": self.product,
                "model_version": "1",
                "bundle": self.bundle.digest,
                "function_version": "1",
                "method": "POST",
                "path": "/invocations",
                "status": 200,
                "rows": len(table[start : start + per]),
                "columns": names,
                "features": table[start : start + per],
                "scores": scores[start : start + per],
                "latency_ms": 4.0,
            }
            made.append(Prediction.model_validate({**fields, **changes}))
        return made

    def deliver(self, records: Sequence[Prediction], at: datetime | None = None, name: str = "") -> str:
        """Put records into the log as delivered at a time, by default the first one's own; return the key."""
        lines = b"\n".join(json.dumps(record.model_dump(mode="json")).encode() for record in records) + b"\n"
        key = partition(self.product, at or records[0].at) + (name or uuid.uuid4().hex)
        self.aws.s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(lines))
        return key


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, xgboost.Booster]:
    return made(tmp_path_factory.mktemp("bundle"))


def made(place: Path) -> tuple[Bundle, xgboost.Booster]:
    """Make a small model with a genuine profile, its bundle in a place."""
    rows, held = draw(1, 4_000), draw(2, 2_000)
    features = fit(SPEC, rows.columns)
    data = xgboost.DMatrix(
        features.transform(rows.columns),
        rows.labels,
        feature_names=list(features.feature_names),
        feature_types=list(features.feature_types),
        enable_categorical=True,
    )
    parameters = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": 7}
    model = xgboost.train(parameters, data, 30)
    scores = np.asarray(model.inplace_predict(features.transform(held.columns)), dtype=np.float64)
    card = Scorecard(
        rows=len(scores),
        base=float(held.labels.mean()),
        metrics={name: value(name, held.labels, scores) for name in ("auc", "log_loss", "brier")},
        calibration_error=calibration_error(held.labels, scores),
    )
    content = bytes(model.save_raw("ubj"))
    gained = {name: share for name, share in gains(content).items() if name != "unused"}
    reference = profile(watched(features, rows.columns), OnHoldout(scores, held.labels, card), gained)
    folder = place / "bundle"
    contract = Contract("loans", Task("binary", ("0", "1")), SPEC.inputs, {"kind": features.levels["kind"]})
    bundles.write(folder, bundles.Draft(content, features, contract, reference, LINEAGE))
    return bundles.load(folder), model


@pytest.fixture
def shop(aws: Aws, trained: tuple[Bundle, xgboost.Booster], tmp_path: Path) -> Shop:
    return Shop(aws, Settings.model_validate({"bucket": aws.bucket(), "root": tmp_path}), *trained)
