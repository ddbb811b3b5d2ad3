"""How a product's model is trained: the policy, the split, the candidates.

It decides which rows train, which choose and which judge; fitting itself is `tasks/training.py`. Where rows have an
event time nothing is ever split at random: a random split lets a model learn the storm it is judged on. Without one,
each row's own content decides where it belongs, so that a row that judges today has judged every earlier model and
trained none. Rows of one group, where a product names them, are never on two sides: a group is where its first row is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lifecycle.batch import Reason
from lifecycle.enough import shortages
from lifecycle.grounds import Ground
from lifecycle.metrics import Floats, TaskKind

Times = NDArray[np.datetime64]
Rows = NDArray[np.intp]
Keys = NDArray[np.uint64]


class TrainingPolicy(BaseModel):
    """What is fitted, on what, with which seeds.

    Defaults: a week is the shortest holdout that holds every weekday, a fifth the usual share where rows have no
    time; at 100 rows the interval of an AUC is wider than any difference worth a promotion. Of 10 rows of a class one
    resample in twenty thousand has none; of fewer than 20 groups an interval by groups is too narrow (Cameron, Gelbach
    and Miller 2008). The tree settings are XGBoost's usual ones for tables of 10,000 rows and more, slowed down so that
    early stopping has something to choose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holdout_days: Annotated[float, Field(gt=0, description="With a time column: the newest days judge.")] = 7.0
    holdout_share: Annotated[
        float, Field(gt=0, lt=0.9, description="Without a time column: this share of the rows judges.")
    ] = 0.2
    early_stopping_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    min_rows: Annotated[int, Field(gt=0, description="Labelled rows before the holdout.")] = 1_000
    min_holdout_rows: Annotated[int, Field(gt=0)] = 100
    min_holdout_per_class: Annotated[
        int, Field(gt=0, description="Binary: so many rows of each class must judge, the rare one too.")
    ] = 10
    min_holdout_groups: Annotated[int, Field(gt=1, description="With a group column: so many groups must judge.")] = 20
    recent_days: Annotated[
        float | None, Field(gt=0, description="Also try a model of only this many days before the holdout.")
    ] = None
    archived: Annotated[
        int, Field(ge=0, le=50, description="With a time column: so many earlier champions are tried again.")
    ] = 8
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
    with `holdout_until` (datetime64[us], UTC); both are None where rows have no time and their content decided.
    `held_back`: rows the features' own suite refused. `torn`: rows of the holdout's time whose group was there before:
    they may neither judge nor, being newer, train.
    """

    fit: Rows
    stopping: Rows
    holdout: Rows
    holdout_after: np.datetime64 | None
    holdout_until: np.datetime64 | None
    unlabelled: int
    undated: int
    held_back: int = 0
    torn: int = 0

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


def split(
    policy: TrainingPolicy, task: TaskKind, times: Times, label: Floats, groups: Keys | None = None
) -> Split | Undecidable:
    """Cut the labelled rows by event time: the newest `holdout_days` judge, the newest share before them stops.

    `times` (n,) with NaT where unknown, `label` (n,) with NaN where unknown. Rows of one instant stay together, and so
    do rows of one of the `groups` (n,), from when the group began.
    """
    undated, unlabelled = np.isnat(times), np.isnan(label)
    usable = np.flatnonzero(~undated & ~unlabelled)
    if not len(usable):
        return Undecidable((Reason(Ground.NO_LABELS, None, "0 labelled rows", f"at least {policy.min_rows}"),))
    moments = times[usable].astype("datetime64[us]")
    until = moments.max()
    after = until - np.timedelta64(round(policy.holdout_days * 86_400_000_000), "us")
    began = moments if groups is None else _began(moments, groups[usable])
    known = moments <= after
    before = usable[known]
    early = began[known] < _cut(began[known], 1 - policy.early_stopping_share)
    found = Split(
        fit=before[early],
        stopping=before[~early],
        holdout=usable[began > after],
        holdout_after=after,
        holdout_until=until,
        unlabelled=int(np.count_nonzero(unlabelled & ~undated)),
        undated=int(np.count_nonzero(undated)),
        torn=int(np.count_nonzero(~known & (began <= after))),
    )
    return recheck(policy, task, found, label, groups)


def split_by_content(
    policy: TrainingPolicy, task: TaskKind, keys: Keys, label: Floats, groups: Keys | None = None
) -> Split | Undecidable:
    """Cut the labelled rows by their keys (n,): `holdout_share` of all keys judge, a share of the others stops.

    A row keeps its part whatever is delivered later, and rows of equal content stay together. With `groups` (n,) those
    are what is cut.
    """
    unlabelled = np.isnan(label)
    usable = np.flatnonzero(~unlabelled)
    if not len(usable):
        return Undecidable((Reason(Ground.NO_LABELS, None, "0 labelled rows", f"at least {policy.min_rows}"),))
    place = _scattered((keys if groups is None else groups)[usable], policy.seed)
    stop = policy.holdout_share + (1 - policy.holdout_share) * policy.early_stopping_share
    found = Split(
        fit=usable[place >= stop],
        stopping=usable[(place >= policy.holdout_share) & (place < stop)],
        holdout=usable[place < policy.holdout_share],
        holdout_after=None,
        holdout_until=None,
        unlabelled=int(np.count_nonzero(unlabelled)),
        undated=0,
    )
    return recheck(policy, task, found, label, groups)


def recheck(
    policy: TrainingPolicy, task: TaskKind, found: Split, label: Floats, groups: Keys | None = None
) -> Split | Undecidable:
    """Return a split that rows were taken from, unless too few are left."""
    reasons = shortages(policy, task, found, label, groups)
    return Undecidable(reasons) if reasons else found


def candidates(policy: TrainingPolicy, times: Times | None, found: Split) -> tuple[Candidate, ...]:
    """Return the models to try: all history, and the recent window where it is shorter and has rows enough."""
    everything = Candidate("all", found.fit, found.train)
    if policy.recent_days is None or times is None or found.holdout_after is None:
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


def _scattered(keys: Keys, seed: int) -> Floats:
    """Return a place in [0, 1) per key (n,), evenly spread and always the same: the finaliser of SplitMix64."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is meant
        mixed = keys + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed >> np.uint64(11)) / 2**53, dtype=np.float64)


def _began(moments: Times, groups: Keys) -> Times:
    """Return for each row (n,) when the first row of its group was."""
    known, place = np.unique(groups, return_inverse=True)
    first = np.full(len(known), moments.max())
    np.minimum.at(first, place, moments)
    return np.asarray(first[place])


def _cut(times: Times, share: float) -> np.datetime64:
    """Return the instant before which about `share` of the rows happened; NaT of no rows."""
    if not len(times):
        return np.datetime64("NaT")
    return np.sort(times)[min(int(len(times) * share), len(times) - 1)]  # type: ignore[no-any-return]
