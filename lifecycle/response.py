"""What to do about a breach: cause, history and policy in, one action with its reasons out. Pure.

It carries nothing out. The same breach decided twice gives the same decision under the same key, so whoever acts on
it may die and decide again. Drift explains; a training is only asked for where labels, or the lack of any to come,
say that the model suffers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lifecycle.causes import Cause, of_cause, pressing_cause
from lifecycle.episodes import Episode, Watch
from lifecycle.monitoring import MonitorPolicy, ResponsePolicy

Action = Literal["quarantine_and_notify", "retrain", "roll_back", "notify", "nothing"]
Outcome = Literal["pending", "promoted", "refused", "failed"]
_CLOSED = ConfigDict(frozen=True, extra="forbid")
_DAY = timedelta(days=1)


class Ground(StrEnum):
    """Why this action and no other. Scripts and people rely on the codes; a code is never reused."""

    CALM = "CALM"
    TOLD_ALREADY = "TOLD_ALREADY"
    FROZEN = "FROZEN"
    RELEASED_JUST_BEFORE = "RELEASED_JUST_BEFORE"
    NOT_THE_RELEASE = "NOT_THE_RELEASE"  # it served well for long, or there is nothing to go back to
    ROLLED_BACK_ALREADY = "ROLLED_BACK_ALREADY"
    DATA_IS_WRONG = "DATA_IS_WRONG"  # nothing can be learned from it
    MODEL_SUFFERS = "MODEL_SUFFERS"
    NO_LABELS_TO_COME = "NO_LABELS_TO_COME"
    LABELS_WILL_TELL = "LABELS_WILL_TELL"
    LABELS_STOPPED = "LABELS_STOPPED"
    UNDER_WAY = "UNDER_WAY"  # a training or a release is
    COOLING_DOWN = "COOLING_DOWN"
    BUDGET_SPENT = "BUDGET_SPENT"
    BREAKER_OPEN = "BREAKER_OPEN"
    NOTHING_TO_JUDGE = "NOTHING_TO_JUDGE"
    BY_POLICY = "BY_POLICY"


_ANSWERS: dict[Cause, tuple[Action, Ground]] = {
    Cause.DATA_FAULT: ("quarantine_and_notify", Ground.DATA_IS_WRONG),
    Cause.PERFORMANCE: ("retrain", Ground.MODEL_SUFFERS),
    Cause.ESTIMATE: ("retrain", Ground.MODEL_SUFFERS),
    Cause.LABEL_OUTAGE: ("notify", Ground.LABELS_STOPPED),
    Cause.CAPACITY: ("notify", Ground.BY_POLICY),
}
# Worth a person's time; that a training is under way or was just asked for is not.
_TOLD = (Ground.BREAKER_OPEN, Ground.BUDGET_SPENT)


class Taken(BaseModel):
    """An action that was taken. `outcome`: what came of a retraining; `key`: of the decision that asked for it."""

    model_config = _CLOSED

    at: AwareDatetime
    action: Action
    cause: Cause
    key: str
    outcome: Annotated[Outcome | None, Field(description="Of a retraining only.")] = None


@dataclass(frozen=True)
class Situation:
    """Everything a decision is made from. `taken`: in any order; `serving_since`: None when nothing serves.

    `can_go_back`: there is a previous model. `busy`: a training or a release is under way.
    """

    watch: Watch
    taken: Sequence[Taken] = ()
    serving_since: datetime | None = None
    can_go_back: bool = False
    busy: bool = False
    frozen: bool = False


@dataclass(frozen=True)
class Response:
    """What to do. `because`: the episodes that are the cause; `key`: the same for the same decision."""

    action: Action
    cause: Cause
    grounds: tuple[Ground, ...]
    because: tuple[Episode, ...]
    key: str

    def __str__(self) -> str:
        """Say it in a paragraph."""
        why = " ".join(str(one.worst) for one in self.because)
        return f"{self.action} ({self.cause}; {', '.join(self.grounds)}). {why}".strip()


def breaker_open_until(taken: Sequence[Taken], policy: ResponsePolicy) -> datetime | None:
    """Return until when no training is asked for, because so many in a row came to nothing; None when it is closed."""
    ended = sorted(
        (one for one in taken if one.action == "retrain" and one.outcome != "pending"), key=lambda one: one.at
    )
    fruitless: list[Taken] = []
    for one in ended:
        fruitless = [] if one.outcome == "promoted" else [*fruitless, one]
    return fruitless[-1].at + policy.rest if len(fruitless) >= policy.refusals else None


def respond(policy: MonitorPolicy, situation: Situation, now: datetime) -> Response:
    """Decide what follows from everything that is known at one moment."""
    cause = pressing_cause(situation.watch)
    if cause is Cause.NONE and situation.watch.blind_since is not None:
        key = f"notify/{Cause.BLIND}/{situation.watch.blind_since.isoformat()}"
        return _once(Response("notify", Cause.BLIND, (Ground.NOTHING_TO_JUDGE,), (), key), situation)
    if cause is Cause.NONE:
        return Response("nothing", cause, (Ground.CALM,), (), str(cause))
    because = of_cause(situation.watch, cause)
    wanted, ground = _wanted(cause, because, policy, situation)
    plain = f"{cause}/{because[0].since.isoformat()}"
    if situation.frozen:
        held = Response("notify", cause, (Ground.FROZEN, ground), because, f"notify/{plain}")
        return _once(held, situation)
    if wanted == "retrain":
        return _retrain(Response(wanted, cause, (ground,), because, plain), policy.respond, situation, now)
    return _once(Response(wanted, cause, (ground,), because, f"{wanted}/{plain}"), situation)


def _wanted(
    cause: Cause, because: Sequence[Episode], policy: MonitorPolicy, situation: Situation
) -> tuple[Action, Ground]:
    """Return the action that fits the cause, before anything holds it back."""
    if cause is Cause.SERVING_FAULT:
        return _serving(because, policy.respond, situation)
    if cause is Cause.DRIFT:
        return _drifted(policy)
    return _ANSWERS[cause]


def _drifted(policy: MonitorPolicy) -> tuple[Action, Ground]:
    """Wait for labels where they come: drift alone does not say that the model got worse."""
    if policy.outcomes.due is not None:
        return "notify", Ground.LABELS_WILL_TELL
    return ("retrain", Ground.NO_LABELS_TO_COME) if policy.respond.drift == "retrain" else ("notify", Ground.BY_POLICY)


def _serving(because: Sequence[Episode], policy: ResponsePolicy, situation: Situation) -> tuple[Action, Ground]:
    """Go back when the fault came with the model that serves; a model that served well for long is not the fault."""
    began = min(one.since for one in because)
    since = situation.serving_since
    if since is None or not situation.can_go_back or not since <= began <= since + policy.suspect:
        return "notify", Ground.NOT_THE_RELEASE
    if any(one.action == "roll_back" and one.at >= since for one in situation.taken):
        return "notify", Ground.ROLLED_BACK_ALREADY
    return "roll_back", Ground.RELEASED_JUST_BEFORE


def _retrain(wanted: Response, policy: ResponsePolicy, situation: Situation, now: datetime) -> Response:
    """Ask for a training unless one is under way, was just asked for, or several came to nothing.

    The key counts the trainings asked for so far: a decision made twice is one, the next one is another.
    """
    asked = [one for one in situation.taken if one.action == "retrain"]
    attempt = sum(one.key.startswith(f"retrain/{wanted.key}/") for one in asked)
    last = max((one.at for one in asked), default=None)
    until = breaker_open_until(asked, policy)
    held: Ground | None = None
    if situation.busy or any(one.outcome == "pending" for one in asked):
        held = Ground.UNDER_WAY
    elif until is not None and now < until:
        held = Ground.BREAKER_OPEN
    elif last is not None and now < last + policy.cooldown:
        held = Ground.COOLING_DOWN
    elif sum(one.at >= now - _DAY for one in asked) >= policy.budget_per_day:
        held = Ground.BUDGET_SPENT
    if held is None:
        return Response("retrain", wanted.cause, wanted.grounds, wanted.because, f"retrain/{wanted.key}/{attempt}")
    if held not in _TOLD:
        return Response(
            "nothing", wanted.cause, (held, *wanted.grounds), wanted.because, f"wait/{wanted.key}/{attempt}/{held}"
        )
    told = Response(
        "notify", wanted.cause, (held, *wanted.grounds), wanted.because, f"notify/{wanted.key}/{attempt}/{held}"
    )
    return _once(told, situation)


def _once(wanted: Response, situation: Situation) -> Response:
    """Do nothing when the very same decision was carried out already."""
    if wanted.action == "nothing" or not any(one.key == wanted.key for one in situation.taken):
        return wanted
    grounds = (Ground.TOLD_ALREADY, *wanted.grounds)
    return Response("nothing", wanted.cause, grounds, wanted.because, wanted.key)
