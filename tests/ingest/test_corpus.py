"""Every bad file ends as it should: told, counted, kept, and without any effect on what serves."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from lifecycle.batch import BatchManifest, QuarantineRecord, Reason
from lifecycle.delivery import Delivery, to_markdown
from tasks.clients import s3
from tests.ingest.corpus import CASES, NAUGHTY, Material, csv

pytestmark = pytest.mark.faults  # every one of them through the gate: minutes

CHAMPION = b'{"the control record": "of a champion that serves"}'
# The rows here are a twentieth of a month, and every accepted file of them is remarked as small.
STUB = "ROW_COUNT"


@pytest.fixture(scope="session")
def material(real: Any, july: pd.DataFrame) -> Material:
    return Material(july, real.month(6, rows=1200), real.month(3, rows=1200))


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_ends_as_it_should(case: str, desk: Any, material: Material) -> None:
    wanted, body = CASES[case], CASES[case].make(material)
    s3().put_object(Bucket=desk.bucket, Key="control/flights.json", Body=CHAMPION)
    desk.deliver(csv(material.june), "flights-2013-06.csv")
    if wanted.state == "duplicate":
        desk.deliver(body, "flights-2013-07-first.csv")
    before, events = elsewhere(desk), len(desk.events)
    record = desk.deliver(body, wanted.name)
    assert record.state == wanted.ends, record.message()
    assert (told(record.reasons), told(record.notes, but=STUB)) == (list(wanted.reasons), list(wanted.notes))
    ours = None if wanted.state == "duplicate" else record.batch_id
    assert elsewhere(desk, ours) == before, "whatever was there is as it was"
    assert desk.keys("landing/") == []
    check_rows(desk, record, body, wanted.held)
    assert len(desk.events) - events == wanted.ends.startswith("va") * ("24" not in case) + told_of_rows(record)
    if wanted.ends == "quarantined":
        assert desk.bytes_of(f"quarantine/flights/{record.batch_id}/original") == body
        assert "NO_LABELS" not in told(record.notes)
    check_words(desk, record)


def check_rows(desk: Any, record: Delivery, body: bytes, held: int) -> None:
    """Every row is in one place, and the places hold as many as the counts say."""
    rows = record.rows
    assert rows is not None
    assert rows.received == rows.validated + rows.quarantined + rows.duplicates
    if record.state != "validated":
        assert rows.validated == 0
        return
    manifest = BatchManifest.model_validate_json(desk.bytes_of(f"validated/flights/{record.batch_id}/manifest.json"))
    assert pq.read_table(io.BytesIO(desk.bytes_of(manifest.data.key))).num_rows == rows.validated
    assert (rows.quarantined, manifest.rows) == (held, rows)
    if held:
        kept = pq.read_table(io.BytesIO(desk.bytes_of(manifest.quarantined_rows.key))).to_pylist()
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        assert [row["record"].encode() in text for row in kept] == [True] * held
        explained = QuarantineRecord.model_validate_json(
            desk.bytes_of(f"quarantine/flights/{record.batch_id}/reasons.json")
        )
        lines = {line for row in kept for line in [row["line"]]}
        assert {line for lines in explained.lines.values() for line in lines} <= lines


def check_words(desk: Any, record: Delivery) -> None:
    """What is told of a file holds no markup and nothing of its cells."""
    said = [record.message(), to_markdown(record)]
    said += [str(event.payload) for event in desk.events]
    spoken = [text for text in NAUGHTY if len(text) > 6 and any(text in one for one in said)]
    assert (spoken, [one for one in said if "<script" in one or "HYPERLINK" in one]) == ([], [])


def told(reasons: tuple[Reason, ...], but: str = "") -> list[str]:
    """Return code and column of each reason; a whole header at fault is told once."""
    found = [f"{reason.code} {reason.column or ''}".strip() for reason in reasons if reason.code != but]
    lacking = [one for one in found if one.startswith("MISSING_COLUMN")]
    return ["MISSING_COLUMN *"] if len(lacking) > 30 else found


def told_of_rows(record: Delivery) -> int:
    return int(record.state == "quarantined" or (record.rows is not None and record.rows.quarantined > 0))


def elsewhere(desk: Any, batch: str | None = None) -> dict[str, str]:
    """Return every object but those of one batch and the records of deliveries, each with its etag."""
    ours = ("control/flights/", f"validated/flights/{batch}/", f"quarantine/flights/{batch}/")
    found = s3().list_objects_v2(Bucket=desk.bucket)["Contents"]
    return {item["Key"]: item["ETag"] for item in found if not item["Key"].startswith(ours)}
