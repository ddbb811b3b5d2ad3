"""What a release says after each look: events, the next look, and the outcome of the run. Not a flow.

Nothing here decides or moves anything. An event or a look that Prefect does not take stops nothing: the sweep wakes
a release whose look is overdue.
"""

from __future__ import annotations

from collections.abc import Iterable

from flows.finishing import Released, State, outcome
from flows.following import Work, attempt, tell
from flows.watching import Under
from lifecycle.batch import Reason
from lifecycle.events import ReleaseAdvanced, ReleaseHeld
from lifecycle.findings import Finding
from tasks import ticks
from tasks.control import Held
from tasks.step import note
from tasks.ticks import Tick


def advanced(work: Work, found: Under) -> Released:
    """Say that traffic flows at a step's weight."""
    rollout, challenger = found.rollout, found.challenger
    note("release.advanced", product=work.product, model=challenger.model_version, weight=found.weight)
    event = ReleaseAdvanced(
        product=work.product,
        version=challenger.model_version,
        bundle=challenger.bundle,
        step=rollout.progress.step,
        weight=found.weight,
        reasons=tuple(str(reason) for reason in rollout.reasons),
    )
    tell(work, event)
    schedule(work, found)
    return stands(work, found, "advanced", listed(rollout.reasons) or "Its first requests come in.")


def held(work: Work, found: Under, before: frozenset[str]) -> Released:
    """Say that a release stays where it is; aloud only when the reasons are others than `before`."""
    rollout, challenger = found.rollout, found.challenger
    codes = tuple(sorted({str(reason.code) for reason in rollout.reasons}))
    note("release.held", product=work.product, model=challenger.model_version, codes=",".join(codes))
    if set(codes) not in (before, {Finding.BAKING}):
        event = ReleaseHeld(
            product=work.product,
            version=challenger.model_version,
            bundle=challenger.bundle,
            look=rollout.ticks,
            weight=found.weight,
            codes=codes,
            reasons=tuple(str(reason) for reason in rollout.reasons),
        )
        tell(work, event)
    schedule(work, found)
    return stands(work, found, "held", listed(rollout.reasons))


def schedule(work: Work, found: Under) -> bool:
    """Ask for the next look; asked for already, nothing changes. Say whether Prefect took it."""
    challenger, rollout = found.challenger, found.rollout
    tick = Tick(work.product, challenger.model_version, challenger.bundle, rollout.ticks, rollout.next_tick)
    return attempt("next look", lambda: work.step("schedule next look", ticks.schedule, tick))


def stands(work: Work, found: Under, state: State, reason: str) -> Released:
    """Return where a release stands."""
    challenger = found.challenger
    return Released(
        product=work.product,
        model_version=challenger.model_version,
        state=state,
        function_version=challenger.function_version,
        reason=reason,
        weight=found.weight,
    )


def gone(work: Work, held: Held) -> Released:
    """Return that the release ended meanwhile."""
    return outcome(work, held, "behind", "The release has ended meanwhile.")


def listed(reasons: Iterable[Reason]) -> str:
    """Return reasons as sentences."""
    return " ".join(str(reason) for reason in reasons)
