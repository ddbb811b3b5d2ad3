"""Releases that go wrong, for real: every challenger is asked by callers at each step, and ends as it should.

Each model passed its gate and is intact; only what it does to requests is wrong. What became of it is read off the
endpoint's answers, the alias and the ledger.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic

import pytest

from lifecycle.ledger import Entry
from localcloud.address import LocalCloud
from tasks.clients import lambda_client
from tests.faults import models
from tests.faults.conftest import Measured, product_on
from tests.faults.loop import eventually
from tests.faults.models import Fault
from tests.faults.stage import Stage, staged
from tests.faults.stream import Stream, body

pytestmark = [
    pytest.mark.faults,
    pytest.mark.localcloud,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
USUAL = 0.04
"""The champion answers one request in 25 with an error, so that five times as many is something to tell."""
ROWS, TREES = 300, 600
"""So many rows in a request, and so many times the trees: an answer is several times slower, and its scores equal."""
PLAN = {
    "steps": [50, 100],
    "bake_time": "2s",
    "tick": "2s",
    "min_requests": 200,
    "deadline": "10m",
    "ceilings": {"errors": 0.3, "slow": 0.3, "invalid": 0.3},
    "slow_after": "40ms",
}


@pytest.fixture(scope="module")
def stage(sensors_cloud: LocalCloud, house: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A product whose champion fails now and then; no challenger here ever takes its place."""
    with (
        product_on(sensors_cloud, house, **PLAN) as loop,
        staged(loop, tmp_path_factory.mktemp("stage")) as made,
    ):
        made.promoted(Fault(failing=USUAL))
        yield made


