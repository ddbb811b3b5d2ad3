"""Several files that are one delivery: judged together when all are there, waited for until then, and never lost."""

from __future__ import annotations

import gzip
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from lifecycle.batch import BatchManifest, QuarantineRecord, RowCounts, codes
from lifecycle.delivery import Delivery
from lifecycle.errors import BatchError
from lifecycle.events import BatchQuarantined, BatchValidated
from tasks.clients import s3
from tests.ingest import parts
from tests.ingest.test_requeue import requeue

FOLDER = "2024-05.parts"


def part(start: int, rows: int = 10, *, size: object = 7) -> bytes:
    return parts.csv(parts.record(number, size=size) for number in range(start, start + rows))


PARTS = {"part-0000.csv": part(0), "part-0001.csv": part(10), "part-0002.csv": part(20)}


def listing(files: dict[str, bytes], **more: Any) -> bytes:
    listed = [
        {"name": name, "sha256": sha256(body).hexdigest(), "bytes": len(body), **more} for name, body in files.items()
    ]
    return json.dumps({"parts": listed, "made_by": "the works"}).encode()


def names(files: dict[str, bytes]) -> bytes:
    return json.dumps({"parts": [{"name": name} for name in files]}).encode()


def whole_id(files: dict[str, bytes]) -> str:
    return sha256("\n".join(["parts", *(sha256(body).hexdigest() for body in files.values())]).encode()).hexdigest()


def land(shop: Any, name: str, body: bytes, folder: str = FOLDER) -> Delivery:
    """Let one file land and its event wake a run."""
    record: Delivery = shop.take_in(*shop.put(body, f"{folder}/{name}"))
    return record


def deliver(shop: Any, files: dict[str, bytes], folder: str = FOLDER) -> Delivery:
    return [land(shop, name, body, folder) for name, body in files.items()][-1]


def records(shop: Any) -> list[Delivery]:
    return [Delivery.model_validate_json(body) for body in shop.contents("control/parts/deliveries/").values()]


def manifest(shop: Any, batch_id: str | None) -> BatchManifest:
    return BatchManifest.model_validate_json(shop.bytes_of(f"validated/parts/{batch_id}/manifest.json"))


def reasons(shop: Any, batch_id: str | None) -> QuarantineRecord:
    return QuarantineRecord.model_validate_json(shop.bytes_of(f"quarantine/parts/{batch_id}/reasons.json"))


ORDERS = [
    ("part-0000.csv", "part-0001.csv", "manifest.json"),
    ("manifest.json", "part-0001.csv", "part-0000.csv"),
    ("part-0000.csv", "manifest.json", "part-0001.csv"),
]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order[-1])
def test_parts_in_any_order_are_one_batch_as_soon_as_all_are_there(shop: Any, order: tuple[str, ...]) -> None:
    two = {name: PARTS[name] for name in ("part-0000.csv", "part-0001.csv")}
    bodies = {**two, "manifest.json": listing(two)}
    told = [land(shop, name, bodies[name]) for name in order]
    assert [record.state for record in told] == ["waiting", "waiting", "validated"]
    assert {record.delivery_id for record in told} == {told[0].delivery_id}
    last = told[-1]
    assert (last.batch_id, last.rows) == (whole_id(two), RowCounts(20, 20, 0))
    found = manifest(shop, last.batch_id)
    assert [one.name for one in found.parts] == list(two)
    assert pq.read_table(io.BytesIO(shop.bytes_of(found.data.key))).column("id").to_pylist() == list(range(20))
    assert (shop.keys("landing/"), shop.keys("control/parts/waiting/")) == ([], [])
    assert [type(event) for event in shop.events] == [BatchValidated]


