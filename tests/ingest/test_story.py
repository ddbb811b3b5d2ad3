"""One delivery from the landing zone to its end, on a real S3 API."""

from __future__ import annotations

import gzip
import io
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from lifecycle.batch import BatchManifest, QuarantineRecord, RowCounts, codes
from lifecycle.delivery import Worker
from lifecycle.events import BatchQuarantined, BatchValidated
from tasks.clients import s3
from tasks.deliveries import claim_delivery
from tasks.landing import find_object


def test_a_good_file_is_validated_announced_and_leaves_the_landing_zone(
    desk: Any, real: Any, july: pd.DataFrame
) -> None:
    body = real.csv(july)
    record = desk.deliver(body)
    batch = sha256(body).hexdigest()
    assert (record.state, record.batch_id, record.rows) == ("validated", batch, RowCounts(1500, 1500, 0))
    assert desk.keys("landing/") == []
    assert desk.keys("quarantine/") == []
    assert desk.keys("validated/") == [
        f"validated/flights/{batch}/{name}" for name in ("data.parquet", "manifest.json")
    ]
    assert [(type(event), event.batch_id, event.rows_validated) for event in desk.events] == [
        (BatchValidated, batch, 1500)
    ]
    assert [report.delivery_id for report in desk.reports] == [record.delivery_id]


def test_the_manifest_describes_the_data_that_is_there(desk: Any, real: Any, july: pd.DataFrame, flights: Any) -> None:
    record = desk.deliver(real.csv(july))
    manifest = BatchManifest.model_validate_json(desk.bytes_of(f"validated/flights/{record.batch_id}/manifest.json"))
    data = s3().get_object(Bucket=desk.bucket, Key=manifest.data.key, VersionId=manifest.data.object_version)
    body = data["Body"].read()
    assert sha256(body).hexdigest() == manifest.data.sha256
    table = pq.ParquetFile(io.BytesIO(body), page_checksum_verification=True).read()
    assert table.num_rows == manifest.rows.validated == 1500
    assert table.column_names == [column.name for column in manifest.columns] == list(flights.required)
    assert table.column("arr_delay").to_pandas().equals(july["arr_delay"].astype("float64"))
    assert manifest.event_times.first == july["time_hour"].min().replace("Z", "+00:00")
    assert manifest.suite.name == "flights_raw"


def test_two_defective_rows_go_to_quarantine_as_they_were_delivered_and_the_rest_goes_on(
    desk: Any, real: Any, july: pd.DataFrame
) -> None:
    bad = july.copy()
    bad.loc[[3, 700], "wind_speed"] = 1048.36058
    record = desk.deliver(real.csv(bad))
    assert (record.state, record.rows) == ("validated", RowCounts(1500, 1498, 2))
    assert [str(reason) for reason in record.reasons] == [
        "RANGE wind_speed: found 1048.36, expected 0 to 150 (2 rows)."
    ]
    prefix = f"quarantine/flights/{record.batch_id}/"
    assert desk.keys(prefix) == [f"{prefix}reasons.json", f"{prefix}rows.parquet"]
    held = pq.read_table(io.BytesIO(desk.bytes_of(f"{prefix}rows.parquet"))).to_pylist()
    assert [(row["line"], row["codes"], row["columns"]) for row in held] == [
        (5, ["RANGE"], ["wind_speed"]),
        (702, ["RANGE"], ["wind_speed"]),
    ]
    assert held[0]["record"].encode() == real.csv(bad).split(b"\n")[4]
    explained = QuarantineRecord.model_validate_json(desk.bytes_of(f"{prefix}reasons.json"))
    assert (explained.scope, explained.lines) == ("rows", {"RANGE": (5, 702)})
    assert [type(event) for event in desk.events] == [BatchQuarantined, BatchValidated]


def test_a_refused_file_is_kept_byte_by_byte_and_nothing_is_validated(desk: Any, real: Any, july: pd.DataFrame) -> None:
    body = real.csv(july.rename(columns={"distance": "distance_mi"}))
    record = desk.deliver(body)
    assert (record.state, record.rows) == ("quarantined", RowCounts(1500, 0, 1500))
    assert [str(reason) for reason in record.reasons] == [
        "MISSING_COLUMN distance: found no such column, but 'distance_mi', expected a column called 'distance'."
    ]
    prefix = f"quarantine/flights/{record.batch_id}/"
    assert desk.bytes_of(f"{prefix}original") == body
    explained = QuarantineRecord.model_validate_json(desk.bytes_of(f"{prefix}reasons.json"))
    assert (explained.scope, explained.stored.sha256) == ("batch", record.batch_id)
    assert (desk.keys("validated/"), desk.keys("landing/")) == ([], [])
    assert [(type(event), event.reasons) for event in desk.events] == [(BatchQuarantined, ("MISSING_COLUMN",))]


