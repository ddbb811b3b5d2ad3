"""Where a release stands, as `tropism status` tells it: its step, its reasons, and what both models answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli import output
from cli.deliveries import why
from cli.shapes import Counts, Pairs, Step

if TYPE_CHECKING:
    from lifecycle.control import ControlRecord, Rollout
    from lifecycle.evidence import Arm, Evidence


def step(record: ControlRecord) -> Step | None:
    """Return where the release or the change of champion stands; None when nothing is under way."""
    from lifecycle.stepping import state_of

    state, rollout = state_of(record), record.rollout
    if state is None:
        return None
    if rollout is None:
        return Step(state=state, step=record.release.step if record.release else None)
    seen = rollout.evidence.at(rollout.progress.step)
    return Step(
        state=state,
        step=rollout.progress.step,
        steps=rollout.plan.steps,
        since=output.stamp(rollout.progress.since),
        looks=rollout.ticks,
        next_look=None if state == "waiting" else output.stamp(rollout.next_tick),
        reasons=tuple(why(reason) for reason in rollout.reasons),
        challenger=_counts(seen.challenger) if seen else None,
        champion=_counts(seen.champion) if seen else None,
        replayed=seen.replayed if seen else 0,
        detectable_ratio=_detectable(rollout),
        pairs=_pairs(rollout.evidence),
        approved_by=rollout.approved_by or None,
        held_by=rollout.held_by or None,
    )


def facts(found: Step, weight: float) -> list[tuple[str, str]]:
    """Return what people read of a release under way."""
    if found.steps is None or found.step is None:
        return []
    told = [("release", f"{found.state}, step {found.step + 1} of {len(found.steps)} at {weight:.0%} of the requests")]
    told.extend(("because", f"{one.code}: found {one.found}, expected {one.expected}") for one in found.reasons)
    for name, counts in (("challenger", found.challenger), ("champion", found.champion)):
        if counts is not None:
            told.append((name, _answered(counts)))
    if found.pairs is not None:
        told.append(("pairs", _compared(found.pairs)))
    if found.replayed:
        told.append(("replayed", f"{found.replayed} logged requests, through the challenger alone"))
    ratio = found.detectable_ratio
    if ratio is not None:
        told.append(("notices", f"{ratio:.1f} times the champion's errors or more, at this traffic"))
    elif found.challenger is not None:
        told.append(("notices", "no ratio of errors before full weight, at this traffic"))
    said = {"approved by": found.approved_by, "held by": found.held_by, "next look": found.next_look}
    return [*told, *((name, value) for name, value in said.items() if value)]


def _answered(counts: Counts) -> str:
    """Return one model's counts in a line; what is not known is said to be so."""
    words = {"requests": counts.requests, "failed": counts.errors, "slow": counts.slow, "invalid": counts.invalid}
    return ", ".join(f"{'unknown' if number is None else f'{number:,}'} {word}" for word, number in words.items())


def _counts(arm: Arm) -> Counts:
    return Counts(arm.requests, arm.errors, arm.slow, arm.invalid, arm.actions, arm.scored)


def _compared(found: Pairs) -> str:
    """Return in a line how both models differ on the same rows, and what labels say of them."""
    flips = "" if found.flipped_share is None else f", {found.flipped_share:.1%} decided differently"
    labels = (
        f"; {found.labelled:,} with labels, log e {found.labels_log_e:.2f}" if found.labels_log_e is not None else ""
    )
    return f"{found.scored:,} rows scored by both, {found.mean_distance:.3g} apart{flips}{labels}"


def _pairs(evidence: Evidence) -> Pairs | None:
    apart, bets = evidence.disagreement, evidence.labels
    if apart is None or apart.mean_distance is None:
        return None
    return Pairs(
        scored=apart.pairs,
        mean_distance=apart.mean_distance,
        flipped_share=apart.flipped_share,
        labelled=bets.pairs if bets else 0,
        labels_log_e=bets.log_e if bets else None,
    )


def _detectable(rollout: Rollout) -> float | None:
    from lifecycle.outlook import outlook

    found = outlook(rollout, datetime.now(UTC))
    return round(found.ratio, 2) if found is not None and found.ratio is not None else None
