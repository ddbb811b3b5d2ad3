"""What was quarantined is judged again by mended rules: once, with its history, and every row counted."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from lifecycle.batch import BatchManifest, RowCounts, codes
from lifecycle.delivery import Delivery
from lifecycle.errors import BatchError
from lifecycle.events import BatchValidated
from tasks import ledger, requeues
from tasks.clients import s3
from tasks.requeues import Asked, Asker, ask
from tests.ingest import parts
from tests.ingest.test_kills import Killed, dying_at

MANY = parts.csv(parts.record(number, size=7) for number in range(150))
TALL = parts.csv(parts.record(number, size=101 if number < 3 else 7) for number in range(50))


def rules(shop: Any) -> str:
    return requeues.rules_digest(shop.root / "products", shop.root / "expectations", "parts")


def requeue(shop: Any, batch_id: str | None) -> Asked:
    by = Asker("ada", "the suite knows better", datetime.now(UTC), rules(shop))
    return ask(shop.bucket, "parts", str(batch_id), by)


def taken(shop: Any, asked: Asked) -> Delivery:
    record: Delivery = shop.take_in(asked.requeue.key, asked.requeue.object_version)
    assert record.delivery_id == asked.delivery_id
    return record


def manifest(shop: Any, batch_id: str | None) -> BatchManifest:
    return BatchManifest.model_validate_json(shop.bytes_of(f"validated/parts/{batch_id}/manifest.json"))


def stored(shop: Any) -> dict[str, str]:
    versions = s3().list_object_versions(Bucket=shop.bucket)["Versions"]
    return {version["Key"]: version["VersionId"] for version in versions if version["IsLatest"]}


def test_a_refused_file_lands_again_under_a_key_that_names_its_origin_and_is_validated(shop: Any) -> None:
    refused = shop.deliver(MANY, "2024/may.csv")
    assert (refused.state, codes(refused.reasons)) == ("quarantined", ("ROW_COUNT",))
    parts.suite(shop.root, parts.rows(200), parts.sizes(parts.MOST_SIZE))
    asked = requeue(shop, refused.batch_id)
    assert asked.requeue.key == f"landing/parts/requeued/{refused.batch_id}/1/2024/may.csv"
    record = taken(shop, asked)
    assert (record.state, record.batch_id, record.rows) == ("validated", refused.batch_id, RowCounts(150, 150, 0))
    found = manifest(shop, record.batch_id)
    assert (found.key, found.object_version) == ("landing/parts/2024/may.csv", refused.object_version)
    assert (shop.keys("quarantine/"), shop.keys("landing/")) == ([], [])
    assert isinstance(shop.events[-1], BatchValidated)


def test_held_back_rows_go_on_and_the_batch_is_published_anew_with_counts_that_add_up(shop: Any) -> None:
    first = shop.deliver(TALL, "may.csv")
    assert first.rows == RowCounts(50, 47, 3)
    parts.suite(shop.root, parts.rows(100), parts.sizes(200))
    record = taken(shop, requeue(shop, first.batch_id))
    assert (record.state, record.rows) == ("validated", RowCounts(50, 50, 0))
    found = manifest(shop, record.batch_id)
    data = s3().get_object(Bucket=shop.bucket, Key=found.data.key, VersionId=found.data.object_version)["Body"].read()
    assert (found.rows, found.quarantined_rows) == (RowCounts(50, 50, 0), None)
    assert pq.read_table(io.BytesIO(data)).num_rows == 50
    assert shop.keys("quarantine/") == []


def test_asking_twice_lands_once_and_a_validated_batch_is_refused_with_a_sentence(shop: Any) -> None:
    refused = shop.deliver(MANY)
    parts.suite(shop.root, parts.rows(200))
    first = requeue(shop, refused.batch_id)
    before = stored(shop)
    second = requeue(shop, refused.batch_id)
    assert (first.state, second.state) == ("landed", "under_way")
    assert (second.delivery_id, stored(shop)) == (first.delivery_id, before)
    taken(shop, second)
    before = stored(shop)
    with pytest.raises(BatchError, match=f"Nothing of batch parts/{str(refused.batch_id)[:12]} is quarantined"):
        requeue(shop, refused.batch_id)
    assert stored(shop) == before


def test_the_same_rules_judge_no_second_time_and_changed_ones_do(shop: Any) -> None:
    refused = shop.deliver(MANY)
    again = taken(shop, requeue(shop, refused.batch_id))
    assert (again.state, again.rows) == ("quarantined", RowCounts(150, 0, 150))
    before = stored(shop)
    assert requeue(shop, refused.batch_id).state == "same_rules"
    assert stored(shop) == before
    parts.suite(shop.root, parts.rows(200))
    asked = requeue(shop, refused.batch_id)
    assert (asked.state, asked.requeue.attempt, taken(shop, asked).state) == ("landed", 2, "validated")


def test_a_batch_that_nobody_knows_is_refused_with_a_sentence(shop: Any) -> None:
    with pytest.raises(BatchError, match="There is no batch parts/abababababab"):
        requeue(shop, "ab" * 32)
    assert shop.keys() == []


def test_stricter_rules_never_take_a_validated_batch_away(shop: Any) -> None:
    first = shop.deliver(TALL)
    parts.suite(shop.root, parts.rows(20))
    record = taken(shop, requeue(shop, first.batch_id))
    assert (record.state, codes(record.reasons)) == ("duplicate", ("DUPLICATE_BATCH", "ROW_COUNT"))
    assert record.rows == RowCounts(50, 0, 0, duplicates=50)
    assert manifest(shop, first.batch_id).rows == RowCounts(50, 47, 3)


def test_the_ledger_says_who_requeued_what_and_why(shop: Any) -> None:
    refused = shop.deliver(MANY)
    requeue(shop, refused.batch_id)
    requeue(shop, refused.batch_id)
    (entry,) = ledger.entries(shop.bucket, "parts")
    assert (entry.action, entry.actor, entry.evidence["batch"]) == ("requeue", "ada", refused.batch_id)
    assert entry.reason.endswith("is judged again: the suite knows better.")
    assert entry.evidence["origin"] == "landing/parts/july.csv"


@pytest.mark.parametrize("number", range(1, 12))
def test_whoever_dies_while_asking_is_finished_by_the_next(shop: Any, number: int) -> None:
    refused = shop.deliver(MANY)
    parts.suite(shop.root, parts.rows(200))
    try:
        with dying_at("after-call", number):
            requeue(shop, refused.batch_id)
    except Killed:
        pass
    asked = requeue(shop, refused.batch_id)
    assert taken(shop, asked).state == "validated"
    assert len(ledger.entries(shop.bucket, "parts")) == 1
    assert len(requeues.attempts(shop.bucket, "parts", str(refused.batch_id))) == 1


def test_quarantined_lists_whole_files_and_rows(shop: Any) -> None:
    batches = {str(shop.deliver(body, name).batch_id) for body, name in ((MANY, "a.csv"), (TALL, "b.csv"))}
    shop.deliver(parts.csv(parts.record(number, size=1) for number in range(30)), "c.csv")
    assert set(requeues.quarantined(shop.bucket, "parts")) == batches
