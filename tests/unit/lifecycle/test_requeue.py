"""Keys of requeued bytes say what they are, whatever name the bytes first came under."""

from __future__ import annotations

import pytest

from lifecycle.keys import is_marker, product_of
from lifecycle.requeue import Attempt, attempt_of, record_key, requeue_key

BATCH = "ab" * 32


@pytest.mark.parametrize("name", ["a.csv", "2013/07/a b+c%20.csv.gz", "月\n.parquet", "requeued/x"])
def test_a_key_says_batch_attempt_and_name(name: str) -> None:
    key = requeue_key("parts", BATCH, 12, f"landing/parts/{name}")
    assert attempt_of(key) == Attempt(BATCH, 12, name)
    assert (product_of(key), is_marker(key)) == ("parts", False)


def test_a_name_that_would_not_fit_keeps_its_end() -> None:
    key = requeue_key("parts", BATCH, 1, "landing/parts/" + "月" * 300 + "/" + "é" * 300 + ".csv.gz")
    assert len(key.encode()) <= 1024
    found = attempt_of(key)
    assert found is not None
    assert found.name.endswith("é.csv.gz")


@pytest.mark.parametrize(
    "key",
    [
        "landing/parts/a.csv",
        f"landing/parts/requeued/{BATCH}/0/a.csv",
        f"landing/parts/requeued/{BATCH}/1/",
        f"landing/parts/requeued/{BATCH[:12]}/1/a.csv",
        f"landing/parts/x/requeued/{BATCH}/1/a.csv",
        f"validated/parts/requeued/{BATCH}/1/a.csv",
    ],
)
def test_every_other_key_is_no_requeue(key: str) -> None:
    assert attempt_of(key) is None


def test_records_sort_as_attempts_do() -> None:
    keys = [record_key("parts", BATCH, attempt) for attempt in (1, 2, 10, 100)]
    assert keys == sorted(keys)
