"""Mend what is broken: lost runs, a change of champion left half done, records that disagree. Not a flow.

The sweep's hands. The control record is right; everything is brought after it, and a change under way is finished
in its own direction, a rollback too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flows import finishing, going_back
from flows.following import CHAMPION, Work, project_champion
from flows.traffic import move_traffic
from lifecycle.control import Actor, ControlRecord
from lifecycle.divergence import Divergence, Observed, divergences, repair_key
from lifecycle.errors import TropismError
from lifecycle.events import LifecycleDiverged, RunLost
from lifecycle.ledger import Decision
from lifecycle.lost import LOOK_BACK, Crash, Notice, Run, after_crash, busy_with, judge
from lifecycle.repair import unfinished_change
from lifecycle.reversal import Wish
from lifecycle.settings import Settings
from tasks import control, endpoint, events, ledger, processes, registry, runs
from tasks.step import Step, note

# Prefect writes an event to its store up to five seconds after it acted on it.
_FLUSH_WAITS_SECONDS = (0.0, 2.0, 4.0)
_RERUNS = 50


@dataclass(frozen=True)
class Place:
    """Where a sweep works, who it is, what woke it, and when it began."""

    step: Step
    settings: Settings
    actor: str
    cause: str
    now: datetime

    @property
    def bucket(self) -> str:
        """The one bucket."""
        return self.settings.bucket

    def work(self, product: str) -> Work:
        """Return what a change of champion needs."""
        return Work(self.step, self.settings, product, Actor(self.actor, self.now, f"sweep: {self.cause}"))


def mend_runs(place: Place) -> Iterator[str]:
    """Declare runs crashed that lost their process, and run every crashed one again once."""
    open_runs = runs.unfinished()
    told = _notices(place, open_runs)
    found = processes.processes(open_runs, place.settings.function_prefix)
    for run in open_runs:
        verdict = judge(run, found.get(run.id), told.get(run.id), place.now)
        if verdict.dead and place.step("declare run crashed", runs.declare_crashed, run, verdict.reason):
            note("run.declared_crashed", flow_run=run.id, flow=run.flow, reason=verdict.reason)
            yield f"Flow run {run.id} ({run.flow}) was declared crashed. {verdict.reason}"
    crashed = runs.crashed(place.now, LOOK_BACK)
    replaced = runs.replaced(crashed)
    for crash in [after_crash(run, replaced, place.now) for run in crashed][:_RERUNS]:
        yield from _act_on(place, crash)


def mend_champion(place: Place, product: str, active: tuple[Run, ...]) -> Iterator[str]:
    """Finish a change of champion that nobody works on, or bring what disagrees after the control record."""
    held, work = control.read(place.bucket, product), place.work(product)
    looks = busy_with(active, "release", product)
    if held.record.rollout is not None:  # its next look is scheduled, which is no work yet
        looks = tuple(run for run in looks if run.state_type != "SCHEDULED")
    if looks or busy_with(active, "rollback", product):
        return
    left = unfinished_change(held.record, place.now)
    if left == "rolling_back" and held.record.release is not None:
        intent = held.record.release
        done = going_back.carry_out(work, Wish(intent.request, intent.reason), intent.to)
        yield f"{product}: finished the rollback to model {done.model_version}; pending: {_listed(done.pending)}."
    elif left == "moving":
        finished = finishing.finish(work, held)
        yield f"{product}: finished the change to model {finished.model_version}; pending: {_listed(finished.pending)}."
    else:
        for divergence in divergences(held.record, observe(work), place.now):
            yield _repair(place, work, held.record, divergence)


def observe(work: Work) -> Observed:
    """Ask alias, endpoint and registry what serves. An endpoint that does not answer answers as nothing."""
    alias = endpoint.alias(work.function)
    try:
        found = endpoint.serving(work.settings, work.product)
    except TropismError as error:
        note("endpoint.silent", product=work.product, error=str(error))
        found = None
    return Observed(
        alias_version=alias.function_version if alias else None,
        alias_revision=alias.revision if alias else None,
        mixed=bool(alias and alias.extra),
        endpoint_model=found.model_version if found else None,
        endpoint_version=found.function_version if found else None,
        registry_model=registry.model_aliases(work.product).get(CHAMPION),
    )


def _repair(place: Place, work: Work, record: ControlRecord, divergence: Divergence) -> str:
    """Bring one thing after the control record, enter it in the ledger and tell everybody."""
    champion = record.champion
    version = champion.model_version if champion else None
    if divergence.what == "function_alias" and champion is not None:
        move_traffic(work, str(champion.function_version))
    elif divergence.what == "model_alias":
        place.step("move model alias", project_champion, work.product, version)
    sentence = f"{divergence.what} was {divergence.found}, the control record says {divergence.expected}"
    repaired = divergence.what != "endpoint"
    decision = Decision(
        at=place.now,
        actor=place.actor,
        cause=f"sweep: {place.cause}",
        action="repair" if repaired else "diverged",
        from_=version,
        to=version,
        reason=f"{sentence}.",
        evidence={"what": divergence.what, "found": divergence.found, "expected": divergence.expected},
        key=repair_key(record, divergence),
    )
    place.step("append to ledger", ledger.append, place.bucket, work.product, decision)
    event = LifecycleDiverged(
        product=work.product,
        what=divergence.what,
        found=divergence.found,
        expected=divergence.expected,
        revision=record.revision,
    )
    place.step("tell of the divergence", events.send, event)
    return f"{work.product}: {sentence}; {'repaired' if repaired else 'it cannot be repaired from here'}."


def _act_on(place: Place, crash: Crash) -> Iterator[str]:
    run = crash.run
    if crash.act == "run_again":
        successor = place.step("run again", runs.run_again, run)
        note("run.again", flow_run=run.id, flow=run.flow, successor=successor)
        yield f"Flow run {run.id} ({run.flow}) crashed and is run again as {successor}. {crash.reason}"
    elif crash.act == "exhausted":
        yield from _exhausted(place, crash)


def _exhausted(place: Place, crash: Crash) -> Iterator[str]:
    """Raise a run that crashed twice, once: the ledger remembers that it was."""
    run, key = crash.run, f"run_lost/{crash.run.id}"
    if run.product is None or ledger.find(place.bucket, run.product, key) is not None:
        return
    event = RunLost(
        product=run.product, flow_run_id=run.id, cause=f"exhausted: {crash.reason}"[:300], process="exhausted"
    )
    place.step("tell of a run given up", events.send, event)
    decision = Decision(
        at=place.now,
        actor=place.actor,
        cause=f"sweep: {place.cause}",
        action="run_lost",
        reason=crash.reason,
        evidence={"flow": run.flow, "flow_run": run.id},
        key=key,
    )
    place.step("append to ledger", ledger.append, place.bucket, run.product, decision)
    yield f"Flow run {run.id} ({run.flow}) is given up. {crash.reason}"


def _notices(place: Place, open_runs: tuple[Run, ...]) -> dict[str, Notice]:
    """Return what AWS reported; woken by such a report, wait until Prefect's store has it."""
    waits = _FLUSH_WAITS_SECONDS if place.cause.startswith("run.lost") else _FLUSH_WAITS_SECONDS[:1]
    open_ids, told = {run.id for run in open_runs}, dict[str, Notice]()
    for wait in waits:
        time.sleep(wait)
        told = runs.notices(place.now, LOOK_BACK)
        if open_ids & told.keys():
            break
    return told


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