def test_a_file_beyond_the_limit_is_refused_unread_and_copied(
    desk: Any, real: Any, july: pd.DataFrame, flights: Any
) -> None:
    body = real.csv(july) + b"\n" * (flights.limits.max_bytes - 100_000)
    record = desk.deliver(body)
    assert (record.state, codes(record.reasons)) == ("quarantined", ("TOO_LARGE",))
    assert desk.bytes_of(f"quarantine/flights/{record.batch_id}/original") == body


def test_the_same_bytes_under_another_name_are_a_duplicate_and_wake_nobody(
    desk: Any, real: Any, july: pd.DataFrame
) -> None:
    first = desk.deliver(real.csv(july))
    told = len(desk.events)
    second = desk.deliver(real.csv(july), "again.csv")
    assert (second.state, second.batch_id, second.rows) == (
        "duplicate",
        first.batch_id,
        RowCounts(1500, 0, 0, duplicates=1500),
    )
    assert codes(second.reasons) == ("DUPLICATE_BATCH",)
    assert len(desk.events) == told
    assert desk.keys("landing/") == []
    written = s3().list_object_versions(Bucket=desk.bucket, Prefix="validated/")["Versions"]
    assert [version["Key"].rpartition("/")[2] for version in written] == ["data.parquet", "manifest.json"]


