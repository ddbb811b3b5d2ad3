"""A release driven by a script: the test tells what was counted and moves the clock; all else is real."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from flows.following import Work
from lifecycle.control import Actor, Rollout
from lifecycle.evidence import Arm, Evidence, StepEvidence
from tasks.replay import Replayed
from tasks.ticks import Tick
from tests.release.conftest import House

P = ParamSpec("P")
R = TypeVar("R")
PER_STEP = 400


@dataclass(frozen=True)
class Counted:
    evidence: Evidence
    counted_until: datetime


def arm(requests: int, **changes: Any) -> Arm:
    usual = {"errors": 0, "slow": 0, "invalid": 0, "scores": (requests // 4,) * 4}
    return Arm(**{"requests": requests, **usual, **changes})


def healthy(rollout: Rollout, **changes: Any) -> Evidence:
    """Both arms as they should be, at every step so far; `changes` are the challenger's at the newest step."""
    steps = []
    for window in rollout.windows:
        ours, theirs = round(PER_STEP * window.weight), round(PER_STEP * (1 - window.weight))
        last = window is rollout.windows[-1]
        steps.append(
            StepEvidence(
                step=window.step,
                weight=window.weight,
                challenger=arm(ours, **(changes if last else {})),
                champion=arm(theirs) if window.weight < 1 else Arm(requests=0),
            )
        )
    return Evidence(steps=tuple(steps))


def failing(rollout: Rollout) -> Evidence:
    return healthy(rollout, errors=60)


def silent(rollout: Rollout) -> Evidence:
    """Nobody asked anything at the newest step; what was replayed stays noted."""
    found = healthy(rollout)
    known = rollout.evidence.at(rollout.progress.step)
    last = found.steps[-1].model_copy(
        update={"challenger": arm(0), "champion": arm(0), "replayed": known.replayed if known else 0}
    )
    return Evidence(steps=(*found.steps[:-1], last))


@dataclass
class Script:
    """Stands in for four effects by their steps' names: counting, replaying, measuring, the guard's alarms.

    Looks are not scheduled but noted. Everything else is carried out.
    """

    evidence: Callable[[Rollout], Evidence] = healthy
    recent: int | None = 10**6
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    scheduled: list[Tick] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None

    def step(self, name: str, do: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.before(name)
        told: dict[str, Callable[..., Any]] = {
            "count evidence": lambda *given: Counted(self.evidence(given[3]), self.now),
            "replay requests": lambda *_: Replayed(25, 0),
            "count recent requests": lambda *_, **__: self.recent,
            "watch version": lambda *given: self.watched.extend({given[2]} - {*self.watched}),
            "delete alarms": lambda *given: self.watched.remove(given[2]) if given[2] in self.watched else None,
            "schedule next look": self.scheduled.append,
        }
        return told.get(name, do)(*args, **kwargs)  # type: ignore[no-any-return]

    def clock(self) -> datetime:
        return self.now

    def later(self, seconds: float = 10) -> None:
        self.now += timedelta(seconds=seconds)

    def work(self, house: House, name: str = "test") -> Work:
        return Work(self.step, house.settings, house.product, Actor(name, self.now, "model.challenged"), self.clock)
