"""Two looks at once, and two answers to one breach: nothing is remembered, asked for or written twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier
from typing import Any

from lifecycle.measurement import Metric
from tasks import monitoring
from tasks.step import directly
from tests.monitor.conftest import HOUR, NOW, Shop, draw
from tests.monitor.test_monitoring import Watched
from tests.monitor.test_responding import Room, breach, listener, room

__all__ = ["listener", "room"]


def test_two_looks_at_once_are_one(shop: Shop) -> None:
    watch = Watched(shop)
    watch.asked(draw(3, 400, missing=0.3), NOW - HOUR)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(watch.look, [NOW, NOW])
    assert first == second
    assert [one.metric for one in first.watch.pressing] == [Metric.MISSING]
    assert monitoring.read_watch(shop.bucket, "loans") == first.watch
    assert list(monitoring.looks(shop.bucket, "loans")) == [first.look]


def together(name: str) -> Callable[..., Any]:
    """Return a way to carry out steps that lets two go on together before one of them."""
    gate = Barrier(2)

    def step(given: str, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        if given == name:
            gate.wait(timeout=30)
        return directly(given, work, *arguments, **named)

    return step


def test_two_answers_at_once_are_one_training_and_one_entry(room: Room) -> None:
    room.see(breach(Metric.PERFORMANCE))
    step = together("ask for a training")
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(copy_context().run, room.respond, step) for _ in range(2)]
        answers = [job.result() for job in jobs]
    assert [answer.action for answer in answers] == ["retrain", "retrain"]
    assert len({event["id"] for event in room.listener.events}) == 1
    assert len(room.written) == 1
    assert {answer.ledger_seq for answer in answers} == {1}
