"""How a release proceeds in the control record: begun, a step, settled, waiting, taken back, done. Pure transitions.

When to do which is `lifecycle/rollout.py`; moving traffic after the record is the release flow's. Each change of
weight carries one ledger entry, under a key of its own, however often it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import AwareDatetime

from lifecycle.batch import Reason
from lifecycle.control import (
    Actor,
    Contender,
    ControlRecord,
    Deed,
    Move,
    ReleaseState,
    Rollout,
    Window,
    decision_of,
    may_promote,
    moved,
    promote,
    refused,
    version_of,
)
from lifecycle.evidence import Evidence
from lifecycle.findings import GIVES_WAY, Finding
from lifecycle.ledger import Scalar
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress

# In the ledger entry that ends a release: the function version whose alarms the guard heard until then.
WATCHED = "watched_function_version"
# Where nobody asks, nothing can be harmed and little changes: five minutes at the usual pace of one.
_SILENT_TICKS = 5
_WAITS = Reason(Finding.WAITS_FOR_APPROVAL, None, "nobody's approval", "a person's, who is not the trainer")
State = Literal["waiting", "moving", "baking", "held", "rolling_back"]


@dataclass(frozen=True)
class Judged:
    """What one look found: the evidence, up to when it was counted, and the verdict's reasons."""

    evidence: Evidence
    counted_until: AwareDatetime
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Ending:
    """Why a release ends without a promotion. `request` names a person's wish, so that a repeat of it is known."""

    reason: str
    codes: tuple[str, ...]
    request: str = ""


def release_key(contender: Contender) -> str:
    """Return what every ledger entry of a model's release begins with."""
    return f"release/{contender.model_version}/{contender.bundle[:12]}"


def taken_back_key(model_version: str, bundle: str) -> str:
    """Return the ledger key of a release that was taken back: there is no second one of the same model."""
    return f"release/{model_version}/{bundle[:12]}/take_back"


def begin(record: ControlRecord, contender: Contender, plan: ReleasePlan, by: Actor) -> Move:
    """Put a model up as the challenger, without traffic. The same one again changes nothing."""
    if record.challenger is not None and record.challenger.bundle == contender.bundle:
        return Move("unchanged", record, "begun", f"The release of model {contender.model_version} has begun already.")
    refusal = may_promote(record, contender.model_version)
    if refusal is not None:
        return refusal
    if record.champion is None:
        return refused(record, "no_champion", f"Nothing serves {record.product}, so there is nobody to compare with.")
    if contender.function_version is None:
        return refused(record, "not_published", f"Model {contender.model_version} has no function version yet.")
    rollout = Rollout(
        plan=plan,
        progress=Progress(since=by.now),
        counted_until=by.now,
        settled=True,
        next_tick=by.now,
        reasons=(_WAITS,) if plan.approval == "required" else (),
    )
    return moved(record, by, "begun", contender.reason, challenger=contender, rollout=rollout, weight=0.0)


def step(record: ControlRecord, progress: Progress, judged: Judged, by: Actor, *, alias_revision: str) -> Move:
    """Give the challenger the weight of a step, in the record; traffic follows. The step before ends now.

    Args:
        record: Holds the release.
        progress: Where it stands then.
        judged: What was found; its reasons say why it goes on.
        by: Who, and when.
        alias_revision: The alias's, as it was read before: whoever carries the step out moves no other one.

    """
    rollout, challenger = _under_release(record)
    weight = rollout.plan.weight(progress.step)
    onward = rollout.model_copy(
        update={
            **_looked(judged, rollout, by),
            "progress": progress.model_copy(update={"since": by.now}),
            "windows": closed(rollout.windows, by),
            "settled": False,
            "alias_revision": alias_revision,
        }
    )
    reason = " ".join(map(str, judged.reasons)) or f"Model {challenger.model_version} passed its gate."
    also: dict[str, Scalar] = {
        "weight": weight,
        "step": progress.step,
        "champion_function_version": record.champion.function_version if record.champion else None,
    }
    key = f"{release_key(challenger)}/step/{progress.step}"
    deed = Deed("step", key, reason, version_of(record.champion), challenger, also)
    return moved(record, by, "stepped", reason, rollout=onward, weight=weight, decision=decision_of(record, deed, by))


