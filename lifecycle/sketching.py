"""Predictions to a sketch: request by request what was answered, and chunk by chunk what the rows held. Pure.

It keeps sums and no rows, so memory does not grow with the log. Turning logged rows into columns is `tasks/`'
business, adding sketches up is `lifecycle/sketch.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array
from lifecycle.counting import BROKEN_CONTRACT, is_live
from lifecycle.metrics import Floats
from lifecycle.predictions import Prediction, Score
from lifecycle.profiles import Levels, Numbers, Reference
from lifecycle.sketch import KEPT_CODES, Latency, LevelCounts, NumberCounts, Sketch, Tally, empty, latency_bin
from lifecycle.watched import Watched

# Bundle of requests that no model was opened for.
NO_BUNDLE = "none"
# Scores are float32: a millionth is below their own precision near one.
UNIT = 1_000_000
_FAULT, _CALLERS_FAULT = 500, 400
_NO_SCORES = Numbers(edges=(), counts=(0,), missing=0)
_LONGEST_NAME = 200
Ints = NDArray[np.int64]


@dataclass
class Sketching:
    """Adds up what came to one bundle. `reference` is None where no model was opened or its profile is not readable."""

    bundle: str
    reference: Reference | None
    _counts: Counter[str] = field(default_factory=Counter)
    _statuses: Counter[int] = field(default_factory=Counter)
    _reasons: Counter[str] = field(default_factory=Counter)
    _violations: Counter[str] = field(default_factory=Counter)
    _latency: Counter[int] = field(default_factory=Counter)
    _warm: Counter[int] = field(default_factory=Counter)
    _numbers: dict[str, Ints] = field(default_factory=dict)
    _levels: dict[str, LevelCounts] = field(default_factory=dict)
    _sums: Ints | None = None

    @property
    def scores(self) -> Numbers:
        """Return the profile of the scores."""
        return self.reference.scores if self.reference is not None else _NO_SCORES

    def add_request(self, record: Prediction) -> None:
        """Count a request: give every record, each once. Of a request in parts the first one stands for it."""
        if not is_live(record):
            self._counts["synthetic"] += record.synthetic and record.opens
            return
        self._counts["rows"] += len(record.scores or ())
        if not record.opens:
            return
        self._counts["requests"] += 1
        self._counts["cold"] += record.cold
        self._counts["failed"] += record.status >= _FAULT
        self._counts["refused"] += _CALLERS_FAULT <= record.status < _FAULT and record.reason in BROKEN_CONTRACT
        self._statuses[record.status] += 1
        if record.reason:
            self._reasons[record.reason[:_LONGEST_NAME]] += 1
        self._violations.update(_violations(record.violations))
        if record.latency_ms is not None:
            place = latency_bin(record.latency_ms)
            self._latency[place] += 1
            if not record.cold:
                self._warm[place] += 1

    def add_scores(self, scores: Floats) -> None:
        """Count scores (n,), one per answered row; what is no number is counted as missing."""
        counted = count_numbers(self.scores, scores)
        self._numbers[""] = self._numbers.get("", 0) + counted
        finite = scores[np.isfinite(scores)]
        places = np.searchsorted(np.asarray(self.scores.edges), finite, side="left")
        added = np.bincount(places, weights=np.rint(finite * UNIT), minlength=len(self.scores.counts))
        self._sums = added.astype(np.int64) + (0 if self._sums is None else self._sums)

    def add_columns(self, seen: Watched) -> None:
        """Count the columns of described rows. Columns that the profile does not know are left out."""
        if self.reference is None:
            return
        self._counts["described"] += seen.rows
        for name, numbers in self.reference.numbers.items():
            self._numbers[name] = self._numbers.get(name, 0) + count_numbers(numbers, seen.numbers[name])
        for name, levels in self.reference.categories.items():
            counted = count_levels(levels, seen.categories[name])
            self._levels[name] = self._levels[name].merged(counted) if name in self._levels else counted

    def sketch(self) -> Sketch:
        """Return the sums so far."""
        reference = self.reference
        start = empty(
            self.bundle,
            reference.numbers if reference else {},
            reference.categories if reference else {},
            self.scores,
        )
        counted = {name: _number_counts(self._numbers[name]) for name in start.numbers if name in self._numbers}
        scored = {"scored": _number_counts(self._numbers[""])} if "" in self._numbers else {}
        sums = {} if self._sums is None else {"score_sums": tuple(self._sums.tolist())}
        return start.model_copy(
            update={
                **{name: int(count) for name, count in self._counts.items()},
                **scored,
                **sums,
                "statuses": dict(sorted(self._statuses.items())),
                "reasons": Tally(most=KEPT_CODES).plus(self._reasons),
                "violations": Tally(most=KEPT_CODES).plus(self._violations),
                "latency": Latency(bins=dict(sorted(self._latency.items()))),
                "warm": Latency(bins=dict(sorted(self._warm.items()))),
                "numbers": {**start.numbers, **counted},
                "categories": {**start.categories, **self._levels},
            }
        )


def single(score: Score) -> float:
    """Return the watched number of one answer: the score, or of many classes how sure the model was; NaN for none."""
    if score is None:
        return float("nan")
    return max(score) if isinstance(score, tuple) else score


def count_numbers(profile: Numbers, values: Array) -> Ints:
    """Return counts (k,) of values (n,) over a profile's bins, and behind them how many are missing: (k + 1,)."""
    finite = values[np.isfinite(values)]
    places = np.searchsorted(np.asarray(profile.edges), finite, side="left")
    counts = np.bincount(places, minlength=len(profile.counts)).astype(np.int64)
    return np.append(counts, len(values) - len(finite))


def count_levels(profile: Levels, values: Array) -> LevelCounts:
    """Return the counts of levels (n,), None for missing, over those a profile names."""
    found = Counter(values.tolist())
    missing = found.pop(None, 0)
    strange = {name: count for name, count in found.items() if name not in profile.levels}
    levels = {name: found[name] for name in profile.levels}
    return LevelCounts(levels=levels, unseen=Tally().plus(strange), missing=missing)


def _number_counts(counted: Ints) -> NumberCounts:
    *counts, missing = counted.tolist()
    return NumberCounts(counts=tuple(counts), missing=missing)


def _violations(noted: object) -> Mapping[str, int]:
    """Count what was odd about a request: `unseen carrier`, `extra_columns`, `ignored_params`."""
    if not isinstance(noted, dict):
        return {}
    unseen = noted.get("unseen")
    names = unseen.keys() if isinstance(unseen, dict) else ()
    plain = [name for name in noted if name != "unseen"]
    return dict.fromkeys([*(f"unseen {name}"[:_LONGEST_NAME] for name in names), *plain], 1)
