"""Rows that two models scored in one request: how far apart they are, and whose losses are larger once labels come.

Pure. Pairs come from a shadow, so both models saw the same rows at the same time; what they differ in is the models
alone. Sums add up over any number of readings. Which difference matters is decided by whoever looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lifecycle.metrics import Floats
from lifecycle.predictions import Prediction, Score

_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Pairs:
    """Scores (n,) or (n, classes) of the model that answered and of its shadow, and the rows' prediction ids (n)."""

    ids: tuple[str, ...]
    own: Floats
    shadow: Floats

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.ids)


class Disagreement(BaseModel):
    """How far apart two models are, as sums. `distance`: of absolute differences, of classes half of all of them.

    `decided`: pairs of which both decisions are known, `flipped`: those where they differ.
    """

    model_config = _CLOSED

    pairs: Annotated[int, Field(ge=0)] = 0
    distance: Annotated[float, Field(ge=0)] = 0.0
    decided: Annotated[int, Field(ge=0)] = 0
    flipped: Annotated[int, Field(ge=0)] = 0

    def plus(self, more: Self) -> Self:
        """Return both together."""
        return self.model_copy(
            update={
                "pairs": self.pairs + more.pairs,
                "distance": self.distance + more.distance,
                "decided": self.decided + more.decided,
                "flipped": self.flipped + more.flipped,
            }
        )

    @property
    def mean_distance(self) -> float | None:
        """Return the mean absolute difference; None without pairs."""
        return self.distance / self.pairs if self.pairs else None

    @property
    def flipped_share(self) -> float | None:
        """Return the share of rows the models decide differently on, 0 to 1; None when no decision is known."""
        return self.flipped / self.decided if self.decided else None


@dataclass(frozen=True)
class Span:
    """Where numbers are held to lie when their squared errors are compared: beyond it they count as at its end."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse a span of nothing."""
        if not self.low < self.high:
            raise ValueError(f"a span from {self.low} to {self.high} holds no numbers")

    @property
    def bound(self) -> float:
        """Return the largest difference of two squared errors there can be: what `PairedBets.bound` must be."""
        return (self.high - self.low) ** 2


# Of probabilities; half the sum over the classes stays within it too.
PROBABILITIES = Span(0.0, 1.0)


def pairs_of(record: Prediction, *, own: str, shadow: str) -> Pairs | None:
    """Return the pairs of one record, or None when these two bundles did not both score it.

    Rows without a number on either side are left out. A part of a request gives the pairs of its rows.
    """
    other = record.shadow
    if other is None or (record.bundle, other.bundle) != (own, shadow) or record.scores is None or other.scores is None:
        return None
    rows = [
        (f"{record.request_id}-{record.first_row + row}", mine, theirs)
        for row, (mine, theirs) in enumerate(zip(record.scores, other.scores, strict=True))
        if mine is not None and theirs is not None and _width(mine) == _width(theirs)
    ]
    if not rows:
        return None
    ids, mine_, theirs_ = zip(*rows, strict=True)
    return Pairs(ids, np.asarray(mine_, dtype=np.float64), np.asarray(theirs_, dtype=np.float64))


def disagreement(pairs: Pairs, cut_off: float | None = None) -> Disagreement:
    """Return how far apart the models are on these pairs.

    Of numbers a decision is whether they reach the `cut_off`, unknown without one; of classes it is the likeliest.
    """
    gaps = np.abs(pairs.own - pairs.shadow)
    if pairs.own.ndim > 1:
        gaps = gaps.sum(axis=1) / 2
        flips = pairs.own.argmax(axis=1) != pairs.shadow.argmax(axis=1)
    elif cut_off is not None:
        flips = (pairs.own >= cut_off) != (pairs.shadow >= cut_off)
    else:
        return Disagreement(pairs=len(pairs), distance=float(gaps.sum()))
    return Disagreement(pairs=len(pairs), distance=float(gaps.sum()), decided=len(pairs), flipped=int(flips.sum()))


def loss_differences(pairs: Pairs, labels: Mapping[str, float], span: Span = PROBABILITIES) -> Floats:
    """Return squared error of the own model minus the shadow's (m,), on the pairs whose label is known.

    For probabilities that is the Brier score. `labels` by prediction id: a number, or the code of a class. Every
    difference lies within `span.bound`, so it can be bet on (`lifecycle.sequential.PairedBets`); give each pair once.
    """
    known = [row for row, one in enumerate(pairs.ids) if one in labels]
    truth = np.asarray([labels[pairs.ids[row]] for row in known], dtype=np.float64)
    return _squared(pairs.own[known], truth, span) - _squared(pairs.shadow[known], truth, span)


def _squared(scores: Floats, truth: Floats, span: Span) -> Floats:
    if scores.ndim > 1:
        hits = np.arange(scores.shape[1])[None, :] == truth[:, None]
        found: Floats = ((scores - hits) ** 2).sum(axis=1) / 2
        return found
    errors: Floats = (np.clip(scores, span.low, span.high) - np.clip(truth, span.low, span.high)) ** 2
    return errors


def _width(score: Score) -> int:
    return len(score) if isinstance(score, Sequence) else 0
