"""What an experiment is: its arms, whom it assigns, which outcome is better; and the record kept of it. Pure.

Said once, when it starts, and never changed while it runs. What the function needs of it goes into `serving.json`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from lifecycle.metrics import Floats
from lifecycle.serving import Arm, Experiment

_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
_ROUNDING = 1e-9
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Goal = Literal["higher", "lower"]


class ArmPlan(BaseModel):
    """One arm: a model version and the share of the units it gets."""

    model_config = _CLOSED

    name: Name
    weight: Annotated[float, Field(gt=0, lt=1, description="Share of the units, 0 to 1.")]
    model_version: str
    bundle: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ExperimentPlan(BaseModel):
    """What is tried on whom. The first arm is the champion, which requests without a unit get too.

    `alpha`: the chance to name a winner where there is none, over all pairs of arms and however often one looks.
    """

    model_config = _CLOSED

    name: Name
    arms: Annotated[tuple[ArmPlan, ...], Field(min_length=2)]
    column: Annotated[str | None, Field(description="The request's column that names the unit.")] = None
    goal: Annotated[Goal, Field(description="Which label is better.")]
    low: Annotated[float, Field(description="No label lies below.")] = 0.0
    high: Annotated[float, Field(description="No label lies above.")] = 1.0
    alpha: Annotated[float, Field(gt=0, le=0.2)] = 0.05

    @model_validator(mode="after")
    def _can_be_carried_out(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError(f"arms: {names} names one twice")
        total = math.fsum(arm.weight for arm in self.arms)
        if not math.isclose(total, 1, abs_tol=_ROUNDING):
            raise ValueError(f"arms: weights sum to {total:g}, expected 1")
        if len({arm.bundle for arm in self.arms}) != len(self.arms):
            raise ValueError("arms: two of them are the same model")
        if self.low >= self.high:
            raise ValueError(f"labels from {self.low:g} to {self.high:g}: that is no range")
        return self

    def experiment(self) -> Experiment:
        """Return what the function is told. The name is the salt: another experiment assigns anew."""
        arms = tuple(Arm(arm.name, arm.weight, arm.bundle) for arm in self.arms)
        return Experiment(self.name, self.name, arms, self.column)

    def scaled(self, labels: Floats) -> Floats:
        """Return labels (n,) as outcomes within 0 and 1, of which more is better."""
        outcomes: Floats = (labels - self.low) / (self.high - self.low)
        return outcomes if self.goal == "higher" else 1 - outcomes

    def count_outside(self, labels: Floats) -> int:
        """Count the labels (n,) beyond the range; what is no number is beyond it."""
        return int((~((labels >= self.low) & (labels <= self.high))).sum())

    @property
    def champion(self) -> ArmPlan:
        """The arm of the model that serves anyway."""
        return self.arms[0]


class ExperimentRecord(BaseModel):
    """`control/<product>/experiment.json`: the last experiment of a product. Whether it runs, the control record says.

    `planned_at` names the attempt: tried again after it was cut off, it makes the same function version. `own`: the
    function version that carries the champion alone.
    """

    model_config = _CLOSED

    product: str
    plan: ExperimentPlan
    planned_at: AwareDatetime
    planned_by: str
    reason: str
    own: str
    function_version: str | None = None
    stopped_at: AwareDatetime | None = None
    stopped_by: str = ""
    stop_reason: str = ""


def record_key(product: str) -> str:
    """Return where the record of a product's last experiment lies."""
    return f"control/{product}/experiment.json"
