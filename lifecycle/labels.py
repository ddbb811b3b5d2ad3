"""The label of each row: a number, or the code of a class, read off the delivered target.

Classes are texts: 3, 3.0 and "3" are one class, as everywhere. Which of them a model knows is decided by the rows
it is trained on: classes that only later rows have come last, and every model gives them no chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array, level
from lifecycle.declaration import Target
from lifecycle.errors import TrainingError
from lifecycle.metrics import Floats, TaskKind

_TWO = 2


@dataclass(frozen=True)
class Labels:
    """Labels (n,), NaN where unknown. `classes`: what codes mean, the first `known` of them the model's own."""

    values: Floats
    classes: tuple[str, ...] = ()
    known: int = 0

    @property
    def model_classes(self) -> tuple[str, ...]:
        """Return the classes a model trained on these labels tells apart; none for a number."""
        return self.classes[: self.known]

    def where(self, counts: NDArray[np.bool_]) -> Labels:
        """Return the same labels, unknown where a row (n,) does not count."""
        return Labels(np.where(counts, self.values, np.nan), self.classes, self.known)

    def known_by(self, train: NDArray[np.intp]) -> Labels:
        """Return the same labels of many classes with those of the training rows first, in their order."""
        if len(self.classes) <= _TWO:
            return self
        seen = set(np.unique(self.values[train][~np.isnan(self.values[train])]).astype(int).tolist())
        order = sorted(range(len(self.classes)), key=lambda code: (code not in seen, code))
        place = np.empty(len(order))
        place[order] = np.arange(len(order))
        labelled = ~np.isnan(self.values)
        values = np.full(len(self.values), np.nan)
        values[labelled] = place[self.values[labelled].astype(np.int64)]
        return Labels(values, tuple(self.classes[code] for code in order), len(seen))


def read_labels(task: TaskKind, target: Target, values: Array) -> Labels:
    """Return the labels of a delivered column (n,). Raises TrainingError naming what cannot be a label."""
    if task == "multiclass":
        return _of_classes(target.column, values)
    if task == "binary" and target.classes:
        return _of_two(target, values)
    classes = ("0", "1") if task == "binary" else ()
    return Labels(_numbers(task, target, values), classes, len(classes))


def aligned(scores: Floats, classes: Sequence[str], to: Sequence[str]) -> Floats:
    """Return scores (n, classes) of a model in the order of other classes; those it does not know get no chance."""
    if scores.ndim == 1:
        return scores
    found = np.zeros((len(scores), len(to)))
    for column, name in enumerate(classes):
        if name in to:
            found[:, list(to).index(name)] = scores[:, column]
    return found


def natural(texts: Sequence[str]) -> list[str]:
    """Sort class names, numbers by their value and before words."""

    def key(text: str) -> tuple[int, float, str]:
        try:
            return (0, float(text), text)
        except ValueError:
            return (1, 0.0, text)

    return sorted(texts, key=key)


def _of_classes(column: str, values: Array) -> Labels:
    if values.dtype.kind == "M":
        raise _no_label(column, "dates", "`type: string` or `long`")
    texts = [level(value) for value in values.tolist()]
    classes = tuple(natural(sorted({text for text in texts if text is not None})))
    code = {text: float(at) for at, text in enumerate(classes)}
    labels = np.array([np.nan if text is None else code[text] for text in texts], dtype=np.float64)
    return Labels(labels, classes, len(classes))


def _of_two(target: Target, values: Array) -> Labels:
    texts = [level(value) for value in values.tolist()]
    code = {text: float(at) for at, text in enumerate(target.classes)}
    if strange := {text for text in texts if text is not None and text not in code}:
        raise TrainingError(
            f"The target {target.column!r} holds other values than its two classes.",
            detail=f"{len(strange)} more than {' and '.join(map(repr, target.classes))}.",
            resolution="Mend `target.classes` in product.yaml, or say `task: multiclass`.",
        )
    labels = np.array([np.nan if text is None else code[text] for text in texts], dtype=np.float64)
    return Labels(labels, target.classes, _TWO)


def _numbers(task: TaskKind, target: Target, values: Array) -> Floats:
    if values.dtype.kind not in "fiub":
        raise _no_label(target.column, f"{values.dtype}", "`type: double`, `long` or `boolean`")
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    if task == "binary" and target.at_least is not None:
        return np.where(missing, np.nan, (numbers >= target.at_least).astype(np.float64))
    if task == "binary" and not np.isin(numbers[~missing], (0.0, 1.0)).all():
        raise TrainingError(
            f"The target {target.column!r} is not binary.",
            detail=f"It holds {len(np.unique(numbers[~missing]))} different values, expected 0 and 1.",
            resolution="Say `target.at_least` or `target.classes` in product.yaml, or another task.",
        )
    if task == "counts" and (numbers[~missing] < 0).any():
        raise TrainingError(
            f"The target {target.column!r} holds no counts.",
            detail=f"The least is {float(numbers[~missing].min()):g}, expected 0 or more.",
            resolution="Say `task: regression` in product.yaml.",
        )
    return numbers


def _no_label(column: str, found: str, types: str) -> TrainingError:
    return TrainingError(
        f"The target {column!r} holds no numbers.",
        detail=f"It is read as {found}.",
        resolution=f"Say {types} for it in product.yaml, or name its two values in `target.classes`.",
    )
