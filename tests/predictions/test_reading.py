"""The log in a bucket: gzip or plain, late, repeated, damaged; and one prediction found in it."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lifecycle.errors import ServiceError, UsageError
from lifecycle.predictions import partition
from tasks import predictions
from tests.conftest import Aws

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
SOON = NOW + timedelta(minutes=5)
Put = Callable[..., str]


def line(request_id: str, at: datetime = NOW, **more: Any) -> bytes:
    known = {"event": "prediction.answered", "at": at.isoformat(), "function_version": "1", "status": 200}
    return json.dumps({**known, "request_id": request_id, "rows": 1, **more}).encode() + b"\n"


@pytest.fixture
def bucket(aws: Aws) -> str:
    return aws.bucket()


@pytest.fixture
def put(aws: Aws, bucket: str) -> Put:
    def write(*lines: bytes, name: str = "a", hour: datetime = NOW, zipped: bool = True, cut: int = 0) -> str:
        body = b"".join(lines)
        body = gzip.compress(body) if zipped else body
        key = f"{partition('flights', hour)}{name}"
        aws.s3.put_object(Bucket=bucket, Key=key, Body=body[: len(body) - cut])
        return key

    return write


def ids(log: predictions.Log) -> list[str]:
    return [record.request_id for record in log]


def test_records_are_read_from_gzip_and_plain_objects_and_from_no_other_product(
    put: Put, bucket: str, aws: Aws
) -> None:
    put(line("r1"), line("r2"), name="a")
    put(line("r3"), name="b", zipped=False)
    aws.s3.put_object(Bucket=bucket, Key=partition("flights2", NOW) + "a", Body=line("other"))
    aws.s3.put_object(Bucket=bucket, Key="predictions/flights/README", Body=line("note"))
    log = predictions.answered(bucket, "flights", NOW - HOUR, SOON)
    assert ids(log) == ["r1", "r2", "r3"]
    assert log.tally == predictions.Tally(objects=2, lines=3, records=3)


def test_several_deliveries_compressed_one_after_another_in_an_object_are_all_read(bucket: str, aws: Aws) -> None:
    both = gzip.compress(line("r1")) + gzip.compress(line("r2"))
    aws.s3.put_object(Bucket=bucket, Key=partition("flights", NOW) + "a.gz", Body=both)
    assert ids(predictions.answered(bucket, "flights", NOW - HOUR, SOON)) == ["r1", "r2"]


def test_what_was_delivered_twice_counts_once_and_what_is_no_record_is_counted(put: Put, bucket: str) -> None:
    put(line("r1"), b"CWL CONTROL MESSAGE\n", b"\n", line("r1", part=2, parts=2), name="a")
    put(line("r1"), line("r2")[:-30], name="b")
    log = predictions.answered(bucket, "flights", NOW - HOUR, SOON)
    assert [(record.request_id, record.part) for record in log] == [("r1", 1), ("r1", 2)]
    assert log.tally == predictions.Tally(objects=2, lines=5, records=2, repeats=1, strangers=2)


def test_a_record_belongs_to_the_moment_it_was_answered_however_late_it_came(put: Put, bucket: str) -> None:
    put(line("early", NOW - 20 * HOUR), line("late", NOW - 23 * HOUR), line("before", NOW - 40 * HOUR), hour=NOW)
    since, until = NOW - 24 * HOUR, NOW - 20 * HOUR + timedelta(seconds=1)
    assert ids(predictions.answered(bucket, "flights", since, until)) == ["early", "late"]
    assert ids(predictions.answered(bucket, "flights", since, NOW - 20 * HOUR)) == ["late"]


def test_stretches_of_arrival_meet_every_object_once(put: Put, bucket: str, aws: Aws) -> None:
    old = put(line("r1", NOW - 30 * HOUR), name="a", hour=NOW - 2 * HOUR)
    stamp = aws.s3.head_object(Bucket=bucket, Key=old)["LastModified"]
    cuts = [stamp - HOUR, stamp, stamp + timedelta(seconds=1), stamp + HOUR]
    found = [ids(predictions.arrived(bucket, "flights", *pair)) for pair in pairwise(cuts)]
    assert found == [[], ["r1"], []]


def test_young_objects_are_left_for_the_next_stretch() -> None:
    moment = datetime(2026, 3, 1, 12, 0, 30, 999_999, tzinfo=UTC)
    assert predictions.settled_at(moment) == datetime(2026, 3, 1, 12, 0, 20, tzinfo=UTC)


@pytest.mark.parametrize("cut", [1, 9, 30])
def test_a_damaged_object_is_an_error_that_names_it(put: Put, bucket: str, cut: int) -> None:
    put(line("r1"), name="a")
    bad = put(*(line(f"x{number}") for number in range(50)), name="b", cut=cut)
    log = predictions.answered(bucket, "flights", NOW - HOUR, SOON)
    with pytest.raises(ServiceError, match=rf"s3://{bucket}/{bad} cannot be read"):
        list(log)


def test_an_object_that_is_gone_is_an_error_that_names_it(bucket: str) -> None:
    with pytest.raises(ServiceError, match=rf"s3://{bucket}/nowhere cannot be read"):
        list(predictions.lines(bucket, "nowhere"))


def test_a_bucket_that_is_not_there_is_an_error_and_not_an_empty_log(aws: Aws) -> None:
    with pytest.raises(ServiceError, match="would not list s3://tropism-nowhere/predictions/flights/"):
        list(predictions.answered("tropism-nowhere", "flights", NOW - HOUR, NOW))


def test_a_line_without_end_takes_no_more_memory_than_the_longest_record(put: Put, bucket: str) -> None:
    endless = b"prediction.answered" * 2_000_000
    key = put(endless + b"\n", line("r1"))
    tracemalloc.start()
    found = [len(one) for one in predictions.lines(bucket, key)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [predictions.LINE_BYTES, len(line("r1")) - 1]
    assert peak < len(endless) / 4


def test_memory_does_not_grow_with_the_log(put: Put, bucket: str) -> None:
    padding = "x" * 10_000
    put(*(line(f"r{number}", unit=f"{number}{padding}") for number in range(2_000)))
    tracemalloc.start()
    counted = sum(1 for _ in predictions.answered(bucket, "flights", NOW - HOUR, SOON))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counted == 2_000
    assert peak < 5_000_000


def test_a_prediction_is_found_in_the_part_that_holds_its_row(put: Put, bucket: str) -> None:
    put(line("r1", part=1, parts=2, rows=3, scores=[1, 2, 3]), name="a", hour=NOW - 5 * HOUR)
    put(line("r1", part=2, parts=2, rows=2, first_row=3, scores=[4, 5]), line("r2"), name="b")
    assert predictions.find("flights", "r1-4", bucket, now=NOW).scores == (4, 5)
    assert predictions.find("flights", "r1-0", bucket, now=NOW).scores == (1, 2, 3)
    assert predictions.find("flights", "r1-0", bucket, now=NOW, at=NOW - 5 * HOUR).part == 1


def test_a_prediction_that_is_not_there_is_refused_with_how_far_was_looked(put: Put, bucket: str) -> None:
    put(line("r1"))
    with pytest.raises(UsageError, match=rf"no prediction r9-0 .* from {NOW - timedelta(days=7):%Y-%m-%d %H:%M} to"):
        predictions.find("flights", "r9-0", bucket, now=NOW)
    with pytest.raises(UsageError, match="no prediction r1-1 "):
        predictions.find("flights", "r1-1", bucket, now=NOW)
    with pytest.raises(UsageError, match=rf"from {NOW + 2 * HOUR - timedelta(minutes=5):%Y-%m-%d %H:%M} to"):
        predictions.find("flights", "r1-0", bucket, now=NOW + 30 * HOUR, at=NOW + 2 * HOUR)
    with pytest.raises(UsageError, match="'flights' is no prediction id"):
        predictions.find("flights", "flights", bucket, now=NOW)
