"""Columns that give the target away: what alone predicts it, what adds up to it, what is known only afterwards.

Looked for on the raw columns before anything is trained, so that a person hears of it by name. The training's own
guard, `lifecycle/leakage.py`, looks again at every model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array, is_missing, level
from lifecycle.leakage import Leak, Part, leaks
from lifecycle.metrics import Floats, TaskKind

# As in EvaluationPolicy.leak_threshold: the best fair column in the tables tried reached .975 (AUC).
THRESHOLD = 0.98
# Titanic's lifeboat, known only after the event, reaches .97: not beyond doubt, so it stays and a person is asked.
SUSPICIOUS = 0.95
# Sums are exact or they are none; what is left is rounding.
_EXACT = 0.9999
# A share of an added column's part below this is noise of the solution.
_PART = 0.01
# Nearly always afterwards; a few clocks are wrong.
_AFTER = 0.9
_LOOKED_AT = 20_000


def that_predict(
    names: Sequence[str], columns: Mapping[str, Array], task: TaskKind, labels: Floats, threshold: float = THRESHOLD
) -> list[Leak]:
    """Return the columns that alone predict the label of rows they were not looked at, strongest first."""
    rows = np.flatnonzero(~np.isnan(labels))[:: max(1, len(labels) // _LOOKED_AT)]
    fit, later = rows[::2], rows[1::2]
    if not names or len(np.unique(labels[fit])) < 2 or len(np.unique(labels[later])) < 2:  # noqa: PLR2004
        return []
    matrix = np.column_stack([_as_numbers(columns[name], labels, fit) for name in names]).astype(np.float32)
    parts = (Part(matrix[fit], labels[fit]), Part(matrix[later], labels[later]))
    return list(leaks(names, task, *parts, threshold))


def that_add_up(names: Sequence[str], columns: Mapping[str, Array], labels: Floats) -> tuple[str, ...]:
    """Return the number columns that, weighted and added, are the target itself; none when there are none."""
    if len(names) < 2:  # noqa: PLR2004  one alone is found as a predictor
        return ()
    matrix = np.column_stack([columns[name] for name in names])
    rows = np.flatnonzero(~np.isnan(labels) & ~np.isnan(matrix).any(axis=1))[:_LOOKED_AT]
    if len(rows) < 5 * len(names):
        return ()
    spread = matrix[rows].std(axis=0)
    scaled = (matrix[rows] - matrix[rows].mean(axis=0)) / np.where(spread > 0, spread, 1)
    wanted = labels[rows] - labels[rows].mean()
    weights, *_ = np.linalg.lstsq(scaled, wanted, rcond=None)
    left = wanted - scaled @ weights
    if not wanted.std() or 1 - left.var() / wanted.var() < _EXACT:
        return ()
    part = np.abs(weights) / wanted.std()
    return tuple(name for name, share in zip(names, part, strict=True) if share > _PART)


def that_come_later(names: Sequence[str], columns: Mapping[str, Array], time: str) -> dict[str, float]:
    """Return the date columns that lie after the event in nearly every row that has them, with that share."""
    found = {}
    for name in names:
        known = ~np.isnat(columns[name]) & ~np.isnat(columns[time])
        if known.any() and (share := float((columns[name][known] > columns[time][known]).mean())) >= _AFTER:
            found[name] = share
    return found


def _as_numbers(values: Array, labels: Floats, fit: NDArray[np.intp]) -> Floats:
    """Return a column as numbers; texts by the order of their mean label in the rows `fit`, unseen ones missing."""
    if values.dtype.kind == "M":
        days = (values - np.datetime64(0, "us")) / np.timedelta64(1, "D")
        return np.asarray(days, dtype=np.float64)
    if values.dtype.kind != "O":
        return np.asarray(values, dtype=np.float64)
    sums: dict[str, tuple[float, int]] = {}
    for row in fit.tolist():
        if not is_missing(values[row]):
            total, count = sums.get(values[row], (0.0, 0))
            sums[values[row]] = (total + labels[row], count + 1)
    ranked = sorted(sums, key=lambda text: (sums[text][0] / sums[text][1], text))
    place = {text: float(at) for at, text in enumerate(ranked)}
    return np.array([np.nan if (text := level(value)) is None else place.get(text, np.nan) for value in values])
