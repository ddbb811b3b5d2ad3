"""A breach that was decided about is answered once, whoever dies in between and however often the event comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows import respond
from flows.respond import Responded
from lifecycle.causes import Cause
from lifecycle.episodes import Episode, Watch
from lifecycle.ledger import Decision
from lifecycle.looks import watch_key
from lifecycle.measurement import Measurement, Metric
from lifecycle.settings import Settings
from lifecycle.taken import cause_of
from tasks import ledger, objects, responding, set_aside
from tasks.step import directly
from tests.monitor.conftest import HOUR, NOW, Shop
from tests.monitor.test_monitoring import PRODUCT
from tests.release.conftest import Listener, hearing, listener

__all__ = ["hearing", "listener"]
SINCE = NOW - 2 * HOUR


def breach(metric: Metric, since: Any = SINCE) -> Watch:
    found = Measurement(metric=metric, state="breached", n=900, statistic=0.2, threshold=0.05, chance=0.02, power=0.9)
    episode = Episode(metric=metric, since=since, raised_at=since, worst=found, last=found)
    return Watch(bundle="b", looked_at=NOW, episodes=(episode,))


class Room:
    """One product that is watched, and whoever listens."""

    def __init__(self, shop: Shop, listener: Listener, folder: Path) -> None:
        self.bucket, self.listener = shop.bucket, listener
        self.settings = Settings.model_validate({"bucket": shop.bucket, "root": folder})
        (folder / "products" / "loans").mkdir(parents=True)
        (folder / "products" / "loans" / "product.yaml").write_text(json.dumps(PRODUCT))

    def see(self, watch: Watch) -> None:
        objects.create(self.bucket, watch_key("loans"), watch.model_dump_json().encode())

    def respond(self, step: Any = directly, hours: float = 0) -> Responded:
        return respond.carry_out(step, self.settings, "loans", NOW + hours * HOUR)[0]

    def challenged(self, cause: str, verdict: str) -> None:
        """Say what came of a training, as `train` does."""
        made = Decision(
            at=NOW,
            actor="train",
            cause=cause,
            action="challenge",
            to="2",
            reason=".",
            evidence={"verdict": verdict},
            key=f"challenge/{cause}",
        )
        ledger.append(self.bucket, "loans", made)

    @property
    def asked(self) -> list[str]:
        return [event["payload"]["cause"] for event in self.listener.events if event["event"] == "retrain.requested"]

    @property
    def written(self) -> list[str]:
        return [str(entry.evidence["decision"]) for entry in ledger.entries(self.bucket, "loans")]


@pytest.fixture
def room(shop: Shop, listener: Listener, tmp_path: Path) -> Room:
    return Room(shop, listener, tmp_path)


def test_a_worse_model_asks_for_one_training_that_names_its_reason(room: Room) -> None:
    room.see(breach(Metric.PERFORMANCE))
    first, again = room.respond(), room.respond(hours=1)
    assert (first.action, first.cause, again.action, again.grounds[0]) == (
        "retrain",
        "performance",
        "nothing",
        "UNDER_WAY",
    )
    assert room.asked == [cause_of(room.written[0])]
    assert room.written == [f"retrain/performance/{SINCE.isoformat()}/0"]


class Killed(BaseException):
    """A process that ended without a word."""


def dying(before: str) -> Callable[..., Any]:
    def step(name: str, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if name == before:
            raise Killed
        return directly(name, work, *given, **named)

    return step


@pytest.mark.parametrize("before", ["ask for a training", "tell people", "append to ledger"])
def test_killed_before_any_act_and_run_again_it_is_one_decision(room: Room, before: str) -> None:
    room.see(breach(Metric.PERFORMANCE))
    with pytest.raises(Killed):
        room.respond(dying(before))
    assert room.respond().action == "retrain"
    assert len({event["id"] for event in room.listener.events}) == 1  # told twice at most, as the same event
    assert len(room.written) == 1


def test_wrong_data_is_set_aside_and_nobody_trains(room: Room, shop: Shop) -> None:
    room.see(breach(Metric.MISSING))
    assert [room.respond().action, room.respond().action] == ["quarantine_and_notify", "nothing"]
    assert set_aside.stretches(shop.bucket, "loans") == ((SINCE, None),)
    assert room.asked == []


def test_the_batch_that_a_training_is_to_learn_from_wakes_it_and_its_cause_is_the_breach(room: Room) -> None:
    room.see(breach(Metric.PERFORMANCE))
    assert responding.why_trained(room.bucket, "loans", "batch.validated", NOW) == "batch.validated"
    room.respond()
    (asked,) = room.asked
    assert responding.why_trained(room.bucket, "loans", "batch.validated", NOW) == asked
    assert responding.why_trained(room.bucket, "loans", "batch.validated", NOW + timedelta(days=1)) == "batch.validated"
    room.challenged(asked, "refuse")
    assert responding.why_trained(room.bucket, "loans", "batch.validated", NOW) == "batch.validated"


def test_three_trainings_that_came_to_nothing_are_told_and_then_none_is_asked_for(room: Room) -> None:
    room.see(breach(Metric.PERFORMANCE))
    done = []
    for look in range(12):  # every six hours, for three days
        done.append(room.respond(hours=6 * look))
        if done[-1].action == "retrain":
            room.challenged(room.asked[-1], "refuse")
    assert [one.action for one in done].count("retrain") == 3
    assert [one.grounds[0] for one in done if one.action == "notify"] == ["BUDGET_SPENT", "BREAKER_OPEN"]
    assert {one.cause for one in done} == {Cause.PERFORMANCE}
