"""How a model is judged on a frozen holdout: metrics, slices, and what cannot be computed.

Champion and challenger go through the same function on the same rows. It compares nothing: that is
`lifecycle/promotion.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lifecycle.errors import SpecError, TrainingError
from lifecycle.metrics import Floats, Metric, TaskKind, calibration_error, metrics_of, needs_two_classes, value

Texts = NDArray[np.object_]
MISSING = "(missing)"
# Of a slice's least rows a fifth must be of the rarer class: what an AUC is worth hangs on those, not on the others.
_RARER = 0.2


class EvaluationPolicy(BaseModel):
    """Which metric decides, which floors bind, which slices are looked at.

    Defaults: at 500 rows with a quarter positive the standard error of an AUC is about .025, so a smaller
    slice could not show a loss of the margin. A column that alone reaches .98 has never been a fair one in
    the data sets tried; the best fair one reached .75.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric
    floors: dict[Metric, float] = Field(description="Worst value allowed, in the metric's own direction.")
    slices: tuple[str, ...] = ()
    min_slice_rows: Annotated[int, Field(gt=0)] = 500
    slice_margin: Annotated[
        float, Field(gt=0, description="Loss a slice may take: AUC points, or a share of the champion's loss.")
    ] = 0.02
    leak_threshold: Annotated[float, Field(gt=0.5, le=1)] = 0.98


@dataclass(frozen=True)
class SliceScore:
    """One level of a slice column: its rows, and the deciding metric on them (NaN when not computable)."""

    column: str
    level: str
    rows: int
    value: float


@dataclass(frozen=True)
class Scorecard:
    """What one model scored on the holdout.

    `base`: mean label, of many classes the share of the most frequent. `calibration_error`: in the label's unit.
    `slices`: those with rows enough.
    """

    rows: int
    base: float
    metrics: Mapping[Metric, float]
    calibration_error: float
    slices: tuple[SliceScore, ...] = ()


@dataclass(frozen=True)
class Holdout:
    """The rows that judge: labels (n,), of many classes their codes; per slice column the level of each row (n,).

    `weights` (n,): how much each row counts; None: all the same.
    """

    task: TaskKind
    labels: Floats
    slices: Mapping[str, Texts]
    weights: Floats | None = None


def check_policy(policy: EvaluationPolicy, task: TaskKind) -> None:
    """Raise SpecError when the deciding metric or a floor does not belong to the task."""
    known = metrics_of(task)
    for field, wanted in (("metric", (policy.metric,)), ("floors", tuple(policy.floors))):
        for metric in wanted:
            if metric not in known:
                raise SpecError(
                    f"evaluation.{field}: {metric!r} says nothing about a {task} task.",
                    detail=f"It has {', '.join(known)}.",
                )


def score(policy: EvaluationPolicy, holdout: Holdout, scores: Floats) -> Scorecard:
    """Judge one model's scores (n,) on the holdout. Raises TrainingError when the lengths differ."""
    labels = holdout.labels
    if len(scores) != len(labels):
        raise TrainingError(
            "A model did not score every row of the holdout.",
            detail=f"{len(scores)} scores for {len(labels)} rows.",
        )
    return Scorecard(
        rows=len(labels),
        base=_base(holdout),
        metrics={metric: value(metric, labels, scores, holdout.weights) for metric in metrics_of(holdout.task)},
        calibration_error=calibration_error(labels, scores, holdout.weights),
        slices=tuple(
            one for column, levels in holdout.slices.items() for one in _slices(policy, holdout, scores, column, levels)
        ),
    )


def _base(holdout: Holdout) -> float:
    if not len(holdout.labels):
        return float("nan")
    weights = np.ones(len(holdout.labels)) if holdout.weights is None else holdout.weights
    if holdout.task == "multiclass":
        return float(np.bincount(holdout.labels.astype(np.int64), weights).max() / weights.sum())
    return float(np.average(holdout.labels, weights=weights))


def _slices(policy: EvaluationPolicy, holdout: Holdout, scores: Floats, column: str, levels: Texts) -> list[SliceScore]:
    """Score the levels with enough rows; a metric that ranks needs enough of the rarer class as well."""
    texts, codes, counts = np.unique(levels.astype(str), return_inverse=True, return_counts=True)
    found = []
    for code in np.flatnonzero(counts >= policy.min_slice_rows):
        rows = codes == code
        labels, weights = holdout.labels[rows], None if holdout.weights is None else holdout.weights[rows]
        if needs_two_classes(policy.metric) and _rarer(holdout.task, labels) < policy.min_slice_rows * _RARER:
            continue
        score = value(policy.metric, labels, scores[rows], weights)
        found.append(SliceScore(column, str(texts[code]), int(counts[code]), score))
    return found


def _rarer(task: TaskKind, labels: Floats) -> float:
    """Return how many rows the rarer of two classes has; of many classes two are enough."""
    _, counts = np.unique(labels, return_counts=True)
    if len(counts) < 2:  # noqa: PLR2004  # two classes
        return 0
    return float(counts.min()) if task == "binary" else np.inf