def test_while_a_part_is_missing_nothing_is_judged_and_the_record_says_which(shop: Any) -> None:
    record = deliver(shop, {"part-0000.csv": PARTS["part-0000.csv"], "manifest.json": listing(PARTS)})
    assert (record.state, record.rows, record.batch_id) == ("waiting", None, None)
    assert record.waits_until == min(one.landed_at for one in record.parts) + timedelta(hours=6)
    (reason,) = record.reasons
    assert str(reason) == (
        "PARTS_MISSING: found no 'part-0001.csv', 'part-0002.csv', expected every part as manifest.json lists it."
    )
    assert record.message().startswith("'landing/parts/2024-05.parts' is not whole. It waits until ")
    assert len(shop.keys("landing/")) == 2
    assert (shop.keys("validated/"), shop.keys("quarantine/"), shop.events) == ([], [], [])


def test_every_event_five_times_and_every_file_twice_is_one_batch(shop: Any) -> None:
    files = {**PARTS, "manifest.json": listing(PARTS)}
    landed = [shop.put(body, f"{FOLDER}/{name}") for name, body in [*files.items(), *files.items()]]
    told = [shop.take_in(*one) for one in [*landed, *landed] * 5]
    assert {record.state for record in told} == {"validated"}
    assert (len(records(shop)), len(shop.keys("validated/")), len({event.id for event in shop.events})) == (1, 2, 1)
    assert shop.keys("landing/") == []


def test_other_bytes_than_promised_are_waited_for_and_the_right_ones_end_it(shop: Any) -> None:
    files = {**PARTS, "manifest.json": listing(PARTS)}
    record = deliver(shop, {**files, "part-0001.csv": part(10, size=8), "part-0002.csv": part(20, 9)})
    assert record.state == "waiting"
    assert [reason.found for reason in record.reasons] == [f"'part-0002.csv' with {len(part(20, 9))} bytes"]
    record = land(shop, "part-0002.csv", PARTS["part-0002.csv"])
    digest = sha256(part(10, size=8)).hexdigest()[:12]
    assert [reason.found for reason in record.reasons] == [f"'part-0001.csv' with sha256 {digest}…"]
    record = land(shop, "part-0001.csv", PARTS["part-0001.csv"])
    assert (record.state, record.batch_id) == ("validated", whole_id(PARTS))


def hours_later(shop: Any, hours: float = 7) -> Any:
    """Return steps that look at a folder so much later."""

    def step(name: str, work: Any, /, *arguments: Any) -> Any:
        found = shop.step(name, work, *arguments)
        return replace(found, now=found.now + timedelta(hours=hours)) if name == "look at parts" else found

    return step


def wake(shop: Any, *, hours: float = 7, folder: str = FOLDER) -> Delivery:
    """Wake ingest for a folder as the sweep does when its time is over."""
    record: Delivery = shop.take_in(f"landing/parts/{folder}/manifest.json", step=hours_later(shop, hours))
    return record


def test_a_part_that_never_comes_ends_in_quarantine_with_what_there_is_and_somebody_is_told(shop: Any) -> None:
    files = {"part-0000.csv": PARTS["part-0000.csv"], "manifest.json": listing(PARTS)}
    deliver(shop, files)
    assert wake(shop, hours=5.9).state == "waiting"
    record = wake(shop)
    assert (record.state, codes(record.reasons), record.rows) == ("quarantined", ("PARTS_MISSING",), RowCounts(0, 0, 0))
    explained = reasons(shop, record.batch_id)
    assert {one.name: shop.bytes_of(one.key) for one in explained.parts} == files
    assert "upload what is missing to landing/parts/2024-05.parts/: it is judged then" in record.message()
    (event,) = shop.events
    assert (type(event), event.reasons) == (BatchQuarantined, ("PARTS_MISSING",))
    assert (shop.keys("landing/"), shop.keys("control/parts/waiting/")) == ([], [])
    assert wake(shop) == record


def test_parts_without_a_manifest_end_in_quarantine_as_well(shop: Any) -> None:
    deliver(shop, PARTS)
    record = wake(shop)
    assert [reason.found for reason in record.reasons] == ["no manifest.json"]
    assert len(reasons(shop, record.batch_id).parts) == 3