def test_five_times_the_errors_are_taken_back(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "challenger fails", "five times as often as the champion"
    with stage.stream() as stream:
        version = stage.challenge(Fault(failing=5 * USUAL))
        entry = watched(stage, version, stream, measured)
    assert "HARM errors" in entry.reason
    over(stage, version, entry, "HARM")
    answered = stream.counted()
    assert set(answered) == {("1", 200), ("1", 500), (version, 200), (version, 500)}
    measured.found += f"; errors {share(stream, '1'):.1%} and {share(stream, version):.1%}"


def test_answers_that_take_three_times_as_long_are_taken_back(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "challenger is slow", f"{TREES} times the trees"
    with stage.stream(rows=ROWS, least_load=0.5, pause=0.01) as stream:
        version = stage.challenge(Fault(heavier=TREES))
        entry = watched(stage, version, stream, measured)
    over(stage, version, entry, *({"HARM", "ALARM"} & set(codes(entry))))  # whoever was faster, controller or guard
    assert "HARM slow" in entry.reason or f"{stage.house.function}-v" in entry.reason
    assert set(stream.counted()) == {("1", 200), (version, 200)}
    usual, slow = (
        median(one.ended - one.began for one in stream.answers if one.model == name) for name in ("1", version)
    )
    measured.found += f"; medians {1000 * usual:.0f} and {1000 * slow:.0f} ms"
    assert slow > 3 * usual


def test_other_scores_wait_for_a_person_although_every_answer_is_200(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "challenger's scores are shifted", "every answer is 200"
    with stage.stream(least_load=0.5) as stream:
        version = stage.challenge(Fault(shifted=2.0))
        began = monotonic()
        held = stage.until("a release that is held", "SCORES_SHIFTED")
        measured.terminal = monotonic() - began
        assert (held.weight, stage.champion) == (0.5, "1")
        looks = held.rollout.ticks if held.rollout else 0
        eventually("two more looks", lambda: (now := stage.record.rollout) is not None and now.ticks >= looks + 2)
        assert stage.until("it being held still", "SCORES_SHIFTED").weight == 0.5
        assert stage.tropism("abort", stage.product, "--reason", "not what was meant").code == 0
        entry = watched(stage, version, stream, measured)
    assert set(stream.counted()) == {("1", 200), (version, 200)}
    over(stage, version, entry, "ABORTED")


def test_a_caller_past_the_alias_breaks_the_split_and_ends_the_release(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "the split is broken", "a caller has pinned the challenger's version"
    with stage.stream(least_load=0.5, pause=0.02) as stream:
        version = stage.challenge(Fault(failing=USUAL, salt=0.002))
        pinned = eventually("the challenger's version", lambda: version_of(stage, version))
        with pinning(stage, pinned):
            entry = watched(stage, version, stream, measured)
    over(stage, version, entry, "SPLIT_BROKEN")


def test_without_traffic_it_is_held_and_replayed_and_never_a_success(stage: Stage, measured: Measured) -> None:
    measured.fault, measured.point = "nobody asks", "logged requests are replayed"
    with stage.stream(least_load=0.5) as stream:
        stream.reach(100)
    version = stage.challenge(Fault(failing=USUAL, salt=0.003))
    began = monotonic()

    def replayed() -> int | None:
        rollout = stage.record.rollout
        step = rollout.evidence.at(0) if rollout else None
        return step.replayed if step else None

    count = eventually("a replay", replayed, seconds=240)
    measured.terminal = monotonic() - began
    held = stage.until("a release that is held", "NO_TRAFFIC")
    assert held.rollout is not None
    looks, step = held.rollout.ticks, held.rollout.evidence.at(0)
    assert step is not None
    assert (step.challenger.requests, step.champion.requests, step.replay_failed) == (0, 0, 0)
    eventually("two more looks", lambda: (now := stage.record.rollout) is not None and now.ticks >= looks + 2)
    assert (stage.until("it being held still", "NO_TRAFFIC").weight, stage.champion) == (0.5, "1")
    assert stage.steps(version) == [0.5]
    measured.found = f"held, {count} requests replayed"
    assert stage.tropism("abort", stage.product, "--reason", "nobody asks").code == 0
    over(stage, version, stage.taken_back(version), "ABORTED")


def watched(stage: Stage, version: str, stream: Stream, measured: Measured) -> Entry:
    """Wait for the end of a release, and for answers after it: all of them are the champion's."""
    began = monotonic()
    entry = stage.taken_back(version)
    measured.done, ended = monotonic() - began, monotonic()
    stream.reach(50)
    assert {one.model for one in stream.since(ended)} == {"1"}
    assert stream.failures == []
    measured.found = f"{','.join(codes(entry))} after {len(stream.answers)} answers"
    return entry


def over(stage: Stage, version: str, entry: Entry, *wanted: str) -> None:
    """Everything says that the challenger is out, and why; one entry for each weight it had."""
    assert set(wanted) <= set(codes(entry)), entry.reason
    assert wanted
    record = stage.record
    assert (stage.champion, record.challenger, record.rollout, record.weight) == ("1", None, None, 0.0)
    champion = record.champion
    assert champion is not None
    assert (stage.alias().function_version, dict(stage.alias().extra)) == (champion.function_version, {})
    assert stage.steps(version) == [0.5]
    assert stage.answers() == {"1"}


def codes(entry: Entry) -> list[str]:
    return str(entry.evidence["codes"]).split(",")


def share(stream: Stream, model: str) -> float:
    """The share of a model's answers that were errors."""
    asked = [one.status for one in stream.answers if one.model == model]
    return sum(status == 500 for status in asked) / len(asked)


def version_of(stage: Stage, version: str) -> str | None:
    """The function version of a challenger once its release has begun."""
    found = stage.record.challenger
    return found.function_version if found is not None and found.model_version == version else None


@contextmanager
def pinning(stage: Stage, number: str) -> Iterator[None]:
    """Ask one function version by its number, past the alias, until left."""
    over, asked = threading.Event(), body(models.rows(1, 1, least_load=0.5))

    def ask() -> None:
        while not over.is_set():
            answer = lambda_client().invoke(FunctionName=stage.house.function, Qualifier=number, Payload=asked)
            with answer["Payload"] as stream:
                assert json.loads(stream.read())["status"] == 200

    caller = threading.Thread(target=ask, daemon=True)
    caller.start()
    try:
        yield
    finally:
        over.set()
        caller.join()
