"""How a product's model is trained: the policy, the labels, the split by event time, the candidates.

It decides which rows train, which choose and which judge; fitting itself is `tasks/training.py`. Nothing is
ever split at random: a random split lets a model learn the storm it is judged on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lifecycle.batch import Reason
from lifecycle.errors import TrainingError
from lifecycle.grounds import Ground
from lifecycle.metrics import Floats, TaskKind

Times = NDArray[np.datetime64]
Rows = NDArray[np.intp]
Keys = NDArray[np.uint64]


class TrainingPolicy(BaseModel):
    """What is fitted, on what, with which seeds.

    Defaults: a week is the shortest holdout that holds every weekday; at 100 rows the interval of an AUC is
    wider than any difference worth a promotion. The tree settings are XGBoost's usual ones for tables of
    10,000 rows and more, slowed down so that early stopping has something to choose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holdout_days: Annotated[float, Field(gt=0)] = 7.0
    early_stopping_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    min_rows: Annotated[int, Field(gt=0, description="Labelled rows before the holdout.")] = 1_000
    min_holdout_rows: Annotated[int, Field(gt=0)] = 100
    recent_days: Annotated[
        float | None, Field(gt=0, description="Also try a model of only this many days before the holdout.")
    ] = None
    max_rounds: Annotated[int, Field(gt=0, le=5_000)] = 400
    early_stopping_rounds: Annotated[int, Field(gt=0)] = 20
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    max_depth: Annotated[int, Field(gt=0, le=16)] = 6
    min_child_weight: Annotated[float, Field(ge=0)] = 20.0
    subsample: Annotated[float, Field(gt=0, le=1)] = 0.8
    column_sample: Annotated[float, Field(gt=0, le=1)] = 0.8
    threads: Annotated[int, Field(gt=0)] = 1
    seed: int = 17


@dataclass(frozen=True)
class Undecidable:
    """Why nothing can be judged. Loud, and nothing moves."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, and the rows that take no part.

    `fit` and `stopping` train, `holdout` judges. The holdout is what happened after `holdout_after`, up to and
    with `holdout_until` (datetime64[us], UTC). `held_back`: rows the features' own suite refused.
    """

    fit: Rows
    stopping: Rows
    holdout: Rows
    holdout_after: np.datetime64
    holdout_until: np.datetime64
    unlabelled: int
    undated: int
    held_back: int = 0

    def without(self, rows: Rows) -> "Split":
        """Return the split less some rows, which then neither train nor judge."""
        parts = [np.setdiff1d(part, rows) for part in (self.fit, self.stopping, self.holdout)]
        held_back = len(self.fit) + len(self.stopping) + len(self.holdout) - sum(len(part) for part in parts)
        fit, stopping, holdout = parts
        return replace(self, fit=fit, stopping=stopping, holdout=holdout, held_back=held_back)

    @property
    def train(self) -> Rows:
        """Return the rows before the holdout, in the order they were delivered."""
        return np.sort(np.concatenate((self.fit, self.stopping)))


@dataclass(frozen=True)
class Candidate:
    """A model to try: its name, the rows it is fitted on to choose its size, and all rows it may see."""

    name: str
    fit: Rows
    train: Rows


def labels(task: TaskKind, column: str, values: NDArray[Any], at_least: float | None) -> Floats:
    """Return the label of each row (n,), NaN where the target is missing.

    Raises TrainingError for text or dates, and for a binary target without `at_least` that is not 0 and 1.
    """
    if values.dtype.kind not in "fiub":
        raise TrainingError(
            f"The target {column!r} holds no numbers.",
            detail=f"It is read as {values.dtype}.",
            resolution="Say `type: double`, `long` or `boolean` for it in product.yaml.",
        )
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    if task == "binary" and at_least is not None:
        return np.where(missing, np.nan, (numbers >= at_least).astype(np.float64))
    if task == "binary" and not np.isin(numbers[~missing], (0.0, 1.0)).all():
        raise TrainingError(
            f"The target {column!r} is not binary.",
            detail=f"It holds {len(np.unique(numbers[~missing]))} different values, expected 0 and 1.",
            resolution="Say `target.at_least` in product.yaml, or `task: regression`.",
        )
    return numbers


