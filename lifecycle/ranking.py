"""Which drifted columns matter to the model: by what their shift does to its answers, not by its size. Pure.

An effect is the change in a feature's mean contribution to the answers where contributions were computed on both
sides, else the shift times the feature's share in the model. It ranks; it is no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from lifecycle.measurement import Measurement, Metric

# As many as fit into one sentence.
NAMED = 3
_OF_A_COLUMN = (Metric.PSI, Metric.KS, Metric.MISSING, Metric.UNSEEN, Metric.CLUMP)


class Contribution(NamedTuple):
    """The mean absolute contribution of a feature to the answers, at training and now, in units of the margin."""

    trained: float
    now: float


class Effect(BaseModel):
    """A drifted column and what its shift does. `shift`: the largest of its measures, relative to its threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    column: str
    effect: float
    shift: float
    importance: float
    metrics: tuple[Metric, ...]

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.column} ({', '.join(self.metrics)} at {self.shift:.1f} times the threshold)"


def rank(
    measurements: Sequence[Measurement], contributions: Mapping[str, Contribution] | None = None
) -> tuple[Effect, ...]:
    """Return the columns that alert, the one that changes the answers most first.

    `contributions`: of all features or none, since their unit is another. A feature whose contributions are not
    given then has no effect, and comes last.
    """
    alerting: dict[str, list[Measurement]] = {}
    for one in measurements:
        if one.alerts and one.column is not None and one.metric in _OF_A_COLUMN:
            alerting.setdefault(one.column, []).append(one)
    found = [_effect(column, group, contributions) for column, group in alerting.items()]
    return tuple(sorted(found, key=lambda one: (-one.effect, -one.shift, one.column)))


def _effect(column: str, group: Sequence[Measurement], contributions: Mapping[str, Contribution] | None) -> Effect:
    shift = max(_times(one) for one in group)
    importance = group[0].importance or 0.0
    if contributions is None:
        effect = importance * shift
    else:
        before, now = contributions.get(column, Contribution(0.0, 0.0))
        effect = abs(now - before)
    metrics = tuple(sorted({one.metric for one in group}))
    return Effect(column=column, effect=effect, shift=shift, importance=importance, metrics=metrics)


def _times(one: Measurement) -> float:
    """Return how many thresholds above the usual value a measure lies: a unit that all metrics share."""
    if one.statistic is None or one.threshold is None or one.usual is None:
        return 0.0
    room = one.threshold - one.usual
    return (one.statistic - one.usual) / room if room > 0 else 0.0
