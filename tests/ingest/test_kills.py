"""A run may die before or after any call to S3 and at any step; the next run ends the delivery, nothing is doubled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tasks.clients import s3
from tests.ingest import parts as small

pytestmark = pytest.mark.faults  # every point is killed at: minutes


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


FILES = {
    "part-0000.csv": small.csv(small.record(number, size=7) for number in range(10)),
    "part-0001.csv": small.csv(small.record(number, size=101 if number == 12 else 7) for number in range(10, 20)),
}
LISTED = json.dumps({"parts": [{"name": name} for name in FILES]}).encode()
LACKING = json.dumps({"parts": [{"name": name} for name in [*FILES, "part-0002.csv"]]}).encode()


def later(shop: Any) -> Callable[..., Any]:
    """Return steps that look at a folder when its time is over."""

    def step(name: str, work: Callable[..., Any], /, *arguments: Any) -> Any:
        found = shop.step(name, work, *arguments)
        return replace(found, now=found.now + timedelta(hours=7)) if name == "look at parts" else found

    return step


@pytest.mark.parametrize(
    ("manifest", "ends"), [(LISTED, "validated"), (LACKING, "quarantined")], ids=["whole", "lacking"]
)
def test_a_run_that_dies_after_any_call_over_several_files_is_finished_by_the_next(
    manifest: bytes, ends: str, shop: Any, aws: Any
) -> None:
    shop.verdicts = {}

    def landed(desk: Any) -> str:
        for name, body in FILES.items():
            desk.take_in(*desk.put(body, f"may.parts/{name}"), run="first")
        return desk.put(manifest, "may.parts/manifest.json")[0]

    key = landed(shop)
    with dying_at("after-call", 0) as calls:
        expected = shop.take_in(key, run="first", step=later(shop))
    assert (expected.state, shop.keys("landing/")) == (ends, [])
    whole, events = stored(shop), {event.name for event in shop.events}
    for number in range(1, len(calls) + 1):
        other = replace(shop, bucket=aws.bucket(), events=[], reports=[])
        landed(other)
        with pytest.raises(Killed), dying_at("after-call", number):
            other.take_in(key, run="first", step=later(other))
        record = other.take_in(key, run="second", retry_of="first", step=later(other))
        where = f"killed after {number}, {calls[number - 1]}"
        assert (record.state, record.rows, record.batch_id) == (expected.state, expected.rows, expected.batch_id), where
        assert stored(other) == whole, where
        assert (other.keys("landing/"), len(other.keys("control/"))) == ([], 1), where
        assert {event.name for event in other.events} == events, where
        assert len({event.id for event in other.events}) == len(events), where


STEPS = ["judge rows", "publish batch", "end delivery", "leave report", "emit event", "clear landing"]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_dies_around_any_step_is_finished_by_the_next(
    name: str, moment: str, desk: Any, real: Any, july: pd.DataFrame
) -> None:
    def dying(step: str, work: Callable[..., Any], /, *arguments: Any) -> Any:
        if step == name and moment == "before":
            raise Killed
        answer = desk.step(step, work, *arguments)
        if step == name:
            raise Killed
        return answer

    key, version = desk.put(with_defects(july, real))
    with pytest.raises(Killed):
        desk.take_in(key, version, run="first", step=dying)
    record = desk.take_in(key, version, run="second", retry_of="first")
    assert (record.state, record.rows.quarantined) == ("validated", 2)
    assert len(desk.keys("validated/")) == 2
    assert desk.keys("landing/") == []
    assert len({event.id for event in desk.events}) == 2
