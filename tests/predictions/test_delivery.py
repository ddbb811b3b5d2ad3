"""From a function's output to the bucket, in the emulator: through outages, and complete."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.predictions import Prediction
from lifecycle.settings import Settings
from tasks import delivery_streams, moulds, predictions
from tasks.clients import firehose, lambda_client, logs, s3

NOW = datetime.now(UTC)
PRODUCT = "flights"


def record(request_id: str, **more: object) -> str:
    known = {"event": "prediction.answered", "at": datetime.now(UTC).isoformat(), "function_version": "1"}
    return json.dumps({**known, "status": 200, "request_id": request_id, "rows": 1, **more})


class Talker:
    """A product's function, and the log of what it tells."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.function = moulds.ensure_function(settings, PRODUCT)
        self.stream = delivery_streams.ensure(settings, PRODUCT)

    def tell(self, *lines: str) -> None:
        answer = lambda_client().invoke(FunctionName=self.function, Payload=json.dumps({"lines": lines}))
        assert json.loads(answer["Payload"].read()) == {"told": len(lines)}

    def log(self) -> list[Prediction]:
        return list(predictions.answered(self.settings.bucket, PRODUCT, NOW - timedelta(hours=1), soon()))

    def ids(self) -> list[str]:
        return sorted(one.request_id for one in self.log())

    def keys(self) -> list[str]:
        return [one.key for one in predictions.objects(self.settings.bucket, PRODUCT, NOW - timedelta(hours=1), soon())]


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def eventually(what: str, holds: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


@pytest.fixture
def talker(settings: Settings) -> Iterator[Talker]:
    made = Talker(settings)
    yield made
    if firehose().list_delivery_streams(Limit=100)["DeliveryStreamNames"].count(made.stream):
        firehose().delete_delivery_stream(DeliveryStreamName=made.stream)


def test_what_a_function_tells_arrives_in_its_hour_and_nothing_else_does(talker: Talker) -> None:
    talker.tell("hello", record("r1"), '{"event":"model.opened"}', record("r2", unit="caf\u00e9"))
    eventually("both records", lambda: talker.ids() == ["r1", "r2"])
    (key,) = talker.keys()
    assert key.startswith(f"predictions/{PRODUCT}/dt={NOW:%Y-%m-%d}/hour=")
    assert key.rpartition("/")[2].startswith(f"{talker.stream}-1-{NOW:%Y-}")
    assert key.endswith(".gz")
    body = s3().get_object(Bucket=talker.settings.bucket, Key=key)["Body"].read()
    told = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    assert [(one["request_id"], one.get("unit")) for one in told] == [("r1", None), ("r2", "caf\u00e9")]


def test_a_line_is_delivered_that_the_function_wrote_right_before_it_answered(talker: Talker) -> None:
    """However much it said and however busy the machine: a record left in the pipe would never arrive."""
    noise = ["x" * 200] * 3_000
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: talker.tell(*noise, record(f"r{number:02}")), range(24)))
    eventually("all records", lambda: len(talker.ids()) == 24)
    assert talker.ids() == [f"r{number:02}" for number in range(24)]


@pytest.mark.faults
def test_an_outage_of_the_stream_or_the_bucket_delays_records_and_loses_none(talker: Talker) -> None:
    talker.tell(record("before"))
    eventually("the first record", lambda: talker.ids() == ["before"])
    firehose().delete_delivery_stream(DeliveryStreamName=talker.stream)
    for number in range(5):
        talker.tell(record(f"during-{number}"))
    time.sleep(2.5)
    assert talker.ids() == ["before"]
    delivery_streams.ensure(talker.settings, PRODUCT)
    eventually("what came meanwhile", lambda: len(talker.ids()) == 6)
    found = firehose().describe_delivery_stream(DeliveryStreamName=talker.stream)["DeliveryStreamDescription"]
    where = {"CurrentDeliveryStreamVersionId": found["VersionId"], "DestinationId": "destinationId-0"}
    where["DestinationId"] = found["Destinations"][0]["DestinationId"]
    away = {"BucketARN": "arn:aws:s3:::tropism-nowhere"}
    firehose().update_destination(DeliveryStreamName=talker.stream, ExtendedS3DestinationUpdate=away, **where)
    talker.tell(record("without-a-bucket"))
    time.sleep(2.5)
    assert len(talker.ids()) == 6
    delivery_streams.ensure(talker.settings, PRODUCT)
    eventually("the last record", lambda: len(talker.ids()) == 7)
    log = predictions.answered(talker.settings.bucket, PRODUCT, NOW - timedelta(hours=1), soon())
    assert len(list(log)) == 7
    assert log.tally.repeats == 0


