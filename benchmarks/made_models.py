"""Made holdouts and made models of a known quality, to ask the promotion gate questions whose answers are known.

A row has one signal (of many classes, one for each) that decides its label with luck. A model reads the signal with
an error: `_SHARED` of the error's variance is common to all models, since they learn from mostly the same rows, and
the rest is a model's own. The smaller its error, the better the model, and how much better is found by bisection on
a holdout so large that its own luck does not count.

Where `_SHARED` comes from: of two models of the flights product, one a month younger, the AUCs on the same last week
correlate by .78, .89 and .91 (May, June and July). The study's table tells the correlation its models have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lifecycle.metrics import Metric, TaskKind, improvement, value

Floats = NDArray[np.float64]

_SHARED = 0.85
_LARGE, _ANEW, _HALVINGS = 100_000, 300, 14
_CLASSES = 3


@dataclass(frozen=True)
class World:
    """One kind of problem: its rows in a holdout, and the champion's error beside a signal of variance 1.

    `offset`: how rare the positives of a binary task are, on the scale of log odds.
    """

    name: str
    task: TaskKind
    metric: Metric
    rows: int
    error: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Rows:
    """Rows of a world: labels (n,), signals (n, k), the errors all models share, and two models' own ones (n, k)."""

    labels: Floats
    signal: Floats
    shared: Floats
    champion: Floats
    challenger: Floats


WORLDS = (
    World("24 % positive", "binary", "auc", 1_500, offset=-1.85),
    World("60 of 6,000 positive", "binary", "average_precision", 6_000, offset=-6.4),
    World("three classes", "multiclass", "log_loss", 1_000),
    World("a number", "regression", "rmse", 1_000, error=0.7),
    World("counts", "counts", "poisson_deviance", 1_000, error=0.7),
)


def draw(world: World, rows: int, seed: int) -> Rows:
    """Return rows of a world, the same for the same seed."""
    random = np.random.default_rng(seed)
    width = _CLASSES if world.task == "multiclass" else 1
    signal, shared, one, other = random.normal(size=(4, rows, width))
    return Rows(_LABELS[world.task](world, signal, random), signal, shared, one, other)


def answers(world: World, rows: Rows, own: Floats, error: float) -> Floats:
    """Return what a model with such an error says, (n,) or (n, classes): `own` are its own errors (n, k)."""
    read = rows.signal + error * (np.sqrt(_SHARED) * rows.shared + np.sqrt(1 - _SHARED) * own)
    if world.task == "multiclass":
        chances = np.exp(2 * read)
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))
    return np.asarray(_SAYS[world.task](world, read[:, 0]))


@cache
def luck(world: World) -> tuple[float, float]:
    """Return the standard error of the champion's metric on a holdout, as `improvement` counts, and the correlation.

    Both over so many holdouts drawn anew: by how much one model differs from itself, and how much two models of one
    quality agree in it.
    """
    found = np.empty((_ANEW, 2))
    for seed in range(_ANEW):
        rows = draw(world, world.rows, 1_000_000 + seed)
        for at, own in enumerate((rows.champion, rows.challenger)):
            found[seed, at] = value(world.metric, rows.labels, answers(world, rows, own, world.error))
    mean = float(found.mean())
    spread = improvement(world.metric, mean, mean + float(found[:, 0].std()))
    return abs(spread), float(np.corrcoef(found.T)[0, 1])


@cache
def error_of(world: World, lead: float) -> float:
    """Return the error of a model that is truly `lead` better than the champion, as `improvement` counts.

    Both models have the same own errors here, so that a lead of 0 is the champion's error exactly.
    """
    rows = draw(world, _LARGE, 7)
    champion = value(world.metric, rows.labels, answers(world, rows, rows.champion, world.error))
    low, high = 0.0, 4 * world.error
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = value(world.metric, rows.labels, answers(world, rows, rows.champion, middle))
        low, high = (middle, high) if improvement(world.metric, champion, found) > lead else (low, middle)
    return (low + high) / 2


def _of_two(world: World, signal: Floats, random: np.random.Generator) -> Floats:
    chance = 1 / (1 + np.exp(-(world.offset + 2 * signal[:, 0])))
    return (random.random(len(signal)) < chance).astype(np.float64)


def _of_many(_: World, signal: Floats, random: np.random.Generator) -> Floats:
    return (2 * signal + random.gumbel(size=signal.shape)).argmax(axis=1).astype(np.float64)


def _number(_: World, signal: Floats, random: np.random.Generator) -> Floats:
    return np.asarray(10 + signal[:, 0] + random.normal(size=len(signal)))


def _count(_: World, signal: Floats, random: np.random.Generator) -> Floats:
    return random.poisson(np.exp(0.5 + 0.7 * signal[:, 0])).astype(np.float64)


_LABELS: dict[TaskKind, Callable[[World, Floats, np.random.Generator], Floats]] = {
    "binary": _of_two,
    "multiclass": _of_many,
    "regression": _number,
    "counts": _count,
}
_SAYS: dict[TaskKind, Callable[[World, Floats], Floats]] = {
    "binary": lambda world, read: 1 / (1 + np.exp(-(world.offset + 2 * read))),
    "regression": lambda _, read: 10 + read,
    "counts": lambda _, read: np.exp(0.5 + 0.7 * read),
}
