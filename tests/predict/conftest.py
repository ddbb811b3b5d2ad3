"""Small real models in real bundles, and the handler called as Lambda calls it."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from functions.predict import handler as entry
from lifecycle import bundle
from lifecycle.columns import Column, Columns
from lifecycle.contract import Contract, Task, TaskKind
from lifecycle.features import FeatureSpec, FittedFeatures, fit
from lifecycle.manifest import Lineage, Release
from lifecycle.serving import FILE, Serving

# Before MLflow is imported by any of these tests.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

LINEAGE = Lineage(snapshot="s" * 64, batches=("b" * 64,), rows=600, seed=7)
OBJECTIVES: dict[TaskKind, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "regression": {"objective": "reg:squarederror"},
    "multiclass": {"objective": "multi:softprob", "num_class": 3},
}
CLASSES: dict[TaskKind, tuple[str, ...]] = {"binary": ("0", "1"), "regression": (), "multiclass": ("a", "b", "c")}
HOOK = """
import numpy as np

def derive(columns):
    return {"hour": columns["sched"] // 100, "share": columns["amount"] / columns["income"]}
"""


@dataclass(frozen=True)
class Loans:
    """A trained model, its bundle in `root`/bundle, and what it was trained on."""

    root: Path
    booster: xgboost.Booster
    features: FittedFeatures
    contract: Contract
    columns: Columns


@dataclass(frozen=True)
class Context:
    """What Lambda passes beside the event."""

    aws_request_id: str = "11111111-2222-3333-4444-555555555555"
    function_version: str = "7"


@dataclass(frozen=True)
class Answered:
    """An answer read back: its body parsed."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


Ask = Callable[..., Answered]


@pytest.fixture(scope="session")
def numeric(tmp_path_factory: pytest.TempPathFactory) -> Loans:
    """Three numbers, no hook: what MLflow's own scoring server can serve too."""
    spec = FeatureSpec(
        inputs=(Column("amount", "double"), Column("income", "double"), Column("term", "long")),
        numbers=("amount", "income", "term"),
    )
    return train(tmp_path_factory.mktemp("numeric"), spec, "binary")


@pytest.fixture(scope="session")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Loans:
    """Every type of column, a category, a hook, an optional column."""
    return train(tmp_path_factory.mktemp("loans"), rich_spec(), "binary")


@pytest.fixture(scope="session", params=["binary", "regression", "multiclass"])
def any_task(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loans:
    """The rich columns under each kind of task."""
    return train(tmp_path_factory.mktemp(request.param), rich_spec(), request.param)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Call the handler with a function URL's event, as the bundle in `root` would be served."""

    def ask_(
        root: Path, body: Any = None, path: str = "/invocations", method: str = "POST", **headers: str
    ) -> Answered:
        monkeypatch.setenv("LAMBDA_TASK_ROOT", str(root))
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        event = {
            "version": "2.0",
            "rawPath": path,
            "headers": {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()},
            "requestContext": {"http": {"method": method, "path": path}},
            "body": text,
            "isBase64Encoded": False,
        }
        out: Any = entry.handler(event, Context())
        return Answered(out["statusCode"], json.loads(out["body"]), out["headers"])

    entry._model.cache_clear()
    yield ask_
    entry._model.cache_clear()


def rich_spec() -> FeatureSpec:
    return FeatureSpec(
        inputs=(
            Column("amount", "double"),
            Column("income", "double"),
            Column("sched", "long", nullable=False),
            Column("new", "boolean"),
            Column("purpose", "string"),
            Column("at", "datetime", required=False),
        ),
        numbers=("amount", "income", "new", "hour", "share"),
        categories={"purpose": 255},
        hook=HOOK,
    )


def raw_columns(rows: int = 600) -> Columns:
    random = np.random.default_rng(7)
    amount = random.lognormal(9, 0.5, rows)
    amount[random.random(rows) < 0.1] = np.nan
    purpose = random.choice(np.array(["car", "home", "edu", None]), rows)
    return {
        "amount": amount,
        "income": random.lognormal(10.5, 0.6, rows),
        "term": random.choice([36, 60], rows),
        "sched": random.integers(0, 24, rows) * 100 + random.integers(0, 60, rows),
        "new": random.random(rows) < 0.5,
        "purpose": purpose.astype(object),
        "at": np.datetime64("2013-01-01T00", "us") + random.integers(0, 1000, rows) * np.timedelta64(1, "h"),
    }


def train(root: Path, spec: FeatureSpec, kind: TaskKind, reference: str = '{"rows": 600}\n') -> Loans:
    everything = raw_columns()
    columns = {column.name: everything[column.name] for column in spec.inputs}
    features = fit(spec, columns)
    matrix = features.transform(columns)
    booster = xgboost.train(
        {**OBJECTIVES[kind], "max_depth": 4, "nthread": 1, "seed": 7},
        dmatrix(features, matrix, label(kind, everything)),
        num_boost_round=12,
    )
    contract = Contract(
        product="loans",
        task=Task(kind, CLASSES[kind]),
        columns=spec.inputs,
        categories={name: features.levels[name] for name in spec.categories},
    )
    bundle.write(
        root / "bundle",
        bundle.Draft(bytes(booster.save_raw("ubj")), features, contract, reference, LINEAGE),
    )
    bundle.write_release(root / "bundle", Release("3", "2026-01-01T00:00:00+00:00"))
    (root / FILE).write_text(Serving().to_json())
    return Loans(root, booster, features, contract, columns)


def label(kind: TaskKind, columns: Columns) -> Any:
    risk = np.nan_to_num(columns["amount"], nan=9_000) / columns["income"]
    if kind == "regression":
        return risk
    return np.digitize(risk, [0.15, 0.4] if kind == "multiclass" else [0.25])


def dmatrix(features: FittedFeatures, matrix: Any, y: Any = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        matrix,
        y,
        feature_names=list(features.feature_names),
        feature_types=list(features.feature_types),
        enable_categorical=True,
        nthread=1,
    )
