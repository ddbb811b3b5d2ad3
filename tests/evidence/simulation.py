"""A release on a simulated clock: requests, the log with its repeats and outages, the metrics, a look every minute.

Everything between them is the real thing: counting, completeness, the verdict. Traffic is moved by nobody; a step
begins some seconds after its verdict, as in life, with traffic of both weights in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from lifecycle.completeness import Minute, evidence_of
from lifecycle.control import Window
from lifecycle.counting import Frame, fold
from lifecycle.evidence import Evidence
from lifecycle.predictions import Prediction, Repeats
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress, Verdict, advance
from tests.evidence.records import CHALLENGER, CHAMPION, EDGES, START, record

LOOK = timedelta(minutes=1)
MOVING = timedelta(seconds=5)


@dataclass(frozen=True)
class Model:
    """How one version behaves: shares of answers, and where its scores lie."""

    errors: float = 0.01
    slow: float = 0.02
    crashes: float = 0.0
    scores: tuple[float, float] = (2.0, 2.0)


@dataclass(frozen=True)
class World:
    """Who is released into what. `split`: what share the alias really gives, as a factor of the weight.

    `silent`: minutes after the start, from and to, in which the log delivers nothing; it delivers it afterwards.
    """

    challenger: Model = Model()
    champion: Model = Model()
    per_minute: int = 400
    split: float = 1.0
    silent: tuple[int, int] = (0, 0)
    seed: int = 1
    plan: ReleasePlan = field(default_factory=lambda: ReleasePlan(bake_time=timedelta(minutes=6)))


@dataclass
class Release:
    """One release in a world, look by look."""

    world: World
    now: datetime = START
    progress: Progress = field(default_factory=lambda: Progress(since=START))
    evidence: Evidence = field(default_factory=Evidence)
    verdicts: list[Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.windows = [Window(step=0, weight=self.world.plan.weight(0), since=START)]
        self._random = np.random.default_rng(self.world.seed)
        self._repeats = Repeats()
        self._metrics: dict[str, dict[int, Minute]] = {CHALLENGER: {}, CHAMPION: {}}
        self._waiting: list[Prediction] = []
        self._last: list[Prediction] = []

    def run(self, looks: int) -> Verdict:
        """Look until the release ends, or so many times."""
        for _ in range(looks):
            found = self.look()
            if found.action in ("promote", "roll_back"):
                break
        return self.verdicts[-1]

    def look(self) -> Verdict:
        """Let a minute pass, count, decide, and carry the decision out."""
        self._pass()
        frame = Frame(self.world.plan, tuple(self.windows), CHALLENGER, CHAMPION, EDGES)
        tally = fold(frame, self._delivered(), self.evidence.tally, self._repeats)
        self.evidence = evidence_of(frame, tally, self._metrics, self.now, self.evidence)
        found = advance(self.world.plan, self.progress, self.evidence, self.now)
        self.verdicts.append(found)
        if found.action == "advance" and found.progress is not None:
            begin = self.now + MOVING
            self.windows[-1] = self.windows[-1].model_copy(update={"until": self.now})
            self.progress = found.progress.model_copy(update={"since": begin})
            weight = self.world.plan.weight(self.progress.step)
            self.windows.append(Window(step=self.progress.step, weight=weight, since=begin))
        return found

    def replayed(self, requests: int) -> None:
        """Note that logged requests went through the challenger."""
        steps = tuple(one.model_copy(update={"replayed": requests}) for one in self.evidence.steps)
        self.evidence = self.evidence.model_copy(update={"steps": steps})

    def _pass(self) -> None:
        minute = int(self.now.timestamp()) // 60
        share = self.windows[-1].weight * self.world.split
        ours = int(self._random.binomial(self.world.per_minute, min(share, 1.0)))
        for version, model, requests in (
            (CHALLENGER, self.world.challenger, ours),
            (CHAMPION, self.world.champion, self.world.per_minute - ours),
        ):
            crashed = int(self._random.binomial(requests, model.crashes))
            self._metrics[version][minute] = Minute(requests, crashed)
            self._waiting += [self._request(version, model) for _ in range(requests - crashed)]
        self.now += LOOK

    def _request(self, version: str, model: Model) -> Prediction:
        # The first seconds of a minute are left out: there an alias may still be on its way to the new weight.
        at = self.now + MOVING + timedelta(seconds=self._random.uniform(0.1, 54))
        failed = bool(self._random.random() < model.errors)
        slow = bool(self._random.random() < model.slow)
        return record(
            at,
            version,
            status=500 if failed else 200,
            scores=None if failed else (float(self._random.beta(*model.scores)),),
            latency_ms=900.0 if slow else 5.0,
        )

    def _delivered(self) -> list[Prediction]:
        """Return what the log brings by now: out of order, and a tenth of it that came before."""
        begin, end = (START + timedelta(minutes=minute) for minute in self.world.silent)
        if begin < self.now <= end:
            return []
        came, self._waiting = self._waiting, []
        again = self._last[: len(self._last) // 10]
        self._last = came
        shuffled: list[Prediction] = [*came, *again]
        self._random.shuffle(shuffled)  # type: ignore[arg-type]  # any sequence that can be assigned to
        return shuffled
