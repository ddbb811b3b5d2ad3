"""How an experiment gets the requests and gives them back: transitions of the control record. Pure.

While it runs, the champion's function version is the one that carries every arm: alias, endpoint and sweep follow the
record as ever, a release is refused by it, and a rollback ends it by making another version the champion's.
"""

from __future__ import annotations

from lifecycle.control import Actor, Contender, ControlRecord, Deed, Move, ReleaseState, decision_of, moved, refused
from lifecycle.experiment_plan import ExperimentPlan, ExperimentRecord
from lifecycle.ledger import Scalar


def start_key(name: str) -> str:
    """Return the ledger key of an experiment's start: a name is used once."""
    return f"experiment/{name}/start"


def stop_key(name: str) -> str:
    """Return the ledger key of an experiment's end."""
    return f"experiment/{name}/stop"


def may_start(record: ControlRecord, plan: ExperimentPlan) -> Move | None:
    """Say why an experiment may not start, before anything is built for it; None when it may."""
    champion, product = record.champion, record.product
    if record.frozen:
        return refused(record, "frozen", f"Product {product} is frozen.")
    if champion is None or champion.function_version is None:
        return refused(record, "no_champion", f"Nothing serves {product}, so there is nothing to compare with.")
    if (busy := _busy(record, champion, plan.name)) is not None:
        return busy
    if (champion.model_version, champion.bundle) != (plan.champion.model_version, plan.champion.bundle):
        found = f"The champion is model {champion.model_version}, the first arm is {plan.champion.model_version}."
        return refused(record, "champion_changed", found)
    return None


def _busy(record: ControlRecord, champion: Contender, name: str) -> Move | None:
    if champion.experiment and champion.experiment != name:
        found = f"The experiment {champion.experiment} is under way."
        return refused(record, "experiment_under_way", f"{found} End it with `tropism experiment stop`.")
    if record.challenger is not None:
        found = f"Model {record.challenger.model_version} is under release with {record.weight:.0%} of the requests."
        return refused(record, "release_under_way", found)
    if record.release is not None and not champion.experiment:
        return refused(record, "release_under_way", f"A change of champion is under way ({record.release.state}).")
    return None


def start(record: ControlRecord, planned: ExperimentRecord, by: Actor) -> Move:
    """Make the version that carries every arm the champion's; traffic follows. Started already, nothing changes."""
    plan, champion = planned.plan, record.champion
    if champion is not None and (champion.experiment, champion.function_version) == (
        plan.name,
        planned.function_version,
    ):
        return Move("unchanged", record, "started", f"The experiment {plan.name} is under way already.")
    refusal = may_start(record, plan)
    if refusal is not None:
        return refusal
    if champion is None or planned.function_version is None:
        return refused(record, "not_published", f"The experiment {plan.name} has no function version yet.")
    if champion.function_version != planned.own:
        found = f"The champion is served by function version {champion.function_version}, expected {planned.own}."
        return refused(record, "champion_changed", found)
    onward = champion.model_copy(update={"function_version": planned.function_version, "experiment": plan.name})
    also: dict[str, Scalar] = {
        "experiment": plan.name,
        "arms": ", ".join(f"{arm.name}: model {arm.model_version}, {arm.weight:.4g}" for arm in plan.arms),
        "own_function_version": planned.own,
    }
    key = start_key(plan.name)
    deed = Deed("start_experiment", key, planned.reason, champion.model_version, onward, also)
    return moved(
        record,
        by,
        "started",
        planned.reason,
        champion=onward,
        release=ReleaseState(state="moving"),
        decision=decision_of(record, deed, by),
    )


def stop(record: ControlRecord, planned: ExperimentRecord, reason: str, by: Actor) -> Move:
    """Give the requests back to the champion's own version; also while frozen. Ended already, nothing changes."""
    name, champion = planned.plan.name, record.champion
    if champion is None or champion.experiment != name:
        return Move("unchanged", record, "ended", f"The experiment {name} is not under way.")
    if record.release is not None and record.release.state == "rolling_back":
        return refused(record, "rolling_back", "A rollback is under way, which ends the experiment too.")
    back = champion.model_copy(update={"function_version": planned.own, "experiment": ""})
    deed = Deed("stop_experiment", stop_key(name), reason, champion.model_version, back, {"experiment": name})
    return moved(
        record,
        by,
        "stopped",
        reason,
        champion=back,
        release=ReleaseState(state="moving"),
        decision=decision_of(record, deed, by),
    )
