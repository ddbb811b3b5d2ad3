"""The training profile that travels in the bundle: what the inputs and the scores looked like when it was trained.

Counts over quantile bins and over levels, of bounded size, never a row's values beyond the edges. Reading it back is
`lifecycle/profiles.py`, comparing later data with it `lifecycle/drift.py`.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lifecycle.columns import Array
from lifecycle.evaluation import Scorecard
from lifecycle.metrics import Floats
from lifecycle.watched import Watched

FORMAT = 2
# 200 quantiles keep a KS distance within 1/200 of the exact one; many columns share the budget, so that the file
# stays near half a megabyte, and ten bins are the usual least for a PSI.
_BINS, _BUDGET, _FEWEST_BINS = 200, 40_000, 10
_MAX_LEVELS, _SCORE_BINS = 255, 20


@dataclass(frozen=True)
class OnHoldout:
    """The model on its holdout: scores and labels (n,), and what they came to."""

    scores: Floats
    labels: Floats
    card: Scorecard


def profile(trained: Watched, tested: OnHoldout, importance: Mapping[str, float], *, rows: int | None = None) -> str:
    """Return reference.json of the training rows, the holdout, and each feature's share of the model's gain.

    `rows`: how many trained, where not every column is told of.
    """
    bins = max(_FEWEST_BINS, min(_BINS, _BUDGET // max(len(trained.numbers), 1)))
    card, scores = tested.card, _numbers(tested.scores, _SCORE_BINS)
    known: dict[str, object] = {
        "format": FORMAT,
        "rows": trained.rows if rows is None else rows,
        "numbers": {name: _numbers(values, bins) for name, values in trained.numbers.items()},
        "categories": {name: _levels(values) for name, values in trained.categories.items()},
        "importance": dict(importance),
        "scores": scores,
        "holdout": {
            "rows": card.rows,
            "base": _number(card.base),
            "calibration_error": _number(card.calibration_error),
            "labels": _labels(tested, scores["edges"]),
        },
        "metrics": {name: _number(value) for name, value in card.metrics.items()},
    }
    return json.dumps(known, indent=None, separators=(",", ":"), ensure_ascii=True, allow_nan=False) + "\n"


def _numbers(values: Array, bins: int) -> dict[str, list[float] | list[int] | int]:
    """Count values between quantile edges; the first and last bins are open, missing values counted apart."""
    present = values[~np.isnan(values)]
    if not len(present):
        return {"edges": [], "counts": [0], "missing": len(values)}
    edges = np.unique(np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1]))
    counts = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "missing": int(len(values) - len(present))}


def _levels(values: Array) -> Mapping[str, object]:
    counts = Counter(text for text in values.tolist() if text is not None)
    kept = sorted(counts, key=lambda text: (-counts[text], text))[:_MAX_LEVELS]
    other = sum(counts.values()) - sum(counts[text] for text in kept)
    return {
        "levels": {text: counts[text] for text in kept},
        "other": other,
        "missing": len(values) - sum(counts.values()),
    }


def _labels(tested: OnHoldout, edges: object) -> list[float]:
    """Sum the labels per bin of the scores."""
    bounds = np.asarray(edges, dtype=np.float64)
    present = ~np.isnan(tested.scores)
    found = np.searchsorted(bounds, tested.scores[present], side="left")
    sums = np.bincount(found, weights=tested.labels[present], minlength=len(bounds) + 1)
    return [float(one) for one in sums]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
