"""Models with one thing wrong with them, in bundles that are intact: what serves them cannot tell, only what they do.

All are one small model of the readings in `drops`, so that between any two nothing differs but the fault.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from lifecycle import bundle
from lifecycle.columns import Column
from lifecycle.contract import Contract, Task
from lifecycle.evaluation import Scorecard
from lifecycle.features import FeatureSpec, fit
from lifecycle.manifest import Lineage
from lifecycle.reference import OnHoldout, profile
from lifecycle.watched import watched
from tests.faults.drops import readings

COLUMNS = ("temperature", "vibration", "load")
LEAST_LOAD, MOST_LOAD = 0.2, 1.0
_ROUNDS, _DEPTH = 10, 4
_NOWHERE = 2147483647


@dataclass(frozen=True)
class Fault:
    """What is wrong with a model.

    `failing`: share of the loads, from the least on, for which it answers with no number, which is an error.
    `heavier`: of how many times as many trees it is made, all of them needed, its scores unchanged. `shifted`: what is
    added to every margin. `salt` makes a model without a fault another one's bytes.
    """

    failing: float = 0.0
    heavier: int = 1
    shifted: float = 0.0
    salt: float = 0.0


def write(folder: Path, product: str, fault: Fault) -> str:
    """Write the bundle of a model into an empty folder and return its digest."""
    columns = _columns()
    spec = FeatureSpec(inputs=tuple(Column(name, "double") for name in COLUMNS), numbers=COLUMNS)
    features, healthy = fit(spec, columns), xgboost.Booster(model_file=bytearray(_healthy()))
    scores = healthy.predict(xgboost.DMatrix(features.transform(columns))).astype(np.float64)
    card = Scorecard(rows=len(scores), metrics={}, base=float(scores.mean()), calibration_error=0.0)
    draft = bundle.Draft(
        model=faulty(fault),
        features=features,
        contract=Contract(product, Task("binary", ("0", "1")), spec.inputs),
        reference=profile(watched(features, columns), OnHoldout(scores, scores, card), {}),
        lineage=Lineage(snapshot="s" * 64, batches=("b" * 64,), rows=len(scores), seed=1),
    )
    return bundle.write(folder, draft).digest


def faulty(fault: Fault) -> bytes:
    """Return the model with the fault in it."""
    told = json.loads(_healthy())
    made = told["learner"]["gradient_booster"]["model"]
    trees = [_scaled(tree, 1 / fault.heavier) for _ in range(fault.heavier) for tree in made["trees"]]
    trees.append(_stump(trees[0], fault))
    made["trees"] = [{**tree, "id": at} for at, tree in enumerate(trees)]
    made["tree_info"] = [0] * len(trees)
    made["iteration_indptr"] = list(range(len(trees) + 1))
    made["gbtree_model_param"]["num_trees"] = str(len(trees))
    booster = xgboost.Booster(model_file=bytearray(json.dumps(told).encode()))
    return bytes(booster.save_raw("ubj"))


def rows(number: int, seed: int, *, least_load: float = LEAST_LOAD) -> list[list[float]]:
    """Return rows to ask for, in the order of `COLUMNS`."""
    random = np.random.default_rng(seed)
    columns = (
        random.normal(70, 8, number),
        random.gamma(4, 0.6, number),
        random.uniform(least_load, MOST_LOAD, number),
    )
    return [[float(value) for value in row] for row in np.stack(columns, axis=1)]


def _columns() -> dict[str, Any]:
    frame = readings(0)
    return {name: frame[name].to_numpy(dtype=np.float64) for name in COLUMNS}


@lru_cache(maxsize=1)
def _healthy() -> bytes:
    matrix = xgboost.DMatrix(np.stack(list(_columns().values()), axis=1), readings(0)["failed"].to_numpy())
    given = {"objective": "binary:logistic", "max_depth": _DEPTH, "seed": 1, "nthread": 1}
    return bytes(xgboost.train(given, matrix, _ROUNDS).save_raw("json"))


def _scaled(tree: dict[str, Any], share: float) -> dict[str, Any]:
    """Return a tree whose leaves are a share of what they were; a leaf's value is kept as its condition."""
    conditions = [
        value * share if child == -1 else value
        for value, child in zip(tree["split_conditions"], tree["left_children"], strict=True)
    ]
    return {**tree, "split_conditions": conditions}


def _stump(like: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Return a tree that asks for the load only: no number below, a constant from there on."""
    usual = fault.shifted + fault.salt
    below = float("nan") if fault.failing else usual
    edge = LEAST_LOAD + fault.failing * (MOST_LOAD - LEAST_LOAD)
    return {
        **like,
        "base_weights": [0.0, 0.0, 0.0],
        "default_left": [0, 0, 0],
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "loss_changes": [1.0, 0.0, 0.0],
        "parents": [_NOWHERE, 0, 0],
        "split_conditions": [edge, below, usual],
        "split_indices": [COLUMNS.index("load"), 0, 0],
        "split_type": [0, 0, 0],
        "sum_hessian": [2.0, 1.0, 1.0],
        "tree_param": {**like["tree_param"], "num_nodes": "3"},
    }
