"""Who was exposed to which arm first, and what became of them: prediction records and labels to outcomes. Pure.

Order and repeats of records change nothing. It holds one entry per unit, no request and no row. Labels belong to
predictions, so a unit's is that of the first row of its first request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from lifecycle.assignment import arm_at
from lifecycle.experiment import ArmOutcomes, Observed
from lifecycle.experiment_plan import ExperimentPlan
from lifecycle.predictions import Prediction


@dataclass(frozen=True, order=True, slots=True)
class First:
    """A unit's first exposure; the earlier is the smaller, and of two at the same time the id decides."""

    at: datetime
    request_id: str
    arm: str

    @property
    def prediction_id(self) -> str:
        """The prediction whose label is the unit's outcome."""
        return f"{self.request_id}-0"


@dataclass(frozen=True)
class Label:
    """A label as it was told; `value` None is one that is no number."""

    prediction_id: str
    value: float | None
    at: datetime


@dataclass
class Exposures:
    """Fills up with records of one experiment, then with labels. `misplaced`: records whose arm is not the unit's."""

    plan: ExperimentPlan
    function_version: str
    first: dict[str, First] = field(default_factory=dict)
    misplaced: int = 0

    def add(self, record: Prediction) -> None:
        """Take in one record; one that exposed nobody, or belongs to something else, changes nothing."""
        mine = record.experiment == self.plan.name and record.function_version == self.function_version
        if not mine or not record.live or not record.opens or record.unit is None or record.arm is None:
            return
        if arm_at(self.plan.experiment(), record.unit).name != record.arm:
            self.misplaced += 1
            return
        found = First(record.at, record.request_id, record.arm)
        known = self.first.get(record.unit)
        if known is None or found < known:
            self.first[record.unit] = found

    def observed(self, labels: Iterable[Label]) -> Observed:
        """Return what is known with these labels; of several for one prediction the one true since last counts."""
        arms = {first.prediction_id: first.arm for first in self.first.values()}
        told: dict[str, Label] = {}
        for label in labels:
            known = told.get(label.prediction_id)
            if label.prediction_id in arms and (known is None or label.at >= known.at):
                told[label.prediction_id] = label
        values: dict[str, list[float]] = {arm.name: [] for arm in self.plan.arms}
        for label in told.values():
            if label.value is not None:
                values[arms[label.prediction_id]].append(label.value)
        exposed = {arm.name: 0 for arm in self.plan.arms}
        for first in self.first.values():
            exposed[first.arm] += 1
        outcomes = tuple(
            ArmOutcomes(arm, exposed[arm.name], np.asarray(values[arm.name], dtype=np.float64))
            for arm in self.plan.arms
        )
        return Observed(outcomes, self.misplaced, sum(label.value is None for label in told.values()))
