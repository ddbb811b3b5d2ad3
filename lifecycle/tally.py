"""What the log and the metrics have told of a release so far: sums per step and arm, kept beside the evidence.

Sums of bounded size, never a request. They only grow, so an outage of the log or of the metrics takes nothing away:
it makes the evidence made of them unknown until it is over. Adding to them is `lifecycle/counting.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.pairs import Disagreement

_CLOSED = ConfigDict(frozen=True, extra="forbid")
Whole = Annotated[int, Field(ge=0)]


class ArmTally(BaseModel):
    """What one version did during one step, as far as it was told."""

    model_config = _CLOSED

    requests: Annotated[Whole, Field(description="Live requests with a record.")] = 0
    errors: Whole = 0
    slow: Whole = 0
    invalid: Whole = 0
    actions: Whole = 0
    scores: Annotated[tuple[Whole, ...], Field(description="Per bin of the champion's scores.")] = ()
    logged: Annotated[Whole, Field(description="Records, those of checks too, in whole minutes that are over.")] = 0
    recent: Annotated[
        dict[int, int], Field(description="The same per minute since 1970, in minutes whose records may yet come.")
    ] = {}
    invocations: Annotated[Whole, Field(description="By the metrics, in the minutes of `logged`.")] = 0
    crashes: Annotated[Whole, Field(description="By the metrics: requests that failed without a record.")] = 0

    @property
    def silent(self) -> bool:
        """Say whether the log told nothing at all."""
        return not (self.requests or self.logged or self.recent)


class StepTally(BaseModel):
    """Both arms during one step."""

    model_config = _CLOSED

    step: Whole
    challenger: ArmTally = ArmTally()
    champion: ArmTally = ArmTally()

    def of(self, arm: Literal["challenger", "champion"]) -> ArmTally:
        """Return one arm."""
        return self.challenger if arm == "challenger" else self.champion


class Tally(BaseModel):
    """Every step, and which log objects are in it, as far as they may be met again. Object ids are short digests."""

    model_config = _CLOSED

    steps: tuple[StepTally, ...] = ()
    apart: Annotated[Disagreement, Field(description="Of the rows that both models scored, in all steps.")] = (
        Disagreement()
    )
    objects: tuple[str, ...] = ()

    def at(self, step: int) -> StepTally:
        """Return what was told of one step; nothing was, when it is new."""
        return next((one for one in self.steps if one.step == step), StepTally(step=step))
