"""A clock jumps by an hour between claim and end: a delivery that is worked on is taken from nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.delivery import CLAIM_LASTS
from tasks import deliveries, objects
from tests.clocks import jumped
from tests.ingest import parts

HOUR = timedelta(hours=1)
BODY = "\n".join([parts.HEADER, *(parts.record(number) for number in range(10)), ""]).encode()


def told_twice(shop: Any, between: Callable[[], Any]) -> list[str]:
    """Take a delivery in, and let another run try while the first one judges it; return who judged."""
    key, version = shop.put(BODY, "a.csv")
    judges = []

    def watched(name: str, work: Callable[..., Any], /, *arguments: Any) -> Any:
        if name == "judge rows":
            judges.append("first" if not judges else "second")
            if len(judges) == 1:
                with between():
                    shop.take_in(key, version, run="second", step=watched)
        return shop.step(name, work, *arguments)

    assert shop.take_in(key, version, run="first", step=watched).state == "validated"
    assert len(shop.keys("validated/")) == 2
    assert shop.keys("landing/") == []
    return judges


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_whose_clock_has_jumped_takes_no_live_claim(shop: Any, by: timedelta) -> None:
    assert by > CLAIM_LASTS or -by > CLAIM_LASTS
    assert told_twice(shop, lambda: jumped(by)) == ["first"]


def test_by_its_own_clock_it_would(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And harms nobody: what both did was the same."""
    monkeypatch.setattr(objects, "now", lambda *_: deliveries.datetime.now(UTC))
    assert told_twice(shop, lambda: jumped(HOUR)) == ["first", "second"]


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_claim_is_dated_by_s3(shop: Any, by: timedelta) -> None:
    landed = shop.put(BODY, "a.csv")
    with jumped(by):
        record = shop.take_in(*landed)
    assert abs(datetime.now(UTC) - record.claimed_at) < HOUR / 2
