"""Six files, each announced five times to a crowd: the claim saves the work, the batch's identity saves the result."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tasks import deliveries
from tests.ingest import parts

FILES, TIMES, CROWD = 6, 5, 8


def body(number: int) -> bytes:
    return "\n".join([parts.HEADER, *(parts.record(10 * number + row) for row in range(10)), ""]).encode()


def worked(shop: Any) -> Counter[str]:
    """Let the crowd take everything in; return how often each step was carried out."""
    landed = [shop.put(body(number), f"{number}.csv") for number in range(FILES)] * TIMES
    random.Random(5).shuffle(landed)
    done: Counter[str] = Counter()

    def counted(name: str, work: Callable[..., Any], /, *arguments: Any) -> Any:
        done[name] += 1
        return shop.step(name, work, *arguments)

    with ThreadPoolExecutor(CROWD) as pool:
        jobs = [pool.submit(partial(shop.take_in, *one, run=str(at), step=counted)) for at, one in enumerate(landed)]
        assert {job.result().state for job in jobs} <= {"validated", "claimed"}
    return done


def one_batch_each(shop: Any) -> None:
    assert Counter(key.rpartition("/")[2] for key in shop.keys("validated/")) == {
        "data.parquet": FILES,
        "manifest.json": FILES,
    }
    assert len(shop.keys("control/parts/deliveries/")) == FILES
    assert shop.keys("landing/") == []
    assert len({event.id for event in shop.events}) == FILES


def test_each_is_judged_and_published_once(shop: Any) -> None:
    done = worked(shop)
    assert (done["find object"], done["judge rows"], done["publish batch"]) == (FILES * TIMES, FILES, FILES)
    one_batch_each(shop)


def test_without_the_claim_the_work_is_done_again_and_the_result_is_the_same(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "may_take_over", lambda record, *_: not record.ended)
    done = worked(shop)
    assert done["judge rows"] > FILES
    one_batch_each(shop)
