"""How the messages in the bridge's queue are spelled: EventBridge events, Lambda's failure records, the guard's word.

Text in, a frozen value out. Nothing here knows what a product or a batch is, and nothing here raises: a
message that is not understood is a value too, with a sentence that says what was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

_UNVERSIONED = (None, "", "null")
"""S3 says `null` for objects written while versioning is suspended; such a version is overwritten in place."""


@dataclass(frozen=True)
class ObjectCreated:
    """An object exists, whichever call made it. `object_version` is None in a bucket that keeps none."""

    bucket: str
    key: str
    object_version: str | None
    etag: str
    size: int


@dataclass(frozen=True)
class Ended:
    """The process of a flow run ended badly; `process` is AWS' own id of it."""

    flow_run_id: str
    cause: str
    process: str


@dataclass(frozen=True)
class Guarded:
    """An alarm fired and the guard did something about it; `identity` is the record's."""

    identity: str
    product: str
    alarm: str
    function_version: str
    code: str
    reason: str


@dataclass(frozen=True)
class Rose:
    """More is asked of a product's function than it is kept ready for; `identity` is the firing's."""

    identity: str
    product: str
    alarm: str
    reason: str


@dataclass(frozen=True)
class Ignored:
    """A message that is known and asks for nothing."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """A message that is not understood; it must not vanish."""

    reason: str


Reading = ObjectCreated | Ended | Guarded | Rose | Ignored | Refused


def read(text: str) -> Reading:
    """Read one message. Never raises."""
    try:
        body = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        return Refused(f"The message is not JSON: {type(error).__name__}.")
    if not isinstance(body, dict):
        return Refused(f"The message is a JSON {type(body).__name__}, expected an object.")
    if body.get("Event") == "s3:TestEvent":
        return Ignored("S3 sent its test message.")
    if "Records" in body:
        return Refused("The message is a native S3 notification; this queue takes S3 events from EventBridge.")
    if "requestPayload" in body and "requestContext" in body:
        return _lambda_record(body)
    return _event(body, body.get("source"), body.get("detail-type"))


def _event(body: Mapping[str, object], source: object, kind: object) -> Reading:
    """Read an EventBridge event."""
    if source == "aws.s3" and kind == "Object Created":
        return _object_created(_object(body, "detail"))
    if source == "aws.s3":
        return Ignored(f"S3 says {kind!r}, which is no delivery.")
    if source == "aws.ecs" and kind == "ECS Task State Change":
        return _task_changed(_object(body, "detail"))
    if source == "tropism.guard" and kind == "Alarm Fired":
        return _alarm_fired(_object(body, "detail"))
    if source == "tropism.guard" and kind == "Traffic Rose":
        return _traffic_rose(_object(body, "detail"))
    return Refused(f"source {source!r} with detail-type {kind!r} is not known here.")


def _object_created(detail: Mapping[str, object]) -> Reading:
    """Read S3's `Object Created`; https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""
    bucket, thing = _text(_object(detail, "bucket"), "name"), _object(detail, "object")
    key, etag, size = _text(thing, "key"), _text(thing, "etag"), thing.get("size")
    version = thing.get("version-id")
    named = None if version in _UNVERSIONED else version
    if not bucket or key is None:
        return Refused("An S3 event without a bucket's name or an object's key.")
    if named is not None and not isinstance(named, str):
        return Refused("An S3 event whose version-id is not text.")
    if not _is_unicode(f"{bucket}{key}{named}{etag}"):
        return Refused("An S3 event that holds half a surrogate pair, which no UTF-8 name has.")
    if not named and not etag:
        return Refused(f"An S3 event for {key!r} without a version-id or an etag: a repeat could not be told apart.")
    whole = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else 0
    return ObjectCreated(bucket=bucket, key=key, object_version=named, etag=(etag or "").strip('"'), size=whole)


def _lambda_record(body: Mapping[str, object]) -> Reading:
    """Read the record that Lambda sends to the on-failure destination of an asynchronous invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    context, request = _object(body, "requestContext"), _object(body, "requestPayload")
    condition = _text(context, "condition") or "unknown"
    flow_run_id = _uuid(_object(request, "prefect").get("flow_run_id"))
    process = _text(context, "requestId")
    if flow_run_id is None or not process:
        return Refused("A Lambda record without requestPayload.prefect.flow_run_id or requestContext.requestId.")
    if condition == "Success":
        return Ignored(f"The invocation for flow run {flow_run_id} ended well.")
    error = _text(_object(body, "responsePayload"), "errorType")  # missing when the function was never asked
    return Ended(
        flow_run_id=flow_run_id, cause=f"Lambda {condition}{f': {error}' if error else ''}"[:200], process=process
    )


def _task_changed(detail: Mapping[str, object]) -> Reading:
    """Read an ECS task's change: lost is a stopped task of ours that did not end with exit code 0."""
    if detail.get("lastStatus") != "STOPPED":
        return Ignored(f"An ECS task is {detail.get('lastStatus')!r}.")
    flow_run_id, process = _flow_run_of(detail), _text(detail, "taskArn")
    if flow_run_id is None or not process:
        return Ignored("An ECS task that runs no flow.")
    containers = [item for item in _list(detail, "containers") if isinstance(item, dict)]
    codes = [item.get("exitCode") for item in containers]
    if codes and all(code == 0 for code in codes):
        return Ignored(f"The ECS task of flow run {flow_run_id} ended with exit code 0.")
    why = _text(detail, "stoppedReason") or f"exit codes {codes}"
    return Ended(flow_run_id=flow_run_id, cause=f"ECS {why}"[:200], process=process)


def _alarm_fired(detail: Mapping[str, object]) -> Reading:
    """Read what the guard says of an alarm: the record it left beside the control record."""
    identity, fields = _uuid(detail.get("id")), ("product", "alarm", "function_version", "code")
    product, alarm, version, code = (_text(detail, field) for field in fields)
    if identity is None or not product or not alarm or not version or not code:
        return Refused("The guard's word without the record's id, product, alarm, function_version or code.")
    return Guarded(identity, product, alarm, version, code, (_text(detail, "reason") or "")[:1000])


def _traffic_rose(detail: Mapping[str, object]) -> Reading:
    """Read what the guard says of an alarm about a whole function's traffic."""
    identity, product, alarm = _uuid(detail.get("id")), _text(detail, "product"), _text(detail, "alarm")
    if identity is None or not product or not alarm:
        return Refused("The guard's word that traffic rose without an id, a product or an alarm.")
    return Rose(identity, product, alarm, (_text(detail, "reason") or "")[:1000])


def _flow_run_of(detail: Mapping[str, object]) -> str | None:
    """Find the flow run that Prefect's ECS worker put in the environment of the task it started."""
    for override in _list(_object(detail, "overrides"), "containerOverrides"):
        for variable in _list(override, "environment") if isinstance(override, dict) else []:
            if isinstance(variable, dict) and variable.get("name") == "PREFECT__FLOW_RUN_ID":
                return _uuid(variable.get("value"))
    return None


def _object(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _list(body: Mapping[str, object], name: str) -> list[object]:
    value = body.get(name)
    return value if isinstance(value, list) else []


def _text(body: Mapping[str, object], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) else None


def _uuid(value: object) -> str | None:
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