def test_the_backlog_of_one_stream_keeps_no_other_waiting(settings: Settings, talker: Talker) -> None:
    firehose().delete_delivery_stream(DeliveryStreamName=talker.stream)
    talker.tell(record("waits"))
    time.sleep(2)
    function = moulds.ensure_function(settings, "other")
    delivery_streams.ensure(settings, "other")
    lambda_client().invoke(FunctionName=function, Payload=json.dumps({"lines": [record("goes")]}))
    found = lambda: list(predictions.answered(settings.bucket, "other", NOW - timedelta(hours=1), soon()))  # noqa: E731
    eventually("the other's record", found)
    assert talker.ids() == []


def without(kind: str, configuration: dict[str, Any]) -> dict[str, Any]:
    processing = configuration["ProcessingConfiguration"]
    left = [one for one in processing["Processors"] if one["Type"] != kind]
    return {**configuration, "ProcessingConfiguration": {**processing, "Processors": left}}


def test_an_object_is_what_the_streams_own_configuration_makes_of_it(settings: Settings) -> None:
    """Without a processor that the project relies on, the object is not what the project reads."""
    roles = delivery_streams._roles(settings)
    wanted = delivery_streams.destination(settings, PRODUCT, roles)
    plain = {**wanted, "CompressionFormat": "UNCOMPRESSED", "Prefix": "elsewhere/!{timestamp:yyyy}/"}
    bodies = {}
    for name, configuration in {
        "run together": without("AppendDelimiterToRecord", plain),
        "wrapped": without("CloudWatchLogProcessing", plain),
        "packed": {**plain, "ProcessingConfiguration": {"Enabled": False}},
    }.items():
        stream = f"{settings.function_prefix}-{name.replace(' ', '-')}"
        firehose().create_delivery_stream(DeliveryStreamName=stream, ExtendedS3DestinationConfiguration=configuration)
        group = f"/group/{stream}"
        logs().create_log_group(logGroupName=group)
        logs().create_log_stream(logGroupName=group, logStreamName="s")
        arn = f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{stream}"
        logs().put_subscription_filter(
            logGroupName=group, filterName="f", filterPattern="", destinationArn=arn, roleArn=roles.subscription
        )
        lines = [{"timestamp": int(NOW.timestamp() * 1000), "message": text} for text in ("one", "two")]
        logs().put_log_events(logGroupName=group, logStreamName="s", logEvents=lines)
        prefix = f"elsewhere/{NOW:%Y}/{stream}-"
        listed = lambda prefix=prefix: s3().list_objects_v2(Bucket=settings.bucket, Prefix=prefix).get("Contents")  # noqa: E731
        eventually(f"the object of {stream}", listed)
        bodies[name] = s3().get_object(Bucket=settings.bucket, Key=listed()[0]["Key"])["Body"].read()
    assert bodies["run together"] == b"onetwo"
    (wrapped,) = [json.loads(line) for line in bodies["wrapped"].splitlines()]
    assert (wrapped["messageType"], wrapped["subscriptionFilters"], wrapped["logStream"]) == (
        "DATA_MESSAGE",
        ["f"],
        "s",
    )
    assert [event["message"] for event in wrapped["logEvents"]] == ["one", "two"]
    assert json.loads(gzip.decompress(bodies["packed"]))["logGroup"] == f"/group/{settings.function_prefix}-packed"


def test_a_thousand_invocations_leave_no_thousand_log_streams(talker: Talker) -> None:
    for _ in range(3):
        talker.tell(record("r"))
    group = f"/aws/lambda/{talker.function}"
    assert len(logs().describe_log_streams(logGroupName=group)["logStreams"]) == 3
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: talker.tell("x"), range(250)))
    pages = logs().get_paginator("describe_log_streams").paginate(logGroupName=group)
    assert sum(len(page["logStreams"]) for page in pages) <= 204
