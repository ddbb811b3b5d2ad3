"""Whether the log told everything about a release, and the evidence its sums make. Pure.

The metrics of the function know every request that came through the alias, also those that crashed and left no
record. An arm whose log is short is unknown, not good: all its numbers are None until the log has caught up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from lifecycle.control import Window
from lifecycle.counting import MINUTE, Frame
from lifecycle.evidence import Arm, ArmName, Evidence, StepEvidence
from lifecycle.tally import ArmTally, StepTally, Tally

# The delivery stream gathers records for a minute, the subscription before it and the metrics take up to another.
LAG = timedelta(minutes=3)
COMPLETE = 0.99
# A request at the turn of a minute is in one minute for the metrics and in the next for the log.
_STRADDLING = 1


class Minute(NamedTuple):
    """One minute of one function version behind the alias."""

    invocations: int
    errors: int


Metrics = Mapping[str, Mapping[int, Minute]]  # function version → minute since 1970 → numbers


def evidence_of(frame: Frame, tally: Tally, metrics: Metrics | None, now: datetime, before: Evidence) -> Evidence:
    """Return what is known now, from the log's sums and the metrics, with what else was known before.

    Numbers of the metrics replace smaller ones only: CloudWatch forgets minutes after two weeks. Without metrics no
    arm is known, because crashes are told nowhere else.
    """
    counted = tally if metrics is None else _ripen(frame, tally, metrics, now)
    replays = {one.step: one.model_dump(include={"replayed", "replay_failed"}) for one in before.steps}
    steps = tuple(step.model_copy(update=replays.get(step.step, {})) for step in _weigh(frame, counted, metrics, now))
    apart = counted.apart if counted.apart.pairs else None
    return before.model_copy(update={"steps": steps, "tally": counted, "disagreement": apart})


def _ripen(frame: Frame, tally: Tally, metrics: Metrics, now: datetime) -> Tally:
    """Return the sums with what the metrics say, and the minutes that are over moved to `logged`."""
    steps = sorted({window.step for window in frame.windows})

    def ripe(step: int, arm: ArmName) -> ArmTally:
        return _ripe(frame, step, tally.at(step).of(arm), metrics.get(frame.version_of(arm), {}), now)

    told = (
        StepTally(step=step, challenger=ripe(step, "challenger"), champion=ripe(step, "champion")) for step in steps
    )
    return tally.model_copy(update={"steps": tuple(told)})


def _weigh(frame: Frame, tally: Tally, metrics: Metrics | None, now: datetime) -> Iterator[StepEvidence]:
    """Yield the evidence of every step, an arm whose log is short being unknown."""

    def known(step: int, arm: ArmName) -> Arm:
        told = tally.at(step).of(arm)
        if metrics is None or _short(told, _answered(frame, step, metrics.get(frame.version_of(arm), {}), now)):
            return Arm()
        return _arm(frame, told)

    for step, weight in sorted({window.step: window.weight for window in frame.windows}.items()):
        yield StepEvidence(
            step=step, weight=weight, challenger=known(step, "challenger"), champion=known(step, "champion")
        )


def _arm(frame: Frame, told: ArmTally) -> Arm:
    return Arm(
        requests=told.requests + told.crashes,
        errors=told.errors + told.crashes,
        slow=told.slow,
        invalid=told.invalid,
        actions=None if frame.plan.act_above is None else told.actions,
        scores=told.scores or (0,) * (len(frame.edges) + 1),
    )


def _short(told: ArmTally, answered: int) -> bool:
    """Say whether records are missing, or the metrics that would show it.

    `answered`: invocations up to now. Metrics that lag behind the log are no shortage; none at all in minutes that
    are long over, while the log tells of requests, are metrics that do not work.
    """
    if told.silent:
        return answered > 0
    if told.invocations == 0:
        return told.logged > _STRADDLING
    missing = told.invocations - told.logged - told.crashes
    return missing > max(_STRADDLING, (1 - COMPLETE) * told.invocations)


def _ripe(frame: Frame, step: int, told: ArmTally, metrics: Mapping[int, Minute], now: datetime) -> ArmTally:
    due = _minute(now - LAG)
    whole = {minute for minute in told.recent.keys() | metrics.keys() if _is_whole(frame, step, minute, now)}
    over = {minute for minute in told.recent if minute < due}
    invocations = sum(metrics[minute].invocations for minute in metrics if minute < due and minute in whole)
    crashes = sum(numbers.errors for minute, numbers in metrics.items() if _owner(frame, minute, now) == step)
    return told.model_copy(
        update={
            "logged": told.logged + sum(told.recent[minute] for minute in over & whole),
            "recent": {minute: records for minute, records in told.recent.items() if minute not in over},
            "invocations": max(told.invocations, invocations),
            "crashes": max(told.crashes, crashes),
        }
    )


def _answered(frame: Frame, step: int, metrics: Mapping[int, Minute], now: datetime) -> int:
    return sum(numbers.invocations for minute, numbers in metrics.items() if _is_whole(frame, step, minute, now))


def _is_whole(frame: Frame, step: int, minute: int, now: datetime) -> bool:
    """Say whether a minute lies in one window of a step: others hold traffic of other weights as well."""
    windows = (window for window in frame.windows if window.step == step)
    return any(_seconds_in(window, minute, now) >= MINUTE for window in windows)


def _owner(frame: Frame, minute: int, now: datetime) -> int | None:
    """Return the step that has most of a minute, the later of two equals: a crash says no more than its minute."""
    shares = [(_seconds_in(window, minute, now), window.since, window.step) for window in frame.windows]
    seconds, _, step = max(shares, default=(0.0, None, None))
    return step if seconds > 0 else None


def _seconds_in(window: Window, minute: int, now: datetime) -> float:
    begin, end = window.since.timestamp(), (window.until or now).timestamp()
    return min(end, (minute + 1) * MINUTE) - max(begin, minute * MINUTE)


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // MINUTE
