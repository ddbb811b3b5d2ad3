"""Whether a release goes on, waits, is done, or is taken back. Pure: evidence and a clock in, a verdict out.

It moves no traffic and reads no metric. Whoever carries the verdict out may die at any point and ask again: the
same evidence at the same moment gives the same verdict. Which model may be released at all is `eligibility`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lifecycle.batch import Reason
from lifecycle.evidence import (
    GUARDS,
    Evidence,
    StepEvidence,
    actions_log_e,
    ceiling_log_e,
    contradictions,
    harm_log_e,
    split_log_e,
    unknown,
)
from lifecycle.findings import FOR_A_PERSON, HOLDS_ON, Finding
from lifecycle.pairs import Disagreement
from lifecycle.release_plan import ReleasePlan
from lifecycle.shift import shift

Action = Literal["advance", "hold", "promote", "roll_back"]
# Odds of three to one that the challenger does harm: too little to take it back, too much to give it more.
LEANING = math.log(3)
_CLOSED = ConfigDict(frozen=True, extra="forbid")


class Progress(BaseModel):
    """Where a release stands. `approved` and `held` are a person's word and last until they are changed."""

    model_config = _CLOSED

    step: Annotated[int, Field(ge=0, description="Index into the plan's steps.")] = 0
    since: Annotated[AwareDatetime, Field(description="When traffic was at this step's weight.")]
    approved: Annotated[bool, Field(description="Other scores or actions than the champion's are accepted.")] = False
    held: bool = False


@dataclass(frozen=True)
class Verdict:
    """What to do, every reason for it, and where the release stands then.

    `progress` is None once it has ended. `replay_due`: nobody asked anything while it baked, so logged requests are
    to be replayed through the challenger; whatever comes of it is told and never counted as live.
    """

    action: Action
    reasons: tuple[Reason, ...]
    progress: Progress | None
    replay_due: bool = False


def advance(
    plan: ReleasePlan, progress: Progress, evidence: Evidence, now: datetime, *, besides: tuple[Reason, ...] = ()
) -> Verdict:
    """Decide about a release from everything known at one moment; `besides` are doubts from outside the evidence.

    What was never seen does not pass: without every wanted metric of the step it holds, and goes back at the
    deadline. Harm takes it back at any moment, whoever holds it.
    """
    if progress.step > plan.last:
        raise ValueError(f"step {progress.step}: the plan has {len(plan.steps)} steps, counted from 0")
    tests, elapsed = _tests(plan, evidence), now - progress.since
    against = tuple(_against(plan, evidence, tests))
    if against:
        return Verdict("roll_back", against, None)
    doubts = (*besides, *_doubts(plan, progress, evidence, elapsed), *_leaning(tests))
    if doubts:
        return _wait(plan, progress, evidence, doubts, elapsed)
    if progress.step == plan.last:
        return Verdict("promote", (_passed(Finding.ALL_STEPS_PASSED, plan, progress, evidence),), None)
    onward = progress.model_copy(update={"step": progress.step + 1, "since": now})
    return Verdict("advance", (_passed(Finding.STEP_PASSED, plan, progress, evidence),), onward)


def _wait(
    plan: ReleasePlan, progress: Progress, evidence: Evidence, doubts: tuple[Reason, ...], elapsed: timedelta
) -> Verdict:
    """Hold, or go back when the deadline is over and only evidence is waited for."""
    codes = {doubt.code for doubt in doubts}
    if elapsed >= plan.deadline and codes - FOR_A_PERSON and not codes & HOLDS_ON:
        late = Reason(Finding.DEADLINE, None, f"{elapsed} at this step", f"enough evidence within {plan.deadline}")
        return Verdict("roll_back", (late, *doubts), None)
    step = evidence.at(progress.step)
    unseen = Finding.NO_TRAFFIC in codes and Finding.BAKING not in codes
    return Verdict("hold", doubts, progress, replay_due=unseen and step is not None and step.replayed == 0)


@dataclass(frozen=True)
class _Test:
    """A test that can take the release back, and how strongly it speaks. `subject`: the metric it looks at."""

    code: Finding
    subject: str
    log_e: float
    wanted: str
    rows: int | None = None

    def against(self, limit: float, code: Finding) -> Reason:
        return Reason(
            code, self.subject, f"log e {self.log_e:.2f}", f"{self.wanted}, log e below {limit:.2f}", self.rows
        )


def _tests(plan: ReleasePlan, evidence: Evidence) -> tuple[_Test, ...]:
    """Return every test of the alpha budget, the split first."""
    tests = [_Test(Finding.SPLIT_BROKEN, "requests", split_log_e(evidence), "requests split as configured")]
    for guard in GUARDS:
        ceiling, ratio = plan.ceilings.of(guard), f"at most {plan.margin:g} times the champion's rate"
        share = f"at most {ceiling:.1%} of requests at full weight"
        tests.append(_Test(Finding.HARM, guard, harm_log_e(evidence, guard, plan.margin), ratio))
        tests.append(_Test(Finding.CEILING, guard, ceiling_log_e(evidence, guard, ceiling), share))
    if evidence.labels is not None:
        loss = f"a mean loss at most {evidence.labels.margin:g} above the champion's"
        tests.append(_Test(Finding.WORSE_LABELS, "labels", evidence.labels.log_e, loss, evidence.labels.pairs))
    return tuple(tests)


