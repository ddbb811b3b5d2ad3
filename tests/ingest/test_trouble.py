"""S3 throttles, fails and forgets to answer while files are taken in: each ends once, or nothing has changed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from lifecycle.errors import ServiceError
from tasks import clients, objects
from tasks.step import directly
from tests.ingest import parts
from tests.wire import Trouble, Wire, rough

FILES, AT_ONCE = 6, 2
BAD = [Trouble.THROTTLED, Trouble.FAILED, Trouble.CUT, Trouble.UNANSWERED]


def storm(seed: int, share: float) -> Callable[[int], Trouble]:
    """Return a weather in which a share of the requests meets trouble of every kind."""
    dice = random.Random(seed)
    return lambda _: dice.choice(BAD) if dice.random() < share else Trouble.NONE


def body(number: int) -> bytes:
    """Ten rows of their own; in the last file one of them is not fit to be used."""
    spoilt = parts.MOST_SIZE + 1 if number == FILES - 1 else 1
    lines = [parts.record(10 * number + row, size=1 if row else spoilt) for row in range(10)]
    return "\n".join([parts.HEADER, *lines, ""]).encode()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients that are made from now on try once."""
    monkeypatch.setattr(clients, "_ATTEMPTS", 1)


def take_in(shop: Any, key: str, version: str, **run: str) -> Any:
    """Take a delivery in with steps that tell mishaps as those of a flow do."""

    def step(name: str, work: Callable[..., Any], /, *arguments: Any) -> Any:
        return shop.step(name, partial(directly, name, work), *arguments)

    return shop.take_in(key, version, step=step, **run)


def crowd(shop: Any, landed: list[tuple[str, str]]) -> list[Any]:
    """Take everything in, each delivery by two at once."""
    with ThreadPoolExecutor(FILES * AT_ONCE) as pool:
        jobs = [pool.submit(take_in, shop, *one, run=f"{one[0]} {at}") for one in landed for at in range(AT_ONCE)]
        return [job.result() for job in jobs]


def test_every_file_is_one_batch_although_a_quarter_of_all_requests_go_wrong(shop: Any) -> None:
    landed = [shop.put(body(number), f"{number}.csv") for number in range(FILES)]
    with rough(storm(5, 0.25)) as wire:
        crowd(shop, landed)
    assert wire.troubled() == set(BAD)
    one_batch_each(shop)


def one_batch_each(shop: Any) -> None:
    records = shop.contents("control/parts/deliveries/")
    assert [b'"validated"' in one for one in records.values()] == [True] * FILES
    assert Counter(key.rpartition("/")[2] for key in shop.keys("validated/")) == {
        "data.parquet": FILES,
        "manifest.json": FILES,
    }
    assert len(shop.keys("quarantine/")) == 2  # the one row, and why
    assert shop.keys("landing/") == []
    assert len({event.id for event in shop.events}) == FILES + 1


@pytest.mark.usefixtures("impatient")
def test_without_a_second_try_the_same_weather_is_an_error(shop: Any) -> None:
    landed = [shop.put(body(number), f"{number}.csv") for number in range(FILES)]
    with rough(storm(5, 0.25)), pytest.raises(ServiceError):
        crowd(shop, landed)


@pytest.mark.faults  # at every point: minutes
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", BAD)
def test_wherever_s3_stops_it_is_one_clear_error_and_the_next_run_ends_it(shop: Any, trouble: Trouble) -> None:
    calm = whole(shop, lambda _: Trouble.NONE)
    for point in range(len(calm.met)):
        name = f"{trouble} {point}.csv"
        key, version = shop.put(body(point), name)
        with rough(stopping(trouble, point)), pytest.raises(ServiceError, match=r"S3 would not|AWS does not answer"):
            take_in(shop, key, version, run=f"first {point}")
        record = shop.take_in(key, version, run=f"second {point}", retry_of=f"first {point}")
        assert (record.state, record.rows.received) == ("validated", 10), calm.met[point]
        assert shop.keys("landing/") == [], calm.met[point]


def stopping(trouble: Trouble, point: int) -> Callable[[int], Trouble]:
    """Return a weather that is calm up to a point and then does nothing else any more."""
    return lambda number: trouble if number >= point else Trouble.NONE


def whole(shop: Any, weather: Callable[[int], Trouble]) -> Wire:
    landed = shop.put(body(1_000), "calm.csv")
    with rough(weather) as wire:
        take_in(shop, *landed)
    return wire


def test_a_claim_whose_answer_was_lost_is_ours(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written and not heard of, it is written again, refused, and found to be our own."""
    landed = shop.put(body(0), "0.csv")
    lost = [Trouble.UNANSWERED, Trouble.NONE]
    with rough(lambda number: lost[number] if number < 2 else Trouble.NONE):
        assert objects.create(shop.bucket, "control/one", b"mine") is not None
    with rough(lambda number: lost[number] if number < 2 else Trouble.NONE):
        assert objects.create(shop.bucket, "control/one", b"another's") is None
    assert shop.take_in(*landed).state == "validated"
