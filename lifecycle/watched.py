"""Which columns of a model are watched, and as what: the training profile and every later window by one rule.

Raw columns are watched as they came, features as the model gets them: a fault shows in the raw one, an effect only
through a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lifecycle.columns import Array, Columns, level, missing, normalise
from lifecycle.features import FittedFeatures
from lifecycle.metrics import Floats


@dataclass(frozen=True)
class Watched:
    """Columns of n rows: numbers as float64 with NaN, categories as the text of their level with None."""

    numbers: Columns
    categories: Columns

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return len(next(iter({**self.numbers, **self.categories}.values())))


def watched(features: FittedFeatures, columns: Columns) -> Watched:
    """Sort raw `columns` and the features made of them into what is watched.

    A raw column that is a feature as it is counts once. Dates are left out: a later event time is no drift. Levels of
    a derived category that training never saw are missing, as they are for the model. Raises ProductError.
    """
    raw = _raw(features, columns)
    numbers: dict[str, Array] = {}
    categories: dict[str, Array] = {}
    for column in features.spec.inputs:
        if column.type == "string" or column.name in features.spec.categories:
            categories[column.name] = _texts(raw[column.name])
        elif column.type != "datetime":
            numbers[column.name] = raw[column.name]
    matrix = features.transform(columns)
    for at, (name, kind) in enumerate(zip(features.feature_names, features.feature_types, strict=True)):
        if name in raw:
            continue
        values = matrix[:, at].astype(np.float64)
        if kind == "c":
            categories[name] = _decoded(values, features.levels[name])
        else:
            numbers[name] = values
    return Watched(numbers, categories)


def watched_scores(scores: Floats) -> Floats:
    """Return one score per row (n,): the score itself, or of many classes (n, classes) how sure the model was."""
    return scores if scores.ndim == 1 else np.asarray(scores.max(axis=1), dtype=np.float64)


def watched_labels(scores: Floats, labels: Floats) -> Floats:
    """Return the label (n,) that belongs to the watched score: of many classes, whether the likeliest was right."""
    if scores.ndim == 1:
        return labels
    right = np.argmax(scores, axis=1) == labels
    return np.where(np.isnan(labels), np.nan, right.astype(np.float64))


def _raw(features: FittedFeatures, columns: Columns) -> Mapping[str, Array]:
    rows = len(next(iter(columns.values())))
    return {
        one.name: normalise(one, columns[one.name]) if one.name in columns else missing(one, rows)
        for one in features.spec.inputs
    }


def _texts(values: Array) -> Array:
    """Return the level of every value; a value that comes up again is read once."""
    plain = values.tolist()
    known = {value: level(value) for value in set(plain)}
    found = np.empty(len(plain), dtype=object)
    found[:] = [known[value] for value in plain]
    return found


def _decoded(codes: Array, levels: tuple[str, ...]) -> Array:
    known = np.array([*levels, None], dtype=object)
    return np.asarray(known[np.where(np.isnan(codes), len(levels), codes).astype(np.int64)])
