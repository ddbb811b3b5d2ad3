"""What a release is judged on: counts of both arms, step by step, and how strongly they speak. Pure.

A number that is not known is None, which is not zero. Counts are of live requests only; what was replayed is
noted apart. Collecting them belongs to `tasks/`, deciding to `lifecycle/rollout.py`, the tests themselves are in
`lifecycle/sequential.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.pairs import Disagreement
from lifecycle.sequential import (
    ArmEvents,
    PairedBets,
    Trials,
    exceeds_log_e,
    multinomial_log_e,
    rate_ratio_log_e,
)
from lifecycle.tally import Tally

Guard = Literal["errors", "slow", "invalid"]
ArmName = Literal["challenger", "champion"]
GUARDS: tuple[Guard, ...] = get_args(Guard)
FULL = 1.0
# At full weight the champion should get nothing; a moved alias takes seconds to reach every host of the service.
STRAY_SHARE = 0.01
_CLOSED = ConfigDict(frozen=True, extra="forbid")
Count = Annotated[int | None, Field(ge=0)]


class Arm(BaseModel):
    """What one version answered during one step. None: not known."""

    model_config = _CLOSED

    requests: Annotated[Count, Field(description="Requests, the failed ones too.")] = None
    errors: Annotated[Count, Field(description="Requests that failed or were answered by a fallback.")] = None
    slow: Annotated[Count, Field(description="Later than the plan's `slow_after`; cold starts left out.")] = None
    invalid: Annotated[Count, Field(description="Answers with a score that is no number or out of contract.")] = None
    actions: Annotated[Count, Field(description="Answers that made the business act: over the cut-off.")] = None
    scores: Annotated[tuple[int, ...] | None, Field(description="Scores per bin; both arms use one set of edges.")] = (
        None
    )

    @property
    def scored(self) -> int | None:
        """Return how many scores were counted, if they were."""
        return None if self.scores is None else sum(self.scores)


class StepEvidence(BaseModel):
    """Both arms over the same time, at one weight."""

    model_config = _CLOSED

    step: Annotated[int, Field(ge=0, description="Index into the plan's steps.")]
    weight: Annotated[float, Field(gt=0, le=1, description="The challenger's configured share of requests.")]
    challenger: Arm = Arm()
    champion: Arm = Arm()
    replayed: Annotated[int, Field(ge=0, description="Logged requests replayed; never part of the arms.")] = 0
    replay_failed: Annotated[int, Field(ge=0, description="Replayed requests that got no prediction.")] = 0

    @property
    def compares(self) -> bool:
        """Say whether both arms get traffic."""
        return self.weight < FULL

    def arms(self) -> tuple[tuple[ArmName, Arm], ...]:
        """Return the arms that have to be known: at full weight there is nobody to compare with."""
        both: tuple[tuple[ArmName, Arm], ...] = (("challenger", self.challenger), ("champion", self.champion))
        return both if self.compares else both[:1]


class Evidence(BaseModel):
    """Everything known about a release: one entry a step, in any order."""

    model_config = _CLOSED

    steps: tuple[StepEvidence, ...] = ()
    labels: Annotated[PairedBets | None, Field(description="Losses on rows both models scored, once labels came.")] = (
        None
    )
    disagreement: Annotated[
        Disagreement | None, Field(description="How far apart both models are on rows both scored.")
    ] = None
    alarms: Annotated[tuple[str, ...], Field(description="Names of the challenger's alarms that fired.")] = ()
    tally: Annotated[Tally, Field(description="The sums `steps` is made of; nothing is judged on them.")] = Tally()

    @model_validator(mode="after")
    def _every_step_once(self) -> Self:
        twice = [step for step, times in Counter(one.step for one in self.steps).items() if times > 1]
        if twice:
            raise ValueError(f"steps: {sorted(twice)} listed twice; add the counts up")
        return self

    def at(self, step: int) -> StepEvidence | None:
        """Return what is known of one step."""
        return next((one for one in self.steps if one.step == step), None)


def budget(alpha: float, parts: int) -> float:
    """Return each test's part of the chance to be wrong at all: Bonferroni, as the tests share requests."""
    return alpha / parts


def harm_log_e(evidence: Evidence, guard: Guard, margin: float) -> float:
    """Return the log e-value against the challenger being at most `margin` times as bad as the champion.

    It accumulates over the steps with two arms. A step whose counts are not known adds nothing.
    """
    events = []
    for step in evidence.steps:
        bad, usual = getattr(step.challenger, guard), getattr(step.champion, guard)
        if step.compares and bad is not None and usual is not None:
            events.append(ArmEvents(step.weight, bad, usual))
    return rate_ratio_log_e(events, margin)


def ceiling_log_e(evidence: Evidence, guard: Guard, ceiling: float) -> float:
    """Return the log e-value against the challenger's share of bad requests at full weight being at most `ceiling`.

    Only full weight needs it: as long as there is another arm, a fault of everything is not the challenger's.
    """
    trials = []
    for step in evidence.steps:
        bad, requests = getattr(step.challenger, guard), step.challenger.requests
        if not step.compares and bad is not None and requests is not None and bad <= requests:
            trials.append(Trials(bad, requests - bad, ceiling))
    return exceeds_log_e(trials)


def split_log_e(evidence: Evidence) -> float:
    """Return the log e-value against requests being split as configured: the sample-ratio check.

    Summed over the steps, each of which starts anew at 1. At full weight only stray requests to the champion count.
    """
    total = 0.0
    for step in evidence.steps:
        found = (step.challenger.requests, step.champion.requests)
        if found[0] is None or found[1] is None:
            continue
        if step.compares:
            total += multinomial_log_e((found[0], found[1]), (step.weight, 1 - step.weight))
        else:
            total += exceeds_log_e([Trials(found[1], found[0], STRAY_SHARE)])
    return total


def actions_log_e(evidence: Evidence) -> float:
    """Return the log e-value against both arms making the business act equally often, in either direction."""
    known = [
        ((step.challenger.actions, step.champion.actions), (step.weight, 1 - step.weight))
        for step in evidence.steps
        if step.compares and step.challenger.actions is not None and step.champion.actions is not None
    ]
    return sum(multinomial_log_e((one, other), shares) for (one, other), shares in known if one is not None)


def unknown(arm: Arm, wanted: Iterable[str]) -> Sequence[str]:
    """Return the metrics of an arm that are not known."""
    return [name for name in wanted if getattr(arm, name) is None]


def contradictions(arm: Arm) -> Sequence[str]:
    """Return what cannot be: more bad answers than requests, told with both numbers."""
    requests = arm.requests
    if requests is None:
        return []
    counted = {name: getattr(arm, name) for name in (*GUARDS, "actions")}
    return [f"{name} {n} of {requests} requests" for name, n in counted.items() if n is not None and n > requests]