def settle_step(record: ControlRecord, by: Actor) -> Move:
    """Note that traffic flows at the step's weight, from now on. A settled step is left as it is."""
    rollout, _ = _under_release(record)
    if rollout.settled:
        return Move("unchanged", record, "settled", "The step was settled already.")
    window = Window(step=rollout.progress.step, weight=record.weight, since=by.now)
    settled = rollout.model_copy(
        update={
            "settled": True,
            "progress": rollout.progress.model_copy(update={"since": by.now}),
            "windows": (*rollout.windows, window),
            "next_tick": by.now + rollout.plan.tick,
        }
    )
    return moved(record, by, "settled", f"Traffic flows at {record.weight:.0%}.", rollout=settled)


def hold(record: ControlRecord, judged: Judged, by: Actor) -> Move:
    """Note what one look found; traffic stays as it is."""
    rollout, _ = _under_release(record)
    held = rollout.model_copy(update=_looked(judged, rollout, by))
    return moved(record, by, "held", " ".join(map(str, judged.reasons)), rollout=held)


def take_back(record: ControlRecord, ending: Ending, by: Actor) -> Move:
    """End a release: the challenger is out and the champion has all the requests. Without one, nothing changes."""
    if record.rollout is None or record.challenger is None:
        return Move("unchanged", record, "taken_back", "No model is under release.")
    challenger, champion = record.challenger, record.champion
    also: dict[str, Scalar] = {
        "weight": 0.0,
        "step": record.rollout.progress.step,
        "weight_before": record.weight,
        "codes": ",".join(ending.codes),
        WATCHED: challenger.function_version,
        "request": ending.request or None,
    }
    key = taken_back_key(challenger.model_version, challenger.bundle)
    deed = Deed("take_back", key, ending.reason, challenger.model_version, champion, also)
    return moved(
        record,
        by,
        "taken_back",
        ending.reason,
        challenger=None,
        rollout=None,
        weight=0.0,
        release=ReleaseState(state="moving"),
        decision=decision_of(record, deed, by),
    )


def done(record: ControlRecord, judged: Judged, by: Actor) -> Move:
    """Make the challenger the champion: it has all the requests already."""
    rollout, challenger = _under_release(record)
    served = sum(one.challenger.requests or 0 for one in judged.evidence.steps)
    also: dict[str, Scalar] = {"weight": 1.0, "steps": len(rollout.windows), "requests": served}
    also[WATCHED] = challenger.function_version
    return promote(record, challenger.model_copy(update={"since": by.now}), by, also=also)


def state_of(record: ControlRecord) -> State | None:
    """Say in one word where a release or a change of champion stands; None when nothing is under way."""
    rollout = record.rollout
    if record.release is not None:
        return record.release.state
    if rollout is None:
        return None
    if waits_for_approval(rollout):
        return "waiting"
    if not rollout.windows or not rollout.settled:
        return "moving"
    return "held" if any(reason.code != Finding.BAKING for reason in rollout.reasons) else "baking"


def waits_for_approval(rollout: Rollout) -> bool:
    """Say whether a person has to let it begin."""
    return rollout.plan.approval == "required" and not rollout.approved_by and not rollout.windows and rollout.settled


def gives_way(rollout: Rollout) -> bool:
    """Say whether a newer challenger may take the place: nothing is learned, and nobody holds it there on purpose."""
    codes = {reason.code for reason in rollout.reasons}
    return bool(codes) and codes <= GIVES_WAY and not rollout.progress.held


def with_replayed(evidence: Evidence, step: int, replayed: int, failed: int) -> Evidence:
    """Return the evidence with requests noted that were replayed at a step, and failed; they are in no arm."""
    steps = tuple(
        one.model_copy(update={"replayed": one.replayed + replayed, "replay_failed": one.replay_failed + failed})
        if one.step == step
        else one
        for one in evidence.steps
    )
    return evidence.model_copy(update={"steps": steps})


def closed(windows: tuple[Window, ...], by: Actor) -> tuple[Window, ...]:
    """Return the windows with the last one ended."""
    return (*windows[:-1], *(last.model_copy(update={"until": by.now}) for last in windows[-1:]))


def _looked(judged: Judged, rollout: Rollout, by: Actor) -> dict[str, object]:
    silent = any(reason.code == Finding.NO_TRAFFIC for reason in judged.reasons)
    return {
        "evidence": judged.evidence,
        "counted_until": judged.counted_until,
        "reasons": judged.reasons,
        "ticks": rollout.ticks + 1,
        "next_tick": by.now + rollout.plan.tick * (_SILENT_TICKS if silent else 1),
    }


def _under_release(record: ControlRecord) -> tuple[Rollout, Contender]:
    """Return the release and its model. Raises ValueError when there is none: the caller looks first."""
    if record.rollout is None or record.challenger is None:
        raise ValueError(f"no model of {record.product} is under release")
    return record.rollout, record.challenger
