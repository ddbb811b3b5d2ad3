"""A snapshot names its data whatever the order it came in, and holds one batch per landing key."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.snapshot import BatchRef, take


def batch(name: str, key: str = "", at: int = 0, suite: str = "s1") -> BatchRef:
    return BatchRef(
        batch_id=name,
        sha256=f"sha-{name}",
        rows=10,
        key=key or f"landing/shop/{name}",
        landed_at=f"2013-01-{at + 1:02d}T00:00:00+00:00",
        data_key=f"validated/shop/{name}/data.parquet",
        object_version=None,
        suite="shop_raw",
        suite_sha256=suite,
    )


@given(st.permutations([batch("a", at=3), batch("b", at=1), batch("c", "landing/shop/b", at=2), batch("d", at=5)]))
def test_the_order_of_arrival_changes_nothing(batches: list[BatchRef]) -> None:
    found = take("shop", batches)
    assert found.batch_ids == ("a", "c", "d")
    assert found.superseded == ("b",)
    assert found.digest == take("shop", [batch("a"), batch("c"), batch("d")]).digest
    assert [one.batch_id for one in found.by_age] == ["d", "a", "c"]


def test_other_bytes_under_the_same_batch_id_are_another_snapshot() -> None:
    other: Any = BatchRef(**{**vars(batch("a")), "sha256": "altered"})
    assert take("shop", [batch("a")]).digest != take("shop", [other]).digest


def test_of_each_suite_the_one_used_last_is_named() -> None:
    found = take("shop", [batch("a", at=1, suite="old"), batch("b", at=2, suite="new")])
    assert found.suites == {"shop_raw": "new"}


def test_nothing_delivered_is_a_snapshot_of_nothing() -> None:
    assert (take("shop", []).batches, take("shop", []).rows) == ((), 0)
