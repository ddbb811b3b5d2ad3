"""Months that come twice, late, in the wrong order, under the wrong name, or before their labels."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lifecycle.batch import BatchManifest, codes
from lifecycle.events import BatchValidated
from lifecycle.snapshot import Snapshot
from tasks.snapshot import take_snapshot
from tests.ingest.corpus import csv

JULY = "flights-2013-07.csv"


@pytest.fixture(scope="session")
def june(real: Any) -> pd.DataFrame:
    frame: pd.DataFrame = real.month(6, rows=1200)
    return frame


def snapshot(desk: Any) -> Snapshot:
    return take_snapshot(desk.bucket, "flights")


def manifest(desk: Any, batch_id: str) -> BatchManifest:
    return BatchManifest.model_validate_json(desk.bytes_of(f"validated/flights/{batch_id}/manifest.json"))


def test_a_month_corrected_under_another_name_takes_its_place_and_says_so(desk: Any, july: pd.DataFrame) -> None:
    first = desk.deliver(csv(july), JULY)
    data = desk.contents(f"validated/flights/{first.batch_id}/")
    second = desk.deliver(csv(july.drop(index=[3, 4])), "flights-2013-07-corrected.csv")
    assert (second.state, codes(second.notes)[-1]) == ("validated", "SUPERSEDES")
    assert f"batch {first.batch_id[:12]} (1,500 rows) of 2013-07" in str(second.notes[-1])
    assert (snapshot(desk).batch_ids, snapshot(desk).superseded) == ((second.batch_id,), (first.batch_id,))
    assert desk.contents(f"validated/flights/{first.batch_id}/") == data, "the older version stays where it was"
    assert [manifest(desk, one).period for one in (first.batch_id, second.batch_id)] == ["2013-07", "2013-07"]


def test_months_that_come_in_the_wrong_order_are_of_their_own_time(
    desk: Any, july: pd.DataFrame, june: pd.DataFrame
) -> None:
    """The event of July may overtake June's: what a batch is of is read from it, not from when it came."""
    landed = [desk.put(csv(june), "flights-2013-06.csv"), desk.put(csv(july), JULY)]
    records = [desk.take_in(*one) for one in reversed(landed)]
    found = [manifest(desk, record.batch_id) for record in records]
    assert [(one.period, one.event_times.first[:7]) for one in found] == [
        ("2013-07", "2013-07"),
        ("2013-06", "2013-06"),
    ]
    assert codes(records[1].notes)[-1] != "SUPERSEDES"
    assert len(snapshot(desk).batches) == 2


def test_a_late_month_is_remarked_and_counts_where_it_belongs(
    desk: Any, july: pd.DataFrame, june: pd.DataFrame
) -> None:
    desk.deliver(csv(july), JULY)
    record = desk.deliver(csv(june), "flights-2013-06.csv")
    assert (record.state, codes(record.notes)[-1]) == ("validated", "LATE")
    assert "rows until 2013-06-30T14:00, after rows from 2013-07-01T10:00 on had come" in str(record.notes[-1])
    assert snapshot(desk).superseded == ()


def test_a_month_under_another_months_name_is_refused_whole(desk: Any, june: pd.DataFrame) -> None:
    record = desk.deliver(csv(june), JULY)
    assert (record.state, [str(reason) for reason in record.reasons]) == (
        "quarantined",
        [
            "PERIOD time_hour: found 2013-06, expected 2013-07, as the name tells (1,200 rows).",
            (
                "PERIOD: found 1,200 of 1,200 rows of other periods, "
                "expected a file of the period its name tells (1,200 rows)."
            ),
        ],
    )


def test_the_last_hours_of_a_month_are_of_it_although_they_are_of_the_next_in_utc(
    desk: Any, july: pd.DataFrame
) -> None:
    night = july.assign(time_hour="2013-08-01T03:00:00Z", hour=23)
    after = night.assign(time_hour="2013-08-01T04:00:00Z")
    frame = pd.concat([july.iloc[:-40], night.iloc[-40:-10], after.iloc[-10:]])
    record = desk.deliver(csv(frame), JULY)
    assert (record.state, record.rows.quarantined) == ("validated", 10)
    assert str(record.reasons[0]) == ("PERIOD time_hour: found 2013-08, expected 2013-07, as the name tells (10 rows).")


def test_rows_without_labels_wait_until_they_come_again_with_them(desk: Any, july: pd.DataFrame) -> None:
    waiting = desk.deliver(csv(july.drop(columns="arr_delay")), "flights-2013-07-planned.csv")
    assert (waiting.state, waiting.waits_for_labels, waiting.rows.validated) == ("validated", True, 1500)
    assert "They wait for their labels" in waiting.message()
    assert desk.events == [], "nobody has anything to learn"
    assert (snapshot(desk).batches, snapshot(desk).waiting) == ((), (waiting.batch_id,))
    labelled = desk.deliver(csv(july), JULY)
    assert [type(event) for event in desk.events] == [BatchValidated]
    assert (labelled.waits_for_labels, snapshot(desk).batch_ids) == (False, (labelled.batch_id,))


def test_a_file_without_labels_never_takes_the_place_of_one_with_them(desk: Any, july: pd.DataFrame) -> None:
    labelled = desk.deliver(csv(july), JULY)
    waiting = desk.deliver(csv(july.drop(columns="arr_delay")), JULY)
    assert (waiting.state, snapshot(desk).batch_ids) == ("validated", (labelled.batch_id,))


def test_a_label_under_a_wrong_name_is_no_label_that_comes_later(desk: Any, july: pd.DataFrame) -> None:
    record = desk.deliver(csv(july.rename(columns={"arr_delay": "arrival_delay"})), JULY)
    assert (record.state, [str(reason) for reason in record.reasons]) == (
        "quarantined",
        ["MISSING_COLUMN arr_delay: found no such column, but 'arrival_delay', expected a column called 'arr_delay'."],
    )
