"""Whole releases on a simulated clock: requests are drawn, every tick asks for a verdict, the verdict is followed."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lifecycle.evidence import FULL, Arm, Evidence, StepEvidence
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress, Verdict, advance

PLAN = ReleasePlan(bake_time=timedelta(minutes=6), deadline=timedelta(hours=2))
START, TICK = datetime(2026, 3, 1, tzinfo=UTC), timedelta(minutes=1)
FOREVER = 1_000
FLAT = np.full(10, 0.1)
TILTED = np.array([0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.14, 0.17, 0.18, 0.2])


@dataclass(frozen=True)
class Behaviour:
    """Shares of requests, and where scores fall."""

    errors: float = 0.004
    slow: float = 0.02
    invalid: float = 0.001
    scores: tuple[float, ...] = tuple(FLAT)


@dataclass(frozen=True)
class World:
    """Requests a tick, both models, and what becomes of the configured weight."""

    challenger: Behaviour = Behaviour()
    champion: Behaviour = Behaviour()
    requests: int = 700
    split: float = 1.0
    blind: bool = False


@dataclass
class Tally:
    """Counts of one arm at one step, growing."""

    counts: np.ndarray
    scores: np.ndarray

    def see(self, random: np.random.Generator, requests: int, behaviour: Behaviour) -> None:
        shares = [behaviour.errors, behaviour.slow, behaviour.invalid]
        self.counts += [requests, *random.binomial(requests, shares)]
        self.scores += random.multinomial(requests, behaviour.scores)

    def arm(self) -> Arm:
        requests, errors, slow, invalid = self.counts.tolist()
        return Arm(requests=requests, errors=errors, slow=slow, invalid=invalid, scores=tuple(self.scores.tolist()))


def empty() -> Tally:
    return Tally(np.zeros(4, dtype=np.int64), np.zeros(10, dtype=np.int64))


@dataclass(frozen=True)
class Ended:
    verdict: Verdict
    ticks: int
    step: int


def release(world: World, seed: int, ticks: int = FOREVER) -> Ended:
    """Follow one release to its end, or through so many ticks."""
    random, progress, now, past = np.random.default_rng(seed), Progress(since=START), START, ()
    ours, theirs = empty(), empty()
    for tick in range(ticks):
        now += TICK
        weight = PLAN.weight(progress.step)
        reached = int(random.binomial(world.requests, min(FULL, weight * world.split)))
        ours.see(random, reached, world.challenger)
        theirs.see(random, world.requests - reached, world.champion)
        here = StepEvidence(step=progress.step, weight=weight, challenger=ours.arm(), champion=theirs.arm())
        if world.blind:
            here = here.model_copy(update={"challenger": here.challenger.model_copy(update={"errors": None})})
        verdict = advance(PLAN, progress, Evidence(steps=(*past, here)), now)
        if verdict.progress is None:
            return Ended(verdict, tick + 1, progress.step)
        if verdict.action == "advance":
            past, ours, theirs = (*past, here), empty(), empty()
        progress = verdict.progress
    return Ended(verdict, ticks, progress.step)


def reasons(ended: Ended) -> set[tuple[str, str | None]]:
    return {(str(reason.code), reason.column) for reason in ended.verdict.reasons}


def test_a_healthy_model_is_promoted_after_every_step_has_baked() -> None:
    ended = release(World(), seed=1)
    assert (ended.verdict.action, ended.step) == ("promote", PLAN.last)
    assert ended.ticks >= 4 * (PLAN.bake_time / TICK)


def test_a_better_model_is_promoted() -> None:
    assert release(World(challenger=Behaviour(errors=0.0, slow=0.0, invalid=0.0)), seed=1).verdict.action == "promote"


@pytest.mark.parametrize(
    ("world", "wanted"),
    [
        (World(challenger=Behaviour(errors=0.02)), ("HARM", "errors")),
        (World(challenger=Behaviour(slow=0.06)), ("HARM", "slow")),
        (World(challenger=Behaviour(invalid=0.02)), ("HARM", "invalid")),
        (World(challenger=Behaviour(errors=1.0)), ("HARM", "errors")),
        (World(split=3.0), ("SPLIT_BROKEN", "requests")),
        (World(split=0.3), ("SPLIT_BROKEN", "requests")),
    ],
)
def test_a_broken_release_is_taken_back_for_the_right_reason(world: World, wanted: tuple[str, str]) -> None:
    for seed in range(5):
        ended = release(world, seed)
        assert (ended.verdict.action, reasons(ended)) == ("roll_back", {wanted})
        assert ended.step < PLAN.last


def test_a_dead_model_is_taken_back_before_the_first_step_is_over() -> None:
    assert release(World(challenger=Behaviour(errors=1.0)), seed=2).ticks <= 2


def test_a_broken_split_with_a_broken_model_is_named_a_broken_split() -> None:
    ended = release(World(challenger=Behaviour(errors=0.02), split=3.0, requests=4_000), seed=4)
    assert reasons(ended) == {("SPLIT_BROKEN", "requests")}


def test_shifted_scores_hold_for_a_person_though_every_answer_is_good() -> None:
    good = Behaviour(errors=0.0, slow=0.0, invalid=0.0)
    ended = release(World(challenger=replace(good, scores=tuple(TILTED)), champion=good), seed=3, ticks=300)
    assert (ended.verdict.action, reasons(ended)) == ("hold", {("SCORES_SHIFTED", "scores")})
    assert ended.step == 0


def test_without_traffic_it_holds_wants_a_replay_and_never_succeeds() -> None:
    ended = release(World(requests=0), seed=1, ticks=300)
    assert (ended.verdict.action, reasons(ended)) == ("hold", {("NO_TRAFFIC", "requests")})
    assert ended.verdict.replay_due


def test_with_too_little_traffic_it_is_taken_back_at_the_deadline() -> None:
    ended = release(World(requests=10), seed=1)
    assert (ended.verdict.action, ended.ticks) == ("roll_back", PLAN.deadline / TICK)
    assert ("DEADLINE", None) in reasons(ended)


def test_with_a_metric_missing_it_is_taken_back_at_the_deadline() -> None:
    ended = release(World(blind=True), seed=1)
    assert (ended.verdict.action, ended.step) == ("roll_back", 0)
    assert reasons(ended) == {("DEADLINE", None), ("METRIC_MISSING", "errors")}


def test_a_model_that_breaks_under_full_weight_only_is_taken_back_there() -> None:
    tally = empty()
    tally.see(np.random.default_rng(1), 800, Behaviour(errors=0.15))
    full = StepEvidence(step=3, weight=FULL, challenger=tally.arm(), champion=Arm(requests=0))
    verdict = advance(PLAN, Progress(step=3, since=START), Evidence(steps=(full,)), START + TICK)
    assert (verdict.action, [str(reason.code) for reason in verdict.reasons]) == ("roll_back", ["CEILING"])


@pytest.mark.faults
def test_of_500_healthy_releases_looked_at_at_every_tick_one_in_a_hundred_is_taken_back_at_most() -> None:
    ends = Counter(release(World(), seed).verdict.action for seed in range(500))
    assert ends["roll_back"] <= 5
    assert ends["promote"] == 500 - ends["roll_back"]
