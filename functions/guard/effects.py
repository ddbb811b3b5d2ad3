"""What the guard asks of Lambda, S3 and SQS, with the runtime's own boto3; each call may be repeated.

Nothing here decides. A client gives up soon: the function has half a minute, and Lambda invokes it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from lifecycle.alias import AliasState, alias_state
from lifecycle.guarding import GuardRecord, Rise, Standing, read_standing, record_key

ALIAS = "live"
_CHANGED, _EXISTS = "PreconditionFailedException", "PreconditionFailed"
_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True)
class Place:
    """Where the guard works, from its environment."""

    bucket: str
    function_prefix: str
    queue_url: str

    @classmethod
    def read(cls) -> Place:
        """Read the environment. Raises KeyError naming the variable that is missing."""
        return cls(
            bucket=os.environ["TROPISM_BUCKET"],
            function_prefix=os.environ["TROPISM_FUNCTION_PREFIX"],
            queue_url=os.environ["TROPISM_EVENTS_QUEUE_URL"],
        )

    def product_of(self, function: str) -> str | None:
        """Return the product a predict function answers for, or None for any other function."""
        front = f"{self.function_prefix}-predict-"
        return function[len(front) :] if function.startswith(front) and function != front else None


def traffic(function: str) -> AliasState | None:
    """Return where the alias sends requests, or None without one."""
    try:
        found = _client("lambda").get_alias(FunctionName=function, Name=ALIAS)
    except _refused() as error:
        if _code(error) == _ABSENT:
            return None
        raise
    return alias_state(found)


def move(function: str, to: str, revision: str) -> bool:
    """Send every request to one version; False, and nothing changed, when somebody moved the alias meanwhile."""
    try:
        _client("lambda").update_alias(
            FunctionName=function,
            Name=ALIAS,
            FunctionVersion=to,
            RoutingConfig={"AdditionalVersionWeights": {}},
            RevisionId=revision,
        )
    except _refused() as error:
        if _code(error) == _CHANGED:
            return False
        raise
    return True


def standing(place: Place, product: str) -> Standing | None:
    """Read who is champion and who challenger; None when that cannot be read, which keeps nothing from its turn."""
    try:
        answer = _client("s3").get_object(Bucket=place.bucket, Key=f"control/{product}.json")
        with answer["Body"] as body:
            return read_standing(body.read())
    except Exception:  # noqa: BLE001  # whatever is wrong with S3, a bad challenger is taken out all the same
        return None


def remember(place: Place, record: GuardRecord) -> GuardRecord:
    """Write the record and return it; a firing that has one already keeps it, and that one is returned."""
    key = record_key(record.product, record.id)
    try:
        _client("s3").put_object(
            Bucket=place.bucket,
            Key=key,
            Body=record.to_json().encode(),
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except _refused() as error:
        if _code(error) != _EXISTS:
            raise
        with _client("s3").get_object(Bucket=place.bucket, Key=key)["Body"] as body:
            return GuardRecord.from_json(body.read())
    return record


def tell(place: Place, record: GuardRecord) -> None:
    """Put the firing into the queue between AWS and Prefect; the bridge makes an event of it once Prefect is there."""
    _send(place, "Alarm Fired", asdict(record))


def tell_rise(place: Place, product: str, rise: Rise) -> None:
    """Put the word that a product's traffic rose into the same queue; told again, it is the same word."""
    _send(place, "Traffic Rose", {"id": rise.id, "product": product, "alarm": rise.name, "reason": rise.reason})


def _send(place: Place, kind: str, detail: Mapping[str, object]) -> None:
    message = {"source": "tropism.guard", "detail-type": kind, "detail": detail}
    _client("sqs").send_message(QueueUrl=place.queue_url, MessageBody=json.dumps(message))


@lru_cache(maxsize=4)
def _client(service: str) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
    import boto3  # noqa: PLC0415  # Lambda's runtime brings it
    from botocore.config import Config  # noqa: PLC0415

    limits = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "max_attempts": 2})
    return boto3.session.Session().client(service, config=limits)  # type: ignore[call-overload]


def _refused() -> type[Exception]:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    return ClientError


def _code(error: Any) -> str:  # noqa: ANN401
    return str(error.response["Error"]["Code"])
