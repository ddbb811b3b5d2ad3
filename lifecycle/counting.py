"""Prediction records to sums per step and arm. Pure, and as large as the number of steps, however many records come.

A record belongs to the step in whose window it was answered, and to the arm whose function version answered; between
two windows it belongs to nobody. Order and batches of records change nothing, and a repeat counts once. Whether the
log told everything is `lifecycle/completeness.py`.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import get_args

from lifecycle.control import Window
from lifecycle.evidence import ArmName
from lifecycle.pairs import Disagreement, disagreement, pairs_of
from lifecycle.predictions import Prediction, Repeats, Score
from lifecycle.refusal import RefusalCode
from lifecycle.release_plan import ReleasePlan
from lifecycle.tally import ArmTally, StepTally, Tally

MINUTE = 60
# Rows that break the contract. `malformed` is no such: the body was not read, whatever the model wants.
BROKEN_CONTRACT = frozenset(get_args(RefusalCode)) - {"malformed"}
_SERVER_FAULT, _CALLERS_FAULT = 500, 400
_NO_PREDICTION = frozenset({"GET", "HEAD", "OPTIONS"})  # health checks and descriptions
# XGBoost's Python package, where its library cannot be opened: equal numbers, a start of seconds.
_FALLBACK = "xgboost-python/"
# The predict function's own word for a model that answered with something that is no number.
_NO_NUMBER = "score_not_finite"


@dataclass(frozen=True)
class Frame:
    """What records are counted by: the plan, when which weight held, who is who, and the edges of the score bins.

    `challenger` and `champion` are function versions. `edges` (k,) ascending make k + 1 bins, open at both ends.
    `bundles`: the challenger's and the champion's, which its version scores along where the product wants a shadow.
    """

    plan: ReleasePlan
    windows: tuple[Window, ...]
    challenger: str
    champion: str
    edges: tuple[float, ...]
    bundles: tuple[str, str] = ("", "")

    def step_of(self, at: datetime) -> int | None:
        """Return the step whose window holds a moment; the window's first moment belongs to it, its last does not."""
        place = bisect_right(self._begins, at) - 1
        if place < 0:
            return None
        window = self._ordered[place]
        return window.step if window.until is None or at < window.until else None

    def arm_of(self, function_version: str) -> ArmName | None:
        """Return the arm of a function version, or None for any other."""
        if function_version == self.challenger:
            return "challenger"
        return "champion" if function_version == self.champion else None

    def version_of(self, arm: ArmName) -> str:
        """Return the function version of an arm."""
        return self.challenger if arm == "challenger" else self.champion

    @cached_property
    def slow_after_ms(self) -> float:
        """The plan's limit in milliseconds."""
        return self.plan.slow_after / timedelta(milliseconds=1)

    @cached_property
    def _ordered(self) -> Sequence[Window]:
        return sorted(self.windows, key=lambda window: window.since)

    @cached_property
    def _begins(self) -> Sequence[datetime]:
        return [window.since for window in self._ordered]


def is_live(record: Prediction) -> bool:
    """Say whether a caller wanted a prediction: no check, no replay, no health question."""
    return record.live and record.method not in _NO_PREDICTION


def fold(frame: Frame, records: Iterable[Prediction], before: Tally, repeats: Repeats) -> Tally:
    """Return the sums with more records in them; what `repeats` has met adds nothing.

    A request too large for a line comes in parts, of which the first stands for it; pairs are in all of them. `before`
    keeps its list of objects: which ones the records came from is the reader's to note.
    """
    sums: dict[tuple[int, ArmName], _Sums] = {}
    apart = before.apart
    for record in records:
        if not repeats.is_new(record):
            continue
        step, arm = frame.step_of(record.at), frame.arm_of(record.function_version)
        if step is not None and arm == "challenger":
            apart = apart.plus(_apart(frame, record))
        if step is not None and arm is not None and record.opens:
            place = (step, arm)
            if place not in sums:
                sums[place] = _Sums(frame)
            sums[place].add(record)
    steps = {one.step: one for one in before.steps}
    for (step, arm), more in sums.items():
        known = steps.get(step, StepTally(step=step))
        steps[step] = known.model_copy(update={arm: more.onto(known.of(arm))})
    return before.model_copy(update={"steps": tuple(steps[step] for step in sorted(steps)), "apart": apart})


@dataclass
class _Sums:
    """What one reading adds to one arm of one step."""

    frame: Frame
    requests: int = 0
    errors: int = 0
    slow: int = 0
    invalid: int = 0
    actions: int = 0
    scores: list[int] = field(default_factory=list)
    recent: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scores = [0] * (len(self.frame.edges) + 1)

    def add(self, record: Prediction) -> None:
        """Count one request. A check sent straight to a version passed no alias, so the metrics do not know it."""
        if not (record.synthetic and record.direct):
            minute = int(record.at.timestamp()) // MINUTE
            self.recent[minute] = self.recent.get(minute, 0) + 1
        if not is_live(record):
            return
        self.requests += 1
        self.errors += record.status >= _SERVER_FAULT or (record.engine or "").startswith(_FALLBACK)
        self.slow += not record.cold and (record.latency_ms or 0.0) > self.frame.slow_after_ms
        self.invalid += _is_invalid(record)
        score = _first_score(record)
        if isinstance(score, float) and math.isfinite(score):
            self.scores[bisect_left(self.frame.edges, score)] += 1
            above = self.frame.plan.act_above
            self.actions += above is not None and score >= above

    def onto(self, known: ArmTally) -> ArmTally:
        """Return the sums of before and these."""
        named = ("requests", "errors", "slow", "invalid", "actions")
        before = known.scores or (0,) * len(self.scores)
        if len(before) != len(self.scores):
            raise ValueError(f"scores in {len(before)} bins so far, now in {len(self.scores)}: the edges changed")
        minutes = known.recent.keys() | self.recent.keys()
        return known.model_copy(
            update={
                **{name: getattr(known, name) + getattr(self, name) for name in named},
                "scores": tuple(a + b for a, b in zip(before, self.scores, strict=True)),
                "recent": {
                    minute: known.recent.get(minute, 0) + self.recent.get(minute, 0) for minute in sorted(minutes)
                },
            }
        )


def _apart(frame: Frame, record: Prediction) -> Disagreement:
    """Return how far apart both models are on a live request's rows; no pairs when only one scored them."""
    own, shadow = frame.bundles
    pairs = pairs_of(record, own=own, shadow=shadow) if record.shadow is not None and is_live(record) else None
    return disagreement(pairs, frame.plan.act_above) if pairs is not None else Disagreement()


def _is_invalid(record: Prediction) -> bool:
    """Say whether the rows broke the model's contract, or an answer holds no number."""
    refused = _CALLERS_FAULT <= record.status < _SERVER_FAULT and record.reason in BROKEN_CONTRACT
    numberless = any(isinstance(score, float) and not math.isfinite(score) for score in record.scores or ())
    missing = bool(record.scores) and None in (record.scores or ())
    return refused or numberless or missing or record.reason == _NO_NUMBER


def _first_score(record: Prediction) -> Score:
    """Return the first row's score; of many classes how sure the model was, as in the reference."""
    first = record.scores[0] if record.scores else None
    return max(first) if isinstance(first, tuple) else first
