"""The training profile that travels in the bundle: what the inputs and the scores looked like when it was trained.

Counts over quantile bins and over levels, of bounded size, never a row's values beyond the edges. Comparing
later data with it is the business of the drift rules.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from lifecycle.columns import Array, Column, Columns
from lifecycle.evaluation import Scorecard
from lifecycle.metrics import Floats

FORMAT = 1
# 200 quantiles keep a KS distance within 1/200 of the exact one; many columns share the budget, so that the file
# stays near half a megabyte, and ten bins are the usual least for a PSI.
_BINS, _BUDGET, _FEWEST_BINS = 200, 40_000, 10
_MAX_LEVELS, _SCORE_BINS = 255, 20


def profile(inputs: Sequence[Column], columns: Columns, scores: Floats, card: Scorecard) -> str:
    """Return reference.json: the training rows' input columns, and the scores (n,) of the holdout.

    Datetime columns are left out: a later event time is no drift.
    """
    numbers = [column.name for column in inputs if column.type in ("double", "long", "boolean")]
    texts = [column.name for column in inputs if column.type == "string"]
    bins = max(_FEWEST_BINS, min(_BINS, _BUDGET // max(len(numbers), 1)))
    known: dict[str, object] = {
        "format": FORMAT,
        "rows": len(next(iter(columns.values()))),
        "numbers": {name: _numbers(columns[name], bins) for name in numbers},
        "categories": {name: _levels(columns[name]) for name in texts},
        "scores": _numbers(scores, _SCORE_BINS),
        "holdout": {"rows": card.rows, "base": card.base, "calibration_error": card.calibration_error},
        "metrics": dict(card.metrics),
    }
    return json.dumps(known, indent=None, separators=(",", ":"), ensure_ascii=True, allow_nan=False) + "\n"


def _numbers(values: Array, bins: int) -> Mapping[str, object]:
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