def _against(plan: ReleasePlan, evidence: Evidence, tests: tuple[_Test, ...]) -> Iterator[Reason]:
    """Name everything that takes the release back. A broken split voids whatever else was counted."""
    for alarm in evidence.alarms:
        yield Reason(Finding.ALARM, alarm, "the alarm fired", "no alarm of the challenger")
    for test in tests:
        if test.log_e >= plan.threshold:
            yield test.against(plan.threshold, test.code)
            if test.code is Finding.SPLIT_BROKEN:
                return


def _leaning(tests: tuple[_Test, ...]) -> Iterator[Reason]:
    """Name what speaks against the challenger without being proof. The split counts: it carries all the rest."""
    for test in tests:
        if test.log_e > LEANING:
            yield test.against(LEANING, Finding.LEANS_TO_HARM)


def _doubts(plan: ReleasePlan, progress: Progress, evidence: Evidence, elapsed: timedelta) -> Iterator[Reason]:
    """Name everything that keeps the release where it is."""
    if progress.held:
        yield Reason(Finding.HELD, None, "held by a person", "an approval")
    if elapsed < plan.bake_time:
        yield Reason(Finding.BAKING, None, f"{elapsed} at this step", f"at least {plan.bake_time}")
    step = evidence.at(progress.step)
    if step is None:
        yield Reason(Finding.METRIC_MISSING, None, f"nothing about step {progress.step}", "counts of both arms")
        return
    if step.challenger.requests == 0 and step.champion.requests == 0:
        failed = f", {step.replay_failed} of them failed" if step.replay_failed else ""
        found = f"no live request; {step.replayed} replayed{failed}"
        yield Reason(Finding.NO_TRAFFIC, "requests", found, f"at least {plan.min_requests}")
        return
    if not math.isclose(step.weight, plan.weight(progress.step)):
        yield Reason(Finding.WEIGHT_DIFFERS, None, f"{step.weight:.1%}", f"{plan.weight(progress.step):.1%}")
    for earlier in evidence.steps:
        yield from _gaps(plan, earlier)
    yield from _too_few(plan, step)
    if not progress.approved:
        yield from _different(plan, step, evidence)


def _gaps(plan: ReleasePlan, step: StepEvidence) -> Iterator[Reason]:
    """Name what is not known or cannot be, in any step: a hole in an earlier one hides harm as well."""
    wanted = ("requests", *GUARDS, "scores", *(("actions",) if plan.act_above is not None else ()))
    if unknown(step.champion, ("requests",)) and not step.compares:
        yield _gap(step, "champion", "requests")
    for name, arm in step.arms():
        for metric in unknown(arm, wanted):
            yield _gap(step, name, metric)
        for found in contradictions(arm):
            yield Reason(Finding.METRIC_CONTRADICTS, None, f"{name}: {found}", "no more than there are requests")


def _gap(step: StepEvidence, arm: str, metric: str) -> Reason:
    return Reason(Finding.METRIC_MISSING, metric, f"no value for the {arm} at step {step.step}", "a number, 0 included")


def _too_few(plan: ReleasePlan, step: StepEvidence) -> Iterator[Reason]:
    requests, wanted = step.challenger.requests, f"at least {plan.min_requests}"
    if requests is not None and requests < plan.min_requests:
        yield Reason(Finding.TOO_FEW_REQUESTS, "requests", f"{requests} to the challenger", wanted)
    for name, arm in step.arms():
        if arm.scored is not None and arm.scored < plan.min_requests:
            yield Reason(Finding.TOO_FEW_SCORES, "scores", f"{arm.scored} of the {name}", wanted)


def _different(plan: ReleasePlan, step: StepEvidence, evidence: Evidence) -> Iterator[Reason]:
    ours, theirs = step.challenger.scores, step.champion.scores
    if step.compares and ours is not None and theirs is not None:
        found = shift(theirs, ours)
        if found is not None and found.beyond(plan.max_score_psi):
            expected = f"at most {max(plan.max_score_psi, found.chance):.2f}, or a person's approval"
            yield Reason(Finding.SCORES_SHIFTED, "scores", f"PSI {found.psi:.2f} between the arms", expected)
    actions = actions_log_e(evidence) if plan.act_above is not None else 0.0
    if actions >= plan.threshold:
        expected = f"log e below {plan.threshold:.2f}, acting as often as the champion, or a person's approval"
        yield Reason(Finding.ACTIONS_SHIFTED, "actions", f"log e {actions:.2f}", expected)
    if plan.max_flipped is not None:
        yield from _disagreeing(plan, plan.max_flipped, evidence.disagreement or Disagreement())


def _disagreeing(plan: ReleasePlan, limit: float, apart: Disagreement) -> Iterator[Reason]:
    """Name that the models decide too many of the same rows differently, or that too few were decided by both."""
    share = apart.flipped_share
    if share is None or apart.decided < plan.min_requests:
        skipped = f"; {apart.pairs} scored by both" if apart.pairs != apart.decided else ""
        yield Reason(
            Finding.TOO_FEW_PAIRS, "pairs", f"{apart.decided} decided by both{skipped}", f"at least {plan.min_requests}"
        )
    elif share > limit:
        found = f"{share:.1%} of {apart.decided:,} rows decided differently"
        yield Reason(Finding.DECISIONS_DIFFER, "pairs", found, f"at most {limit:.1%}, or a person's approval")


def _passed(code: Finding, plan: ReleasePlan, progress: Progress, evidence: Evidence) -> Reason:
    step = evidence.at(progress.step)
    requests = step.challenger.requests if step is not None else None
    found = f"{requests} requests at {plan.weight(progress.step):.0%} without a finding"
    return Reason(code, None, found, f"at least {plan.min_requests} over {plan.bake_time}")
