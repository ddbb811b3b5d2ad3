"""An experiment's course: start, look, stop. Not a flow; the command line calls it.

One function version carries every arm and takes the champion's place in the control record, so alias, endpoint and
sweep follow it as they follow any champion. Each step is repeatable: cut off anywhere, the same command goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flows import going_back
from flows.designing import publish
from flows.following import Followed, Work, append_decision, follow, write_over
from flows.traffic import move_traffic
from lifecycle.control import ControlRecord, Move
from lifecycle.errors import ReleaseError, TropismError
from lifecycle.experiment import ArmOutcomes, Verdict, judge
from lifecycle.experiment_plan import ExperimentPlan, ExperimentRecord
from lifecycle.experimenting import may_start, start_key
from lifecycle.experimenting import start as started
from lifecycle.experimenting import stop as stopped
from tasks import control, experiments, ledger
from tasks.experiments import Held
from tasks.step import note

State = Literal["running", "stopped", "ended", "not_started"]


@dataclass(frozen=True)
class Look:
    """Where an experiment stands. `ended`: something else than `stop` took its requests, such as a rollback."""

    record: ExperimentRecord
    state: State
    verdict: Verdict
    arms: tuple[ArmOutcomes, ...]


def start(work: Work, plan: ExperimentPlan, reason: str) -> Followed:
    """Give the requests to an experiment. Started already, or cut off before, the same plan goes on.

    Raises:
        ReleaseError: when something else is under way, an arm does not prove itself, or the endpoint does not follow;
            the champion's own version serves again.
        BundleError: when an arm's bundle is missing or altered. Nothing was moved.
        ConflictError: when somebody else starts one. Nothing was moved.

    """
    held = work.step("read control record", control.read, work.bucket, work.product)
    _require(work, held.record, plan)
    kept = work.step("read experiment", experiments.read, work.bucket, work.product)
    known = kept.record
    if known is None or known.plan != plan or known.stopped_at is not None:
        known = _planned(work, held.record, plan, reason)
        kept = work.step("keep experiment", experiments.write, work.bucket, kept, known)
    if known.function_version is None:
        known = known.model_copy(update={"function_version": publish(work, known)})
        work.step("keep experiment", experiments.write, work.bucket, kept, known)
    held, move = work.step("start experiment", write_over, work, held, lambda record: started(record, known, work.now))
    if move.verdict == "refused":
        raise ReleaseError(f"The experiment {plan.name} was not started.", detail=move.reason)
    try:
        followed = _bring_along(work, held)
    except TropismError as error:
        stop(work, f"The endpoint did not follow: {error.detail or error.summary}")
        raise
    note("experiment.started", product=work.product, name=plan.name, function_version=known.function_version)
    return followed


def look(work: Work) -> Look:
    """Return where the product's last experiment stands, and what is to be said of it. Raises ReleaseError: none."""
    kept = work.step("read experiment", experiments.read, work.bucket, work.product)
    record = _record(work, kept)
    until = record.stopped_at or work.clock()
    observed = work.step("observe experiment", experiments.observe, work.bucket, record, until)
    control_record = work.step("read control record", control.read, work.bucket, work.product).record
    return Look(record, _state(work, control_record, record), judge(record.plan, observed), observed.arms)


def stop(work: Work, reason: str) -> Followed:
    """Give the requests back to the champion's own version, proven first. Stopped already, nothing changes."""
    kept = work.step("read experiment", experiments.read, work.bucket, work.product)
    record = _record(work, kept)
    held = work.step("read control record", control.read, work.bucket, work.product)
    champion = held.record.champion
    if champion is not None and champion.experiment == record.plan.name:
        own = champion.model_copy(update={"function_version": record.own})
        work.step("prove champion", going_back.prove, work, own)

    def change(found: ControlRecord) -> Move:
        return stopped(found, record, reason, work.now)

    held, move = work.step("stop experiment", write_over, work, held, change)
    if move.verdict == "refused":
        raise ReleaseError(f"The experiment {record.plan.name} was not stopped.", detail=move.reason)
    followed = _bring_along(work, held) if held.record.release is not None else Followed(held, None)
    if record.stopped_at is None:
        ended = {"stopped_at": work.clock(), "stopped_by": work.by.name, "stop_reason": reason}
        work.step("keep experiment", experiments.write, work.bucket, kept, record.model_copy(update=ended))
        note("experiment.stopped", product=work.product, name=record.plan.name)
    return followed


def last(work: Work) -> ExperimentRecord:
    """Return the product's last experiment. Raises ReleaseError when there was none."""
    return _record(work, experiments.read(work.bucket, work.product))


def _require(work: Work, record: ControlRecord, plan: ExperimentPlan) -> None:
    """Raise ReleaseError unless the experiment may start, or has and may go on."""
    refusal = may_start(record, plan)
    if refusal is not None:
        raise ReleaseError(f"The experiment {plan.name} was not started.", detail=refusal.reason)
    goes_on = record.champion is not None and record.champion.experiment == plan.name
    if not goes_on and ledger.find(work.bucket, work.product, start_key(plan.name)) is not None:
        raise ReleaseError(
            f"An experiment of {work.product} was called {plan.name} before.",
            detail="The name decides who gets which arm, so the same units would be tried again.",
            resolution="Choose another name.",
        )


def _planned(work: Work, record: ControlRecord, plan: ExperimentPlan, reason: str) -> ExperimentRecord:
    champion = record.champion
    if champion is None or champion.function_version is None or champion.experiment:
        raise ReleaseError(
            f"The experiment {plan.name} cannot go on.",
            detail="It is under way with another plan, and a running experiment never changes.",
            resolution=f"Stop it with `tropism experiment stop {work.product}`.",
        )
    return ExperimentRecord(
        product=work.product,
        plan=plan,
        planned_at=work.clock(),
        planned_by=work.by.name,
        reason=reason,
        own=champion.function_version,
    )


def _bring_along(work: Work, held: control.Held) -> Followed:
    """Make alias, endpoint and projections follow the champion's version in the record, and settle it."""
    champion = held.record.champion
    entry = append_decision(work, held.record)
    if champion is not None and champion.function_version is not None:
        move_traffic(work, champion.function_version)
    return follow(work, held, entry)


def _record(work: Work, kept: Held) -> ExperimentRecord:
    if kept.record is None:
        raise ReleaseError(
            f"There was no experiment of {work.product} yet.",
            resolution=f"Start one with `tropism experiment start {work.product} NAME ...`.",
        )
    return kept.record


def _state(work: Work, record: ControlRecord, kept: ExperimentRecord) -> State:
    if record.champion is not None and record.champion.experiment == kept.plan.name:
        return "running"
    if kept.stopped_at is not None:
        return "stopped"
    began = ledger.find(work.bucket, work.product, start_key(kept.plan.name)) is not None
    return "ended" if began else "not_started"
