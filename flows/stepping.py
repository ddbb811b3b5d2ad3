"""How a release proceeds, one look a run: begin, carry out a step, judge it, go on, wait, or take it back. Not a flow.

Before traffic moves the control record says how, and the ledger why; after it the alias and the endpoint are asked.
Killed between any two calls, the next look goes on at the same weight. Nothing sleeps: each look schedules the next,
and the sweep wakes one that is overdue. When to do what is `lifecycle/rollout.py`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flows import telling, watching
from flows.finishing import Released, finish
from flows.following import Work, append_decision
from flows.traffic import ANSWER_SECONDS, end_release
from flows.watching import Look, Under
from lifecycle.batch import Reason
from lifecycle.control import Contender, Move, promote, version_of
from lifecycle.errors import ConflictError, ReleaseError
from lifecycle.findings import Finding
from lifecycle.ledger import Scalar
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress, advance
from lifecycle.stepping import Ending, Judged, begin, done, hold, settle_step, step, waits_for_approval
from tasks import control, endpoint, traffic
from tasks.control import Held
from tasks.step import directly, note

_TRIES = 3
_CLOCKS = timedelta(milliseconds=200)  # a run may begin by another machine's clock


def start(work: Work, held: Held, contender: Contender, plan: ReleasePlan) -> Released:
    """Begin the release of a model that was published: in steps, or at once where there is nobody to compare with."""
    if held.record.champion is None:
        return _at_once(work, held, contender)
    if plan.approval == "none" and plan.without_traffic == "release":
        thin = watching.thin_traffic(work, plan)
        if thin is not None:
            return _at_once(work, held, contender, thin)
    try:
        held = _write(work, "begin release", held, begin(held.record, contender, plan, work.now))
    except ConflictError:
        held = control.read(work.bucket, work.product)
        if version_of(held.record.challenger) != contender.model_version:
            raise
    note("release.begun", product=work.product, model=contender.model_version)
    return tick(work, held)


def tick(work: Work, held: Held) -> Released:
    """Look at the release that the record holds, once, and do what follows. Overtaken by another run, look again."""
    for _ in range(_TRIES):
        found = watching.under(held.record)
        if found is None:
            return telling.gone(work, held)
        try:
            return _tick(work, held, found)
        except ConflictError as error:
            note("tick.overtaken", product=work.product, by=error.detail)
            held = control.read(work.bucket, work.product)
    raise ConflictError(f"The release of {work.product} is worked on by too many at once.")


def _tick(work: Work, held: Held, found: Under) -> Released:
    rollout = found.rollout
    if held.record.release is not None:
        return telling.stands(work, found, "waiting", "It is being taken back; the sweep finishes that.")
    if waits_for_approval(rollout):
        return telling.stands(work, found, "waiting", telling.listed(rollout.reasons))
    if not rollout.settled:
        watching.watch(work, found)
        return _carry_out(work, held, found)
    if not rollout.windows:
        return _open(work, held, found)
    if work.clock() < rollout.next_tick - _CLOCKS:
        telling.schedule(work, found)
        return telling.stands(work, found, "held", f"The next look is due at {rollout.next_tick:%H:%M:%S} UTC.")
    return _judge(work, held, found)


def _open(work: Work, held: Held, found: Under) -> Released:
    """Go to the first step, unless the traffic is too thin to judge anything and the product goes by the gate alone."""
    plan = found.rollout.plan
    if found.frozen:
        return telling.stands(work, found, "waiting", "The product is frozen.")
    thin = watching.thin_traffic(work, plan) if plan.without_traffic == "release" else None
    if thin is not None:
        return _at_once(work, held, found.challenger, thin)
    watching.watch(work, found)
    judged = Judged(found.rollout.evidence, found.rollout.counted_until)
    return _go_to(work, held, found, Progress(since=work.clock()), judged)


def _judge(work: Work, held: Held, found: Under) -> Released:
    """Judge the step by everything known, and do what the verdict says."""
    seen, rollout = watching.look(work, found), found.rollout
    verdict = advance(rollout.plan, rollout.progress, seen.judged.evidence, work.clock(), besides=seen.doubts)
    judged = Judged(seen.judged.evidence, seen.judged.counted_until, verdict.reasons)
    if verdict.action == "roll_back" or seen.displaced is not None:
        return _take_back(work, held, found, _against(seen, verdict.reasons if verdict.action == "roll_back" else ()))
    if verdict.action == "promote":
        return finish(work, _write(work, "change champion", held, done(held.record, judged, work.now)))
    if verdict.action == "advance" and verdict.progress is not None:
        return _go_to(work, held, found, verdict.progress, judged)
    return _hold(work, held, found, watching.replayed(work, found, judged) if verdict.replay_due else judged)


def _against(seen: Look, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Return what ends the release: what the evidence says comes first, since the guard may have acted on the same."""
    return (*reasons, *((seen.displaced,) if seen.displaced is not None else ()))