def split(policy: TrainingPolicy, task: TaskKind, times: Times, label: Floats) -> Split | Undecidable:
    """Cut the labelled rows by event time: the newest `holdout_days` judge, the newest share before them stops.

    `times` (n,) with NaT where unknown, `label` (n,) with NaN where unknown. Rows of one instant stay together.
    """
    undated, unlabelled = np.isnat(times), np.isnan(label)
    usable = np.flatnonzero(~undated & ~unlabelled)
    if not len(usable):
        return Undecidable((Reason(Ground.NO_LABELS, None, "0 labelled rows", f"at least {policy.min_rows}"),))
    moments = times[usable].astype("datetime64[us]")
    until = moments.max()
    after = until - np.timedelta64(round(policy.holdout_days * 86_400_000_000), "us")
    before = usable[moments <= after]
    cut = _cut(times[before].astype("datetime64[us]"), 1 - policy.early_stopping_share)
    early = times[before].astype("datetime64[us]") < cut
    found = Split(
        fit=before[early],
        stopping=before[~early],
        holdout=usable[moments > after],
        holdout_after=after,
        holdout_until=until,
        unlabelled=int(np.count_nonzero(unlabelled & ~undated)),
        undated=int(np.count_nonzero(undated)),
    )
    return recheck(policy, task, found, label)


def recheck(policy: TrainingPolicy, task: TaskKind, found: Split, label: Floats) -> Split | Undecidable:
    """Return a split that rows were taken from, unless too few are left."""
    reasons = _unfit(policy, task, found, label)
    return Undecidable(reasons) if reasons else found


def candidates(policy: TrainingPolicy, times: Times, found: Split) -> tuple[Candidate, ...]:
    """Return the models to try: all history, and the recent window where it is shorter and has rows enough."""
    everything = Candidate("all", found.fit, found.train)
    if policy.recent_days is None:
        return (everything,)
    since = found.holdout_after - np.timedelta64(round(policy.recent_days * 86_400_000_000), "us")
    fit = found.fit[times[found.fit] > since]
    train = found.train[times[found.train] > since]
    if len(train) < policy.min_rows or not 0 < len(fit) < len(found.fit):
        return (everything,)
    return (everything, Candidate("recent", fit, train))


def instant(moment: np.datetime64) -> str:
    """Return a UTC instant as ISO 8601 to the second."""
    return f"{np.datetime_as_string(moment, unit='s')}Z"


def keys_digest(keys: Keys) -> str:
    """Return the sha256 hex of a set of row keys, whatever their order."""
    return sha256(np.sort(keys).astype("<u8").tobytes()).hexdigest()


def train_key(parts: Mapping[str, str]) -> str:
    """Return the name of a training: the sha256 hex of everything that determines the model's bytes."""
    return sha256(json.dumps(dict(parts), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _cut(times: Times, share: float) -> np.datetime64:
    """Return the instant before which about `share` of the rows happened; NaT of no rows."""
    if not len(times):
        return np.datetime64("NaT")
    return np.sort(times)[min(int(len(times) * share), len(times) - 1)]  # type: ignore[no-any-return]


def _unfit(policy: TrainingPolicy, task: TaskKind, found: Split, label: Floats) -> tuple[Reason, ...]:
    """Name every part that is too small, or that has one class only."""
    train = len(found.fit) + len(found.stopping)
    sizes = (("train", train, policy.min_rows), ("holdout", len(found.holdout), policy.min_holdout_rows))
    reasons = [
        Reason(Ground.TOO_FEW_ROWS, None, f"{rows} rows to {part}", f"at least {least}", rows)
        for part, rows, least in sizes
        if rows < least
    ]
    for part, rows in (("fit", found.fit), ("early stopping", found.stopping), ("holdout", found.holdout)):
        classes = len(np.unique(label[rows]))
        if classes < 2 and (task == "binary" or part == "fit"):  # noqa: PLR2004  # nothing to tell apart
            reasons.append(
                Reason(Ground.ONE_CLASS, None, f"{classes} different labels in {part}", "at least 2", len(rows))
            )
    return tuple(reasons)