def test_the_missing_part_that_comes_too_late_completes_the_delivery(shop: Any) -> None:
    *first, last = PARTS
    deliver(shop, {name: PARTS[name] for name in first})
    land(shop, "manifest.json", listing(PARTS))
    given_up = wake(shop)
    assert given_up.state == "quarantined"
    record = land(shop, last, PARTS[last])
    assert (record.state, record.rows, record.batch_id) == ("validated", RowCounts(30, 30, 0), whole_id(PARTS))
    assert (record.delivery_id, len(records(shop))) == (given_up.delivery_id, 1)
    assert (shop.keys("quarantine/"), shop.keys("landing/")) == ([], [])
    assert [type(event) for event in shop.events] == [BatchQuarantined, BatchValidated]


def test_a_second_wait_for_a_part_ends_like_the_first(shop: Any) -> None:
    deliver(shop, {"part-0000.csv": PARTS["part-0000.csv"], "manifest.json": listing(PARTS)})
    first = wake(shop)
    assert land(shop, "part-0001.csv", PARTS["part-0001.csv"]).state == "waiting"
    second = wake(shop)
    assert (second.state, [reason.found for reason in second.reasons]) == ("quarantined", ["no 'part-0002.csv'"])
    assert {key.split("/")[2] for key in shop.keys("quarantine/")} == {second.batch_id} != {first.batch_id}
    assert len({event.id for event in shop.events}) == 2


def test_parts_that_were_all_deleted_are_ignored_with_a_reason(shop: Any) -> None:
    deliver(shop, {"part-0000.csv": PARTS["part-0000.csv"], "manifest.json": listing(PARTS)})
    for key in shop.keys("landing/"):
        s3().delete_object(Bucket=shop.bucket, Key=key)
    record = wake(shop, hours=0)
    assert (record.state, codes(record.reasons)) == ("ignored", ("OBJECT_GONE",))
    assert shop.keys("control/parts/waiting/") == []


def test_files_that_vanish_while_they_are_read_are_ignored_with_a_reason(shop: Any) -> None:
    landed = [shop.put(PARTS["part-0000.csv"], f"{FOLDER}/part-0000.csv")]

    def step(name: str, work: Any, /, *arguments: Any) -> Any:
        if name == "fetch parts":
            for key, version in landed:
                s3().delete_object(Bucket=shop.bucket, Key=key, VersionId=version)
        return hours_later(shop)(name, work, *arguments)

    record = shop.take_in(*landed[0], step=step)
    assert (record.state, codes(record.reasons), shop.keys("landing/")) == ("ignored", ("OBJECT_GONE",), [])


def test_a_single_part_that_comes_again_afterwards_is_a_duplicate_and_nobody_is_alarmed(shop: Any) -> None:
    deliver(shop, {**PARTS, "manifest.json": listing(PARTS)})
    assert land(shop, "part-0001.csv", PARTS["part-0001.csv"]).state == "waiting"
    record = wake(shop)
    assert (record.state, record.batch_id, codes(record.reasons)) == (
        "duplicate",
        whole_id(PARTS),
        ("DUPLICATE_BATCH",),
    )
    assert ([type(event) for event in shop.events], shop.keys("landing/")) == ([BatchValidated], [])


def test_the_same_folder_again_is_a_delivery_of_its_own(shop: Any) -> None:
    files = {**PARTS, "manifest.json": listing(PARTS)}
    first, again = deliver(shop, files), deliver(shop, files)
    assert (again.state, again.rows) == ("duplicate", RowCounts(30, 0, 0, duplicates=30))
    other = {**PARTS, "part-0000.csv": part(0, size=9)}
    third = deliver(shop, {**other, "manifest.json": listing(other)})
    assert (third.state, third.batch_id) == ("validated", whole_id(other))
    assert len({first.delivery_id, again.delivery_id, third.delivery_id}) == 3
    received = [record.rows for record in records(shop) if record.rows]
    assert sum(one.received for one in received) == sum(
        one.validated + one.quarantined + one.duplicates for one in received
    )


def test_csv_gzip_and_parquet_parts_are_read_together(shop: Any) -> None:
    sink = io.BytesIO()
    table = pd.read_csv(io.BytesIO(part(20)), parse_dates=["made"])
    table.to_parquet(sink, index=False, write_page_checksum=True)
    files = {"a.csv": part(0), "b.csv.gz": gzip.compress(part(10)), "c.parquet": sink.getvalue()}
    record = deliver(shop, {**files, "manifest.json": listing(files, rows=10)})
    assert (record.state, record.rows) == ("validated", RowCounts(30, 30, 0)), record.message()


