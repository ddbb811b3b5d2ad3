"""Columns to predictions: the contract's check, the features, the engine, and explanations on request.

An explanation takes one prediction apart on the margin (log-odds for classes): base plus contributions is the
margin, by TreeSHAP. It deliberately knows no protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.predict.engine import EngineError
from functions.predict.invocations import Given
from functions.predict.model import Served
from functions.predict.refusals import RefusalError, broken_contract
from lifecycle.columns import Columns
from lifecycle.encoding import InfiniteFeatureError
from lifecycle.features import Transformed
from lifecycle.refusal import ContractError


class ScoreError(EngineError):
    """The model answered with something that is no number."""


@dataclass(frozen=True)
class Asked:
    """What a caller sent: columns as lists, whether explanations are wanted, what was not understood.

    `units`: how many units an experiment found in it; with more than one it takes no part.
    """

    columns: Given
    explain: bool = False
    ignored_params: tuple[str, ...] = ()
    units: int = 0


@dataclass(frozen=True)
class Answer:
    """Predictions (n,) or (n, classes), one id per row, and what was odd but allowed."""

    predictions: NDArray[np.float32]
    prediction_ids: tuple[str, ...]
    explanations: tuple[Mapping[str, object], ...] | None
    unseen: Mapping[str, int]
    extra_columns: int
    ignored_params: tuple[str, ...]
    units: int = 0

    def oddities(self) -> dict[str, object]:
        """Return what was odd by its name, without what was not."""
        counts: dict[str, object] = {
            "unseen": dict(self.unseen),
            "extra_columns": self.extra_columns,
            "ignored_params": len(self.ignored_params),
            "units": self.units if self.units > 1 else 0,
        }
        return {name: count for name, count in counts.items() if count}

    def violations(self) -> dict[str, object]:
        """Return what was odd as `violations`, or nothing when all was well."""
        odd = self.oddities()
        return {"violations": odd} if odd else {}

    def body(self, model_version: str) -> dict[str, object]:
        """Return the body of an answer to POST /invocations."""
        explained = {} if self.explanations is None else {"explanations": list(self.explanations)}
        return {
            "predictions": self.predictions.tolist(),
            "model_version": model_version,
            "prediction_ids": list(self.prediction_ids),
            **explained,
            **self.violations(),
        }


def answer(served: Served, asked: Asked, request_id: str) -> Answer:
    """Return the answer to `asked`. Raises RefusalError when the rows break the contract, ScoreError after it."""
    bundle = served.bundle
    try:
        checked = bundle.contract.check(asked.columns, explain=asked.explain)
    except ContractError as error:
        raise broken_contract(error) from None
    made = _transform(served, checked.columns)
    predictions = served.engine.predict(made.matrix)
    if not np.isfinite(predictions).all():
        raise ScoreError("The model answered with something that is no number.")
    return Answer(
        predictions=predictions,
        prediction_ids=tuple(f"{request_id}-{row}" for row in range(checked.rows)),
        explanations=_explain(served, made.matrix) if asked.explain else None,
        unseen={**made.unseen, **checked.unseen},
        extra_columns=checked.extra_columns,
        ignored_params=asked.ignored_params,
        units=asked.units,
    )


def _transform(served: Served, columns: Columns) -> Transformed:
    try:
        return served.bundle.features.transform_counted(columns)
    except InfiniteFeatureError as error:
        raise RefusalError(400, "not_finite", str(error)) from None


def _explain(served: Served, matrix: NDArray[np.float32]) -> tuple[Mapping[str, object], ...]:
    parts = served.engine.contributions(matrix)
    names = served.bundle.features.feature_names
    if served.bundle.contract.task.kind != "multiclass":
        return tuple(_taken_apart(names, row) for row in parts)
    classes = served.bundle.contract.task.classes
    return tuple(
        {"classes": {label: _taken_apart(names, part) for label, part in zip(classes, row, strict=True)}}
        for row in parts
    )


def _taken_apart(names: tuple[str, ...], part: NDArray[np.float32]) -> dict[str, object]:
    values = part.tolist()
    return {"base": values[-1], "contributions": dict(zip(names, values[:-1], strict=True))}
