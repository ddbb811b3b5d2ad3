"""Floors that can fail, and do for every model that has learned nothing; policies that suit a table's size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lifecycle.floors import floors
from lifecycle.labels import Labels
from lifecycle.metrics import TaskKind, higher_is_better, value
from lifecycle.sizing import size

RANDOM = np.random.default_rng(0)
ROWS = 4000
TARGETS: dict[str, tuple[TaskKind, Any, int]] = {
    "even": ("binary", (RANDOM.random(ROWS) < 0.5).astype(float), 0),
    "rare": ("binary", (RANDOM.random(ROWS * 10) < 0.004).astype(float), 0),
    "classes": ("multiclass", RANDOM.choice(4, ROWS, p=[0.6, 0.3, 0.09, 0.01]).astype(float), 4),
    "number": ("regression", RANDOM.lognormal(0, 0.5, ROWS), 0),
    "counts": ("counts", RANDOM.poisson(2.0, ROWS).astype(float), 0),
}


def ignorant(task: TaskKind, labels: Any, classes: int, seed: int) -> Any:
    """Return what a model of shuffled labels says: the mean, and noise that has nothing to do with the row."""
    random = np.random.default_rng(seed)
    if task == "multiclass":
        shares = np.bincount(labels.astype(int), minlength=classes) / len(labels)
        noisy = np.exp(np.log(shares)[None, :] + random.normal(0, 0.2, (len(labels), classes)))
        return noisy / noisy.sum(axis=1, keepdims=True)
    noise = random.normal(0, 0.1 * labels.std(), len(labels))
    return np.clip(labels.mean() + noise, 1e-6, 1 - 1e-6 if task == "binary" else None)


@pytest.mark.parametrize("name", TARGETS)
def test_a_model_that_knows_nothing_never_keeps_its_floors(name: str) -> None:
    """200 models of shuffled labels, 0 let through; each on a fresh holdout of the size the floor was made for."""
    task, labels, classes = TARGETS[name]
    judging = len(labels) // 5
    found, passed = floors(task, labels, judging), 0
    for seed in range(200):
        held = np.random.default_rng(seed).choice(labels, judging)
        scores = ignorant(task, held, classes, seed)
        kept = [
            value(metric, held, scores) >= floor if higher_is_better(metric) else value(metric, held, scores) <= floor
            for metric, floor in found.items()
        ]
        passed += all(kept)
    assert passed == 0


@pytest.mark.parametrize("name", TARGETS)
def test_a_model_that_knows_something_keeps_them(name: str) -> None:
    task, labels, classes = TARGETS[name]
    random = np.random.default_rng(9)
    if task == "multiclass":
        raw = np.exp(2.0 * np.eye(classes)[labels.astype(int)] + random.normal(0, 1, (len(labels), classes)))
        scores = raw / raw.sum(axis=1, keepdims=True)
    elif task == "binary":
        scores = 1 / (1 + np.exp(-(2.5 * labels + random.normal(size=len(labels)) - 3)))
    else:
        scores = np.maximum(0.6 * labels + 0.4 * labels.mean(), 1e-3)
    for metric, floor in floors(task, labels, len(labels) // 5).items():
        found = value(metric, labels, scores)
        assert (found >= floor) if higher_is_better(metric) else (found <= floor), metric


def test_a_floor_is_stricter_the_fewer_rows_judge() -> None:
    labels = TARGETS["even"][1]
    strict = [floors("binary", labels, judging)["auc"] for judging in (50, 500, 5000)]
    assert strict == sorted(strict, reverse=True)
    assert strict[-1] > 0.5


def labelled(values: Any, classes: tuple[str, ...] = ()) -> Labels:
    return Labels(np.asarray(values, dtype=float), classes, len(classes))


def days(rows: int) -> Any:
    return np.datetime64("2024-01-01", "us") + np.arange(rows).astype("m8[h]")


def test_a_fifth_of_the_rows_judges_the_newest_ones_where_there_is_a_time() -> None:
    labels = labelled(np.arange(5000) % 2)
    found = size("binary", labels, days(5000))
    assert found.by_time
    assert found.judging == pytest.approx(1000, abs=30)
    without = size("binary", labels, None)
    assert (without.by_time, without.judging, without.training.holdout_share) == (False, 1000, 0.2)


def test_a_time_that_leaves_one_class_to_judge_is_not_used_and_that_is_said() -> None:
    ordered = (np.arange(3000) < 2000).astype(float)
    found = size("binary", labelled(ordered), days(3000))
    assert not found.by_time
    assert "of one class" in found.notes[0]


def test_small_tables_get_small_trees_and_rare_outcomes_light_leaves() -> None:
    small = size("binary", labelled(np.arange(200) % 2), None).training
    large = size("binary", labelled(np.arange(20_000) % 2), None).training
    rare = size("binary", labelled((np.arange(200_000) % 500 == 0).astype(float)), None)
    assert (small.max_depth, small.min_child_weight, small.holdout_share) == (3, 1.0, 0.3)
    assert (large.max_depth, large.min_child_weight) == (6, 20.0)
    assert rare.training.min_child_weight == pytest.approx(0.16)
    assert rare.evaluation.metric == "average_precision"
    assert set(rare.evaluation.floors) == {"average_precision", "auc"}
    assert "0.20% are positive" in rare.why["metric"]


def test_many_classes_get_fewer_rounds() -> None:
    classes = tuple(map(str, range(30)))
    found = size("multiclass", labelled(np.arange(9000) % 30, classes), None)
    assert found.training.max_rounds == 40
    assert found.evaluation.metric == "log_loss"


def test_too_few_judges_are_said() -> None:
    found = size("regression", labelled(np.arange(40.0)), None)
    assert "only 12 rows judge" in found.notes[0]