def test_held_back_rows_are_told_by_part_and_line_and_repeats_are_found_across_parts(shop: Any) -> None:
    files = {"a.csv": part(0), "b.csv": part(9, 10, size=101) + part(0, 1).split(b"\n", 1)[1]}
    parts.suite(shop.root, parts.rows(100), parts.sizes(parts.MOST_SIZE))
    text = files["b.csv"].replace(b",101,", b",7,").replace(b"10,part 10,7", b"10,part 10,101")
    files["b.csv"] = text
    record = deliver(shop, {**files, "manifest.json": names(files)})
    assert (record.state, record.rows) == ("validated", RowCounts(21, 18, 3)), record.message()
    explained = reasons(shop, record.batch_id)
    assert explained.lines == {"DUPLICATE_ROW": ("b.csv:2", "b.csv:12"), "RANGE": ("b.csv:3",)}
    held = pq.read_table(io.BytesIO(shop.bytes_of(explained.stored.key))).to_pylist()
    assert [(row["part"], row["line"]) for row in held] == [("b.csv", 2), ("b.csv", 3), ("b.csv", 12)]
    assert held[1]["record"].startswith("10,part 10,101")


def test_a_part_that_cannot_be_read_refuses_the_whole_delivery_by_its_name(shop: Any) -> None:
    files = {"a.csv": part(0), "b.csv": parts.csv(["1,2"], header="id,name"), "c.csv": b"\xff\xfe"}
    record = deliver(shop, {**files, "manifest.json": names(files)})
    assert (record.state, record.rows) == ("quarantined", RowCounts(11, 0, 11)), record.message()
    told = [(one.code, one.column) for one in record.reasons]
    assert told == [("MISSING_COLUMN", "size"), ("MISSING_COLUMN", "made"), ("ENCODING", None)]
    assert all(reason.found.endswith(("in 'b.csv'", "in 'c.csv'")) for reason in record.reasons)
    assert {one.name: shop.bytes_of(one.key) for one in reasons(shop, record.batch_id).parts} == {
        **files,
        "manifest.json": names(files),
    }


def test_labels_come_in_every_part_or_in_none(shop: Any) -> None:
    unlabelled = b"\n".join(b",".join(line.split(b",")[:3] + line.split(b",")[4:]) for line in part(9).split(b"\n"))
    files = {"a.csv": part(0), "b.csv": unlabelled}
    record = deliver(shop, {**files, "manifest.json": names(files)})
    assert (record.state, codes(record.reasons)) == ("quarantined", ("MISSING_COLUMN",)), record.message()
    both = {"a.csv": unlabelled, "b.csv": unlabelled.replace(b"\n9,", b"\n90,")}
    record = deliver(shop, {**both, "manifest.json": names(both)}, "2024-06.parts")
    assert record.waits_for_labels


def test_other_rows_than_promised_refuse_the_delivery_and_a_part_without_rows_adds_none(shop: Any) -> None:
    files = {"a.csv": part(0), "b.csv": parts.csv([])}
    record = deliver(shop, {**files, "manifest.json": listing(files, rows=10)})
    assert (record.state, [str(reason) for reason in record.reasons]) == (
        "quarantined",
        ["PART_ROWS: found 0 rows in 'b.csv', expected 10, as manifest.json says."],
    )
    record = deliver(shop, {**files, "manifest.json": names(files)}, "2024-06.parts")
    assert (record.state, record.rows) == ("validated", RowCounts(10, 10, 0)), record.message()


