"""Replay logged requests through one function version, when nobody asks it anything.

The requests are real, the asking is not: each is marked synthetic and sent straight to the version, past the alias,
so neither the log nor the metrics take it for traffic. What fails is told and is no error of a release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

from botocore.exceptions import BotoCoreError, ClientError

from lifecycle.counting import is_live
from lifecycle.predictions import Prediction, hours_back, read
from lifecycle.settings import Settings
from tasks import predictions
from tasks.clients import lambda_client

# As many as a step wants of live requests at least is 200; half of that shows what a model does at all.
MOST = 100
_AT_ONCE = 4
_ANSWERED = 200


@dataclass(frozen=True)
class Replayed:
    """How many logged requests were sent again, and how many of them got no prediction."""

    requests: int
    failed: int


def replay(settings: Settings, product: str, function_version: str, now: datetime) -> Replayed:
    """Send the newest logged requests to a version and say how many failed.

    None are sent when the log of the last week holds none, or by policy only the digests of what was asked. A second
    call sends them again, which changes nothing but the log's synthetic records. Raises ServiceError when the log
    cannot be read.
    """
    function = settings.predict_function(product)
    bodies = [_body(record) for record in _newest(settings.bucket, product, now)]
    lambda_client()  # threads may use one, not build one
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="replay") as pool:
        answered = list(pool.map(lambda body: _is_answered(function, function_version, body), bodies))
    return Replayed(len(answered), answered.count(False))


def _newest(bucket: str, product: str, now: datetime) -> list[Prediction]:
    """Return up to `MOST` live requests that were answered and whose rows are told whole, the newest of the log."""
    found: dict[str, Prediction] = {}
    for key in _newest_objects(bucket, product, now):
        whole = (record for record in map(read, predictions.lines(bucket, key)) if record and _can_be_sent(record))
        found |= {record.request_id: record for record in nlargest(MOST, whole, key=_when)}
        if len(found) >= MOST:
            break
    return nlargest(MOST, found.values(), key=_when)


def _when(record: Prediction) -> tuple[datetime, str]:
    return record.at, record.request_id


def _newest_objects(bucket: str, product: str, now: datetime) -> Iterator[str]:
    for hour in hours_back(now - predictions.LOOK_BACK, now):
        keys = [found.key for found in predictions.objects(bucket, product, hour, hour)]
        yield from reversed(keys)


def _can_be_sent(record: Prediction) -> bool:
    told = record.parts == 1 and bool(record.columns) and bool(record.features)
    return told and is_live(record) and record.status == _ANSWERED


def _body(record: Prediction) -> bytes:
    rows = {"columns": record.columns, "data": record.features}
    return json.dumps({"dataframe_split": rows, "params": {"synthetic": True}}).encode()


def _is_answered(function: str, function_version: str, body: bytes) -> bool:
    """Ask one version; a crash, a refusal and a request that cannot be sent are no answer."""
    try:
        answer = lambda_client().invoke(FunctionName=function, Qualifier=function_version, Payload=body)
        with answer["Payload"] as stream:
            said = json.loads(stream.read())
    except (ClientError, BotoCoreError, ValueError):
        return False
    return "FunctionError" not in answer and isinstance(said, dict) and said.get("status") == _ANSWERED
