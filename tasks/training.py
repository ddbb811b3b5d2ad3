"""Fit XGBoost models: one per candidate, the size chosen by early stopping, the same bytes every time.

Which rows train is `lifecycle/training.py`; which model is better is decided elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lifecycle.features import FittedFeatures, Matrix
from lifecycle.labels import aligned
from lifecycle.metrics import Floats, Metric, TaskKind, higher_is_better, value
from lifecycle.spec import Product
from lifecycle.training import Candidate, Keys, Rows
from tasks.registry import Registered

if TYPE_CHECKING:
    from types import ModuleType

    from xgboost import Booster, QuantileDMatrix

_OBJECTIVES: dict[TaskKind, str] = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
    "counts": "count:poisson",
}
_LOSSES: dict[TaskKind, str] = {
    "binary": "logloss",
    "multiclass": "mlogloss",
    "regression": "rmse",
    "counts": "poisson-nloglik",
}
# XGBoost refuses these in a name; a column may well be called "weight [kg]".
_REFUSED = str.maketrans("[]<", "()(")


@dataclass(frozen=True)
class Data:
    """The feature matrix (n, k) of every row, its labels (n,) with NaN where unknown, and what the columns are.

    `classes`: of the codes in `labels`, those of a model first, which are `known`; none for a number. `weights` (n,):
    how much each row counts. `groups` (n,): a key that the rows of a group share.
    """

    matrix: Matrix
    labels: Floats
    features: FittedFeatures
    classes: tuple[str, ...] = ()
    known: int = 0
    weights: Floats | None = None
    groups: Keys | None = None

    def weights_of(self, rows: Rows) -> Floats | None:
        """Return how much each of some rows counts, None when all count the same."""
        return None if self.weights is None else self.weights[rows]

    @property
    def model_classes(self) -> tuple[str, ...]:
        """Return the classes a model of these rows tells apart."""
        return self.classes[: self.known]


@dataclass(frozen=True)
class Fitted:
    """A candidate: the model's bytes (UBJSON), its trees, its score on the early-stopping rows, its rows.

    `earlier`: the earlier champion that it is, which brings its own features; None when it was fitted on today's.
    """

    name: str
    model: bytes
    rounds: int
    stopping_score: float
    rows: int
    earlier: Registered | None = None

    def features_of(self, data: Data) -> FittedFeatures:
        """Return the features this model reads."""
        return data.features if self.earlier is None else self.earlier.bundle.features


def fit_candidate(product: Product, data: Data, candidate: Candidate, stopping: Rows) -> Fitted:
    """Choose the number of trees on the early-stopping rows, then fit that many on all rows before the holdout.

    The last share of the history is the most like what comes next, so a model that never saw it would be
    stale from the start. A second call returns the same bytes.
    """
    xgboost, parameters, policy = _xgboost(), _parameters(product, data), product.training
    fit = _matrix(data, candidate.fit)
    booster = xgboost.train(
        parameters,
        fit,
        policy.max_rounds,
        evals=[(_matrix(data, stopping, ref=fit), "stopping")],
        early_stopping_rounds=policy.early_stopping_rounds,
        verbose_eval=False,
    )
    rounds = int(booster.best_iteration) + 1
    scores = predict(bytes(booster[:rounds].save_raw("ubj")), data.matrix[stopping])
    scores = aligned(scores, data.model_classes, data.classes)
    final = xgboost.train(parameters, _matrix(data, candidate.train), rounds, verbose_eval=False)
    return Fitted(
        name=candidate.name,
        model=bytes(final.save_raw("ubj")),
        rounds=rounds,
        stopping_score=value(product.evaluation.metric, data.labels[stopping], scores, data.weights_of(stopping)),
        rows=len(candidate.train),
    )


def choose(metric: Metric, fitted: Sequence[Fitted]) -> Fitted:
    """Return the candidate with the best score on the early-stopping rows; of equal ones the first."""
    sign = 1 if higher_is_better(metric) else -1
    return max(fitted, key=lambda one: sign * one.stopping_score if np.isfinite(one.stopping_score) else -np.inf)


def predict(model: bytes, matrix: Matrix, threads: int = 1) -> Floats:
    """Return a model's answers for a feature matrix (n, k): numbers or probabilities (n,), of many classes (n, c)."""
    booster = _booster(model, threads)
    return np.asarray(booster.inplace_predict(matrix), dtype=np.float64)


def gains(model: bytes) -> dict[str, float]:
    """Return the share of the total gain per feature, the largest first; features never used are left out."""
    found: dict[str, float] = _booster(model, 1).get_score(importance_type="total_gain")
    total = sum(found.values()) or 1.0
    return {name: gain / total for name, gain in sorted(found.items(), key=lambda item: (-item[1], item[0]))}


def _parameters(product: Product, data: Data) -> dict[str, Any]:
    """Return XGBoost's parameters. Trees stop on a proper loss: an AUC of few rows jumps about."""
    policy = product.training
    loss = "mae" if product.evaluation.metric == "mae" else _LOSSES[product.task]
    classes = {"num_class": data.known} if product.task == "multiclass" else {}
    return {
        **classes,
        "objective": _OBJECTIVES[product.task],
        "eval_metric": loss,
        "tree_method": "hist",
        "learning_rate": policy.learning_rate,
        "max_depth": policy.max_depth,
        "min_child_weight": policy.min_child_weight,
        "subsample": policy.subsample,
        "colsample_bytree": policy.column_sample,
        "seed": policy.seed,
        "nthread": policy.threads,
    }


def _matrix(data: Data, rows: Rows, ref: QuantileDMatrix | None = None) -> QuantileDMatrix:
    return _xgboost().QuantileDMatrix(
        data.matrix[rows],
        data.labels[rows],
        weight=data.weights_of(rows),
        feature_names=_names(data.features.feature_names),
        feature_types=list(data.features.feature_types),
        enable_categorical=True,
        nthread=1,
        ref=ref,
    )


def _names(features: Sequence[str]) -> list[str]:
    """Return feature names as XGBoost takes them, each its own."""
    found: list[str] = []
    for name in features:
        plain = name.translate(_REFUSED)
        while plain in found:
            plain += "'"
        found.append(plain)
    return found


def _booster(model: bytes, threads: int) -> Booster:
    booster = _xgboost().Booster({"nthread": threads})
    booster.load_model(bytearray(model))
    return booster


def _xgboost() -> ModuleType:
    """Import XGBoost, which takes two seconds.

    A waiting OpenMP thread spins by default: on a busy machine with two cores the same fit took 80 s instead
    of 0.3. The library reads the variable when it is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import xgboost  # noqa: PLC0415

    return xgboost  # type: ignore[no-any-return]