@pytest.mark.parametrize(
    ("limits", "code"),
    [("max_rows: 25", "TOO_MANY_ROWS"), ("max_bytes: 900", "TOO_LARGE"), ("max_cells: 120", "TOO_MANY_CELLS")],
)
def test_limits_hold_for_all_parts_together(shop: Any, limits: str, code: str) -> None:
    path = shop.root / "products/parts/product.yaml"
    path.write_text(path.read_text().replace("limits: {", f"limits: {{ {limits},"))
    record = deliver(shop, {**PARTS, "manifest.json": names(PARTS)})
    assert (record.state, codes(record.reasons)) == ("quarantined", (code,)), record.message()
    assert len(reasons(shop, record.batch_id).parts) == 4


def test_a_file_that_the_manifest_does_not_list_is_left_out_and_remarked(shop: Any) -> None:
    record = deliver(shop, {**PARTS, "notes.txt": b"hello", "manifest.json": listing(PARTS)})
    assert (record.state, codes(record.notes)) == ("validated", ("EXTRA_PART",))
    assert shop.keys("landing/") == []


def test_a_refused_delivery_is_requeued_with_all_its_parts(shop: Any) -> None:
    parts.suite(shop.root, parts.rows(20))
    refused = deliver(shop, {**PARTS, "manifest.json": listing(PARTS)})
    assert (refused.state, codes(refused.reasons)) == ("quarantined", ("ROW_COUNT",))
    parts.suite(shop.root, parts.rows(100))
    asked = requeue(shop, refused.batch_id)
    told = [shop.take_in(key) for key in shop.keys("landing/")]
    assert (told[-1].state, told[-1].batch_id) == ("validated", refused.batch_id)
    assert {record.delivery_id for record in told} == {asked.delivery_id}
    with pytest.raises(BatchError, match="Nothing of batch"):
        requeue(shop, refused.batch_id)
    assert (shop.keys("quarantine/"), manifest(shop, refused.batch_id).key) == ([], "landing/parts/2024-05.parts")


def test_held_back_rows_of_several_files_are_requeued_from_what_landed(shop: Any) -> None:
    tall = {**PARTS, "part-0001.csv": part(10).replace(b"11,part 11,7", b"11,part 11,101")}
    first = deliver(shop, {**tall, "manifest.json": listing(tall)})
    assert first.rows == RowCounts(30, 29, 1)
    parts.suite(shop.root, parts.rows(100), parts.sizes(200))
    requeue(shop, first.batch_id)
    told = [shop.take_in(key) for key in shop.keys("landing/")]
    assert (told[-1].state, told[-1].rows) == ("validated", RowCounts(30, 30, 0)), told[-1].message()


def test_what_never_was_whole_is_not_requeued_and_the_sentence_says_what_to_upload(shop: Any) -> None:
    deliver(shop, {"part-0000.csv": PARTS["part-0000.csv"], "manifest.json": listing(PARTS)})
    record = wake(shop)
    with pytest.raises(BatchError, match="is not whole") as told:
        requeue(shop, record.batch_id)
    assert "Upload what is missing to landing/parts/2024-05.parts/" in str(told.value)


def test_five_runs_at_once_take_a_whole_delivery_in_once(shop: Any) -> None:
    files = {**PARTS, "manifest.json": listing(PARTS)}
    landed = [shop.put(body, f"{FOLDER}/{name}") for name, body in files.items()]
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda at: shop.take_in(*landed[at % 4], run=f"run-{at}"), range(5)))
    assert "validated" in {record.state for record in told}
    assert (len(records(shop)), records(shop)[0].state, len(shop.keys("validated/"))) == (1, "validated", 2)
    assert (shop.keys("landing/"), len({event.id for event in shop.events})) == ([], 1)


def test_a_month_of_flights_in_two_parts_is_of_its_period(desk: Any, real: Any, july: pd.DataFrame) -> None:
    files = {"part-0000.csv": real.csv(july[:700]), "part-0001.parquet": real.parquet(july[700:])}
    for name, body in {**files, "manifest.json": names(files)}.items():
        record = desk.deliver(body, f"flights-2013-07.parts/{name}")
    assert (record.state, record.rows.validated) == ("validated", len(july)), record.message()
    found = BatchManifest.model_validate_json(desk.bytes_of(f"validated/flights/{record.batch_id}/manifest.json"))
    assert (found.period, found.key) == ("2013-07", "landing/flights/flights-2013-07.parts")
