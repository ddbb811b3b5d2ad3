"""Two runs do the same release, and two the same step back, at once: it is done once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier
from typing import Any

import pytest

from flows import going_back, release
from lifecycle.errors import ConflictError
from lifecycle.reversal import Wish
from tasks.step import directly
from tests.release.conftest import House, Listener, Made, register, work
from tests.release.test_release import FIRST, SECOND, everything, serving

pytestmark = [
    pytest.mark.faults,  # each model is proven in the serving runtime
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]


def together(name: str) -> Callable[..., Any]:
    """Return a way to carry out steps that lets two go on together before one of them."""
    gate = Barrier(2)

    def step(given: str, do: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        if given == name:
            gate.wait(timeout=60)
        return directly(given, do, *arguments, **named)

    return step


def both(job: Callable[[str], Any]) -> list[str]:
    """Do the same thing twice at once; return how each ended."""

    def told(name: str) -> str:
        try:
            return str(job(name))
        except ConflictError:
            return "overtaken"

    with ThreadPoolExecutor(2) as pool:  # a context of its own for each: Prefect's settings are in it
        jobs = [pool.submit(copy_context().run, told, name) for name in ("one", "two")]
        return sorted(job.result() for job in jobs)


def test_two_releases_of_one_model_at_once_are_one(house: House, bundles: Made, listener: Listener) -> None:
    register(house, bundles(1, house.product), champion=None)
    step = together("change champion")
    ends = both(lambda name: release.carry_out(work(house, step, name), "1").state)
    assert "promoted" in ends
    assert set(ends) <= {"promoted", "overtaken"}
    assert everything(house) == serving("1", None, FIRST)
    assert listener.names()[:1] == ["release.promoted"]
    assert len({event["id"] for event in listener.events}) == 1


def test_two_steps_back_for_one_reason_at_once_are_one(two: House) -> None:
    ends = both(lambda name: going_back.carry_out(work(two, name=name), Wish("one-request", "slow")).model_version)
    assert set(ends) <= {"1", "overtaken"}
    going_back.carry_out(work(two), Wish("one-request", "slow"))
    assert everything(two) == serving("1", None, FIRST, SECOND, ("roll_back", "2", "1"))