def test_mended_bytes_are_taken_in_after_a_truncated_file(desk: Any, real: Any, july: pd.DataFrame) -> None:
    body = real.csv(july)
    cut = desk.deliver(body[: len(body) // 2], "july.csv")
    mended = desk.deliver(body, "july.csv")
    assert (cut.state, codes(cut.reasons), mended.state) == ("quarantined", ("TRUNCATED",), "validated")
    assert cut.batch_id != mended.batch_id


def test_one_delivery_announced_five_times_at_once_is_taken_in_once(desk: Any, real: Any, july: pd.DataFrame) -> None:
    key, version = desk.put(real.csv(july))
    with ThreadPoolExecutor(5) as pool:
        records = list(pool.map(lambda run: desk.take_in(key, version, run=f"run-{run}"), range(5)))
    assert len({record.delivery_id for record in records}) == 1
    assert {record.state for record in records} <= {"validated", "claimed"}
    final = desk.take_in(key, version)
    assert (final.state, final.rows) == ("validated", RowCounts(1500, 1500, 0))
    assert len(desk.keys("validated/")) == 2
    assert len(desk.keys("control/flights/deliveries/")) == 1
    assert {event.id for event in desk.events} == {desk.events[0].id}


def test_the_same_bytes_landing_five_times_at_once_are_validated_once(desk: Any, real: Any, july: pd.DataFrame) -> None:
    landed = [desk.put(real.csv(july), f"copy-{number}.csv") for number in range(5)]
    with ThreadPoolExecutor(5) as pool:
        records = list(pool.map(lambda one: desk.take_in(*one), landed))
    assert sorted(record.state for record in records) == ["duplicate"] * 4 + ["validated"]
    assert len(desk.keys("validated/")) == 2
    assert desk.keys("landing/") == []


def test_an_overwritten_object_is_read_by_the_version_that_was_announced(
    desk: Any, real: Any, july: pd.DataFrame
) -> None:
    older = real.csv(july)
    key, version = desk.put(older)
    _, newer_version = desk.put(real.csv(july.head(1200)))
    first = desk.take_in(key, version)
    assert (first.state, first.batch_id) == ("validated", sha256(older).hexdigest())
    assert desk.keys("landing/") == [key], "the newer version waits for its own delivery"
    second = desk.take_in(key, newer_version)
    assert (second.state, second.rows) == ("validated", RowCounts(1200, 1200, 0))
    assert desk.keys("landing/") == []


def test_the_newer_version_may_be_taken_in_first(desk: Any, real: Any, july: pd.DataFrame) -> None:
    key, version = desk.put(real.csv(july))
    _, newer_version = desk.put(real.csv(july.head(1200)))
    assert desk.take_in(key, newer_version).state == "validated"
    assert desk.take_in(key, version).state == "validated"


NASTY = ["a b+c%20d.csv", "Zürich 'July' \"7\".csv", "{{x}};$(id)|`id`.csv", "月.csv", "x/" * 400 + "y" * 200 + ".csv"]


@pytest.mark.parametrize("name", NASTY)
def test_a_key_may_hold_whatever_s3_allows(name: str, desk: Any, real: Any, july: pd.DataFrame) -> None:
    record = desk.deliver(real.csv(july), name)
    assert (record.state, record.key, record.rows.validated) == ("validated", f"landing/flights/{name}", 1500)
    assert desk.keys("landing/") == []


def test_an_object_that_was_deleted_before_it_was_read_is_ignored_with_a_reason(
    desk: Any, real: Any, july: pd.DataFrame
) -> None:
    key, version = desk.put(real.csv(july))
    s3().delete_object(Bucket=desk.bucket, Key=key)
    record = desk.take_in(key, version)
    assert (record.state, record.batch_id, codes(record.reasons)) == ("ignored", None, ("OBJECT_GONE",))
    assert desk.keys("validated/") == []
    assert desk.events == []
    assert desk.take_in(key, version) == record


def test_a_version_that_never_was_is_ignored_with_a_reason(desk: Any) -> None:
    record = desk.take_in("landing/flights/never.csv")
    assert (record.state, codes(record.reasons)) == ("ignored", ("OBJECT_GONE",))


def test_a_delivery_that_somebody_works_on_is_left_to_him_and_taken_over_by_his_successor(
    desk: Any, real: Any, july: pd.DataFrame
) -> None:
    key, version = desk.put(real.csv(july))
    landed = find_object(desk.bucket, "flights", key, version)
    claim_delivery(landed, Worker("dead"))
    waiting = desk.take_in(key, version, run="other")
    assert (waiting.state, waiting.owner) == ("claimed", "dead")
    assert desk.keys("validated/") == []
    taken = desk.take_in(key, version, run="successor", retry_of="dead")
    assert (taken.state, taken.owner) == ("validated", "successor")


def test_the_same_bytes_are_judged_anew_when_they_were_refused_before(desk: Any, real: Any, july: pd.DataFrame) -> None:
    """A suite may have been mended meanwhile: what was refused once is no duplicate."""
    body = real.csv(july.head(900))
    first, second = desk.deliver(body), desk.deliver(body, "again.csv")
    assert [record.state for record in (first, second)] == ["quarantined", "quarantined"]
    assert [codes(record.reasons) for record in (first, second)] == [("ROW_COUNT",), ("ROW_COUNT",)]
    assert len(desk.keys("quarantine/")) == 2


def test_a_batch_leaves_quarantine_when_it_is_validated_later(desk: Any, real: Any, july: pd.DataFrame) -> None:
    body = real.csv(july)
    batch = sha256(body).hexdigest()
    for name in ("original", "reasons.json"):
        s3().put_object(Bucket=desk.bucket, Key=f"quarantine/flights/{batch}/{name}", Body=b"from a stricter time")
    assert desk.deliver(body).state == "validated"
    assert desk.keys("quarantine/") == []


def test_publishing_the_same_rows_twice_writes_the_same_bytes(desk: Any, real: Any, july: pd.DataFrame) -> None:
    bad = july.copy()
    bad.loc[3, "wind_speed"] = 1048.36058
    record = desk.deliver(real.csv(bad))
    first = {**desk.contents("validated/"), **desk.contents("quarantine/")}
    other = type(desk)(desk.bucket)
    for key in first:
        s3().delete_object(Bucket=desk.bucket, Key=key)
    other.deliver(real.csv(bad), "july.csv")
    second = {**desk.contents("validated/"), **desk.contents("quarantine/")}
    same = [key for key in first if key.endswith(".parquet")]
    assert {key: first[key] for key in same} == {key: second[key] for key in same}
    assert record.batch_id is not None


def test_the_message_says_what_was_found_and_what_to_do_next(desk: Any, july: pd.DataFrame, real: Any) -> None:
    record = desk.deliver(real.csv(july.drop(columns="sched_dep_time")))
    assert record.message() == (
        f"Batch flights/{record.batch_id[:12]} is quarantined. MISSING_COLUMN sched_dep_time: found no such column, "
        "expected a column called 'sched_dep_time'. Its columns differ: see `tropism schema flights`. "
        "Look with `tropism batches flights --quarantined`; "
        f"mend the source and upload again, or mend the rules and `tropism requeue flights {record.batch_id[:12]}`."
    )


def test_a_parquet_and_a_gzip_delivery_hold_the_same_data_as_the_csv(desk: Any, real: Any, july: pd.DataFrame) -> None:
    records = [
        desk.deliver(real.csv(july), "a.csv"),
        desk.deliver(real.parquet(july), "b.parquet"),
        desk.deliver(gzip.compress(real.csv(july), mtime=0), "c.csv.gz"),
    ]
    assert [record.state for record in records] == ["validated"] * 3
    tables = [
        pq.read_table(io.BytesIO(desk.bytes_of(f"validated/flights/{record.batch_id}/data.parquet")))
        for record in records
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert isinstance(tables[0].to_pandas(), pd.DataFrame)