def _go_to(work: Work, held: Held, found: Under, progress: Progress, judged: Judged) -> Released:
    """Decide on a step: record first. An alias that is not as the record says is nobody's to raise."""
    state = work.step("read alias", endpoint.alias, work.function)
    if state is None or not found.split.is_in(state):
        raise ReleaseError(
            f"The alias of {work.function} is not as the control record says.",
            detail=f"Found {watching.shown(state)}, expected {found.split}.",
            resolution="The sweep brings it after the record and wakes the release again.",
        )
    move = step(held.record, progress, judged, work.now, alias_revision=state.revision)
    held = _write(work, "take step", held, move)
    onward = watching.under(held.record)
    return _carry_out(work, held, onward) if onward is not None else telling.gone(work, held)


def _carry_out(work: Work, held: Held, found: Under) -> Released:
    """Make alias and endpoint follow the step that the record holds, see it, and note from when on it counts."""
    append_decision(work, held.record)
    state = work.step("read alias", endpoint.alias, work.function)
    if state is None or (not found.split.is_in(state) and state.revision != found.rollout.alias_revision):
        expected = f"{found.weight:.0%} to version {found.challenger.function_version}"
        return _take_back(work, held, found, (Reason(Finding.TRAFFIC_MOVED, None, watching.shown(state), expected),))
    work.step("set weights", traffic.set_weights, work.function, found.split, seen=state)
    try:
        _read_back(work, found)
    except ConflictError:
        raise
    except ReleaseError as error:
        asked = Reason(
            Finding.NOT_ANSWERING, None, error.detail, f"an answer of model {found.challenger.model_version}"
        )
        return _take_back(work, held, found, (asked,))
    held = _write(work, "settle step", held, settle_step(held.record, work.now))
    now = watching.under(held.record)
    return telling.advanced(work, now) if now is not None else telling.gone(work, held)


def _read_back(work: Work, found: Under) -> None:
    """See the endpoint answer as the challenger: always at full weight, at least once below."""
    version = str(found.challenger.function_version)
    if found.split.base == version:
        ask, arguments = endpoint.await_answer, (work.settings, work.product, version)
        work.step("read back", ask, *arguments, seconds=ANSWER_SECONDS)
    else:
        share = (work.settings, work.product, version, found.weight)
        work.step("read back", traffic.await_share, *share, seconds=ANSWER_SECONDS)


def _hold(work: Work, held: Held, found: Under, judged: Judged) -> Released:
    """Note why it stays; traffic is as it was."""
    before = frozenset(str(reason.code) for reason in found.rollout.reasons)
    held = _write(work, "hold release", held, hold(held.record, judged, work.now))
    now = watching.under(held.record)
    return telling.held(work, now, before) if now is not None else telling.gone(work, held)


def _take_back(work: Work, held: Held, found: Under, reasons: tuple[Reason, ...]) -> Released:
    ending = Ending(telling.listed(reasons), tuple(str(reason.code) for reason in reasons))
    followed = end_release(work, held, ending)
    return replace(telling.stands(work, found, "rolled_back", ending.reason), pending=followed.pending, weight=0.0)


def _at_once(work: Work, held: Held, contender: Contender, thin: Reason | None = None) -> Released:
    """Give a model all the traffic on its gate alone: nothing served before, or nobody asks often enough to judge."""
    also: dict[str, Scalar] = {"weight": 1.0}
    reason = contender.reason
    if thin is not None:
        also["codes"] = str(thin.code)
        reason = f"{reason} Released at once, on the gate alone. {thin}"
    champion = contender.model_copy(update={"since": work.clock(), "reason": reason})
    move = promote(held.record, champion, work.now, also=also)
    return finish(work, _write(work, "change champion", held, move, same=champion))


def _write(work: Work, name: str, held: Held, move: Move, *, same: Contender | None = None) -> Held:
    """Write a change; the decision that the record carried is in the ledger first.

    Raises ReleaseError when the change is refused, ConflictError when somebody else was first, unless they made
    the `same` model the champion.
    """
    if move.verdict == "refused":
        raise ReleaseError(f"The release of {work.product} does not go on.", detail=move.reason)
    if move.record.decision != held.record.decision:
        append_decision(replace(work, step=directly), held.record)
    try:
        return work.step(name, control.write, work.bucket, held, move)
    except ConflictError:
        now = control.read(work.bucket, work.product)
        if same is None or version_of(now.record.champion) != same.model_version:
            raise
        return now  # another run of the same release was faster
