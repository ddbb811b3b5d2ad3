"""How a first model of a table is trained and judged: what suits its size, its time and its target, with reasons.

Small tables get small trees and a larger share of judges; rare outcomes leaves that may hold few rows; every number
that is not a default comes with why it is what it is. Nothing is tried out: that is training's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lifecycle.evaluation import EvaluationPolicy
from lifecycle.floors import deciding_metric, floors
from lifecycle.labels import Labels
from lifecycle.metrics import TaskKind
from lifecycle.training import Split, Times, TrainingPolicy, split

_SMALL, _LARGE = 1_000, 10_000
# Twenty rows tell an accuracy to about a fifth; fewer judge nothing.
_FEWEST_JUDGES = 20
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Sizing:
    """The policies, why each setting that was chosen is what it is, and what a person should be told."""

    training: TrainingPolicy
    evaluation: EvaluationPolicy
    why: Mapping[str, str]
    judging: int
    by_time: bool
    notes: tuple[str, ...] = ()


def size(task: TaskKind, labels: Labels, times: Times | None) -> Sizing:
    """Return the policies for a table with labels (n,) and event times (n,) or None.

    Times that cannot split the rows into parts with something to tell apart are not used, and that is noted.
    """
    rows = int(np.count_nonzero(~np.isnan(labels.values)))
    share = 0.2 if rows >= _SMALL else 0.3
    notes: tuple[str, ...] = ()
    if times is not None:
        timed = _by_time(task, labels, times, share)
        if timed is not None:
            return _sized(task, labels, timed, by_time=True, notes=notes)
        notes = ("the newest rows by time are too few, or of one class: a share of all rows judges instead",)
    training = _trees(task, labels, rows, share)
    return _sized(task, labels, (training, round(rows * share)), by_time=False, notes=notes)


def _by_time(task: TaskKind, labels: Labels, times: Times, share: float) -> tuple[TrainingPolicy, int] | None:
    """Return a policy whose newest days hold about `share` of the rows, None when no such days can judge."""
    known = np.flatnonzero(~np.isnat(times) & ~np.isnan(labels.values))
    if len(known) < 2 * _FEWEST_JUDGES:
        return None
    moments = np.sort(times[known])
    span = (moments[-1] - moments[min(int(len(moments) * (1 - share)), len(moments) - 1)]) / _DAY
    if not span > 0:
        return None
    days = float(f"{span:.3g}") or float(span)
    policy = _trees(task, labels, len(known), share).model_copy(update={"holdout_days": days})
    found = split(policy, task, times, labels.values)
    return (policy, len(found.holdout)) if isinstance(found, Split) else None


def _trees(task: TaskKind, labels: Labels, rows: int, share: float) -> TrainingPolicy:
    """Return settings for so many rows. The hessian of a rare outcome is small, so its leaves must weigh less."""
    weight = 20.0 if rows >= _LARGE else 5.0 if rows >= _SMALL else 1.0
    weight = max(float(f"{weight * _hessian(task, labels):.2g}"), 0.01)
    classes = len(labels.classes) if task == "multiclass" else 1
    return TrainingPolicy(
        holdout_share=share,
        early_stopping_share=0.1 if rows >= _LARGE else 0.2,
        min_rows=max(min(1_000, int(rows * (1 - share) / 2)), 2),
        min_holdout_rows=max(min(100, int(rows * share / 2)), 1),
        min_holdout_per_class=max(min(10, int(_rarer(task, labels) * share / 2)), 1),
        max_depth=6 if rows >= _SMALL else 3,
        min_child_weight=weight,
        max_rounds=max(40, 400 * 3 // max(classes, 3)),
    )


def _hessian(task: TaskKind, labels: Labels) -> float:
    """Return a typical row's hessian beside that of a row of an even binary task, or of a square loss."""
    known = labels.values[~np.isnan(labels.values)]
    if task == "binary":
        share = float(known.mean())
        return 4 * share * (1 - share)
    if task == "multiclass":
        rarest = float(np.bincount(known.astype(np.int64)).min() / len(known))
        return min(1.0, 4 * rarest)
    return min(1.0, float(known.mean())) if task == "counts" else 1.0


def _rarer(task: TaskKind, labels: Labels) -> int:
    """Return how many rows the rarer class of a binary task has."""
    known = labels.values[~np.isnan(labels.values)]
    return int(min(known.sum(), len(known) - known.sum())) if task == "binary" else 0


def _sized(
    task: TaskKind, labels: Labels, judged: tuple[TrainingPolicy, int], *, by_time: bool, notes: tuple[str, ...]
) -> Sizing:
    training, judging = judged
    known = labels.values[~np.isnan(labels.values)]
    evaluation = EvaluationPolicy(metric=deciding_metric(task, known), floors=floors(task, known, judging))
    if judging < _FEWEST_JUDGES:
        notes = (*notes, f"only {judging} rows judge: hardly any difference between models will show")
    return Sizing(training, evaluation, _why(task, known, judging), judging, by_time, notes)


def _why(task: TaskKind, known: np.ndarray, judging: int) -> dict[str, str]:
    rows = f"{len(known):,} rows"
    luck = f"four spreads of luck above knowing nothing, on about {judging:,} rows"
    why = {
        "holdout_days": f"about {judging:,} of {rows}",
        "holdout_share": f"about {judging:,} of {rows}",
        "early_stopping_share": f"of {rows}",
        "min_rows": "half of what is there now",
        "min_holdout_rows": "half of what is there now",
        "min_holdout_per_class": "half of what is there now",
        "max_depth": f"for {rows}",
        "min_child_weight": f"for {rows}",
        "max_rounds": "one tree per class and round",
        "floors": luck,
        "metric": "it decides between models",
    }
    if task == "binary" and deciding_metric(task, known) == "average_precision":
        why["metric"] = f"{known.mean():.2%} are positive: an AUC would hardly notice them"
        why["min_child_weight"] = f"for {rows}, of which {int(known.sum()):,} are positive"
    return why
