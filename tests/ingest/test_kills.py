"""A run may die before or after any call to S3 and at any step; the next run ends the delivery, nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from flows.ingest import Steps, take_in
from lifecycle.delivery import Worker
from tasks.clients import s3


class Killed(BaseException):
    """What SIGKILL looks like from inside: nothing may catch it."""


@contextmanager
def dying_at(moment: str, number: int) -> Iterator[list[str]]:
    """Die `before-call` or `after-call` of the given call to S3, counted from 1; yield the names of the calls made."""
    calls: list[str] = []

    def count(**event: Any) -> None:
        calls.append(event["model"].name)
        if len(calls) == number:
            raise Killed

    events = s3().meta.events
    events.register(f"{moment}.s3", count, unique_id="dying")
    try:
        yield calls
    finally:
        events.unregister(f"{moment}.s3", count, unique_id="dying")


def with_defects(july: pd.DataFrame, real: Any) -> bytes:
    bad = july.copy()
    bad.loc[[3, 700], "wind_speed"] = 1048.36058
    return real.csv(bad)


def with_a_break(july: pd.DataFrame, real: Any) -> bytes:
    return real.csv(july.drop(columns="distance"))


def stored(desk: Any) -> dict[str, bytes]:
    """Return every batch that is stored, without what says which run stored it."""
    found = {**desk.contents("validated/"), **desk.contents("quarantine/")}
    return {key: body for key, body in found.items() if not key.endswith((".json",))} | dict.fromkeys(
        [key for key in found if key.endswith(".json")], b""
    )


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
@pytest.mark.parametrize("make", [with_defects, with_a_break])
def test_a_run_that_dies_at_any_call_is_finished_by_the_next(
    moment: str, make: Callable[..., bytes], desk: Any, aws: Any, real: Any, july: pd.DataFrame
) -> None:
    body = make(july, real)
    landed = desk.put(body)
    with dying_at(moment, 0) as calls:
        expected = desk.take_in(*landed)
    whole, events = stored(desk), {event.id for event in desk.events}
    assert len(calls) >= 9, calls
    for number in range(1, len(calls) + 1):
        other = replace(desk, bucket=aws.bucket(), events=[], reports=[])
        key, version = other.put(body)
        with pytest.raises(Killed), dying_at(moment, number):
            other.take_in(key, version, run="first")
        record = other.take_in(key, version, run="second", retry_of="first")
        where = f"killed {moment} {number}, {calls[number - 1]}"
        assert (record.state, record.rows, record.batch_id) == (expected.state, expected.rows, expected.batch_id), where
        assert stored(other) == whole, where
        assert other.keys("landing/") == [], where
        assert len({event.id for event in other.events}) == len(events), where
        assert len(other.keys("control/")) == 1, where


@pytest.mark.parametrize("step", ["judge", "publish", "end", "report", "emit", "clear"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_dies_around_any_step_is_finished_by_the_next(
    step: str, moment: str, desk: Any, real: Any, july: pd.DataFrame
) -> None:
    key, version = desk.put(with_defects(july, real))
    steps: Steps = desk.steps()
    original = getattr(steps, step)

    def die(*arguments: Any) -> Any:
        if moment == "after":
            original(*arguments)
        raise Killed

    broken = replace(steps, **{step: die})
    with pytest.raises(Killed):
        take_in(desk.place, "flights", key, version, Worker("first"), broken)
    record = desk.take_in(key, version, run="second", retry_of="first")
    assert (record.state, record.rows.quarantined) == ("validated", 2)
    assert len(desk.keys("validated/")) == 2
    assert desk.keys("landing/") == []
    assert len({event.id for event in desk.events}) == 2
