"""The way of a product's prediction log: log group, subscription, delivery stream, `predictions/<product>/`.

    stdout of the function -> /aws/lambda/<function> -> "prediction.answered" -> <prefix>-predictions-<product>

It is made beside the product's function, with the roles that the mould's tags name. What a record says is
`lifecycle/predictions.py`, reading them `tasks/predictions.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.errors import ServiceError, SpecError
from lifecycle.predictions import ANSWERED, log_prefix
from lifecycle.settings import Settings
from tasks.clients import firehose, lambda_client, logs
from tasks.moulds import mould_name

FILTER = "predictions"
PATTERN = f'"{ANSWERED}"'
RETENTION_DAYS = 30
"""The template's own default, for a mould whose log group has no retention of its own."""
DELIVERY_ROLE, SUBSCRIPTION_ROLE = "tropism:delivery-role", "tropism:subscription-role"
_LONGEST_NAME = 64
_STREAM_SECONDS, _EVERY = 300.0, 2.0  # AWS takes up to a minute to make a stream, and about as long to delete one
_ROLE_SECONDS = 60.0  # and some seconds until a role it just made is known everywhere
_SETTLED_FIELDS = ("RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "BufferingHints", "CompressionFormat")


@dataclass(frozen=True)
class Roles:
    """ARNs: `delivery` lets Firehose write to the bucket, `subscription` lets CloudWatch Logs write to Firehose."""

    delivery: str
    subscription: str


def stream_name(settings: Settings, product: str) -> str:
    """Name a product's delivery stream. Raises SpecError when Firehose takes no name so long."""
    name = f"{settings.function_prefix}-predictions-{product}"
    if len(name) > _LONGEST_NAME:
        raise SpecError(
            f"The delivery stream of {product} cannot be called {name}.",
            detail=f"The name has {len(name)} characters, at most {_LONGEST_NAME} are allowed.",
            resolution="Choose a shorter name for the product, or a shorter function prefix for the stack.",
        )
    return name


def ensure(settings: Settings, product: str) -> str:
    """Make sure that whatever the product's function tells arrives in the bucket; return the stream's name.

    A second call changes nothing; one that finds something changed puts it back. Two callers at once: one makes, both
    go on. Raises ServiceError when the stack names no roles, or AWS refuses.
    """
    name, group = stream_name(settings, product), f"/aws/lambda/{settings.predict_function(product)}"
    try:
        roles = _roles(settings)
        _ensure_group(group, _retention(f"/aws/lambda/{mould_name(settings)}") or RETENTION_DAYS)
        arn = _ensure_stream(name, destination(settings, product, roles), product)
        _ensure_subscription(group, arn, roles)
    except ClientError as error:
        found = error.response["Error"]
        raise ServiceError(
            f"The prediction log of {product} could not be set up.",
            detail=f"{error.operation_name} on {name}: {found.get('Code')}: {found.get('Message')}",
            resolution="Every step may be repeated: run the same command again.",
        ) from error
    return name


def destination(settings: Settings, product: str, roles: Roles) -> dict[str, Any]:
    """Return Firehose's ExtendedS3DestinationConfiguration: lines of JSON, one object a minute at most while any come.

    Times in the prefix are UTC and those of arrival. What cannot be unpacked goes to `predictions-failed/`.
    """
    unpack = {"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}
    extract = {"ParameterName": "DataMessageExtraction", "ParameterValue": "true"}
    return {
        "RoleARN": roles.delivery,
        "BucketARN": f"arn:{roles.delivery.split(':')[1]}:s3:::{settings.bucket}",
        "Prefix": f"{log_prefix(product)}dt=!{{timestamp:yyyy-MM-dd}}/hour=!{{timestamp:HH}}/",
        "ErrorOutputPrefix": f"predictions-failed/{product}/!{{firehose:error-output-type}}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        "CompressionFormat": "GZIP",
        "ProcessingConfiguration": {
            "Enabled": True,
            "Processors": [
                {"Type": "Decompression", "Parameters": [unpack]},
                {"Type": "CloudWatchLogProcessing", "Parameters": [extract]},
                {"Type": "AppendDelimiterToRecord"},
            ],
        },
    }


def _roles(settings: Settings) -> Roles:
    mould = mould_name(settings)
    try:
        tags = lambda_client().get_function(FunctionName=mould).get("Tags", {})
        return Roles(tags[DELIVERY_ROLE], tags[SUBSCRIPTION_ROLE])
    except KeyError as error:
        raise ServiceError(
            f"{mould} names no role for the prediction log.",
            detail=f"Expected the tags {DELIVERY_ROLE} and {SUBSCRIPTION_ROLE}, there is no {error.args[0]}.",
            resolution="Deploy the stack again; on a laptop that is `tropism up`.",
        ) from error


def _group(name: str) -> Mapping[str, Any] | None:
    pages = logs().get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return next((found for page in pages for found in page["logGroups"] if found["logGroupName"] == name), None)


def _retention(group: str) -> int | None:
    return (_group(group) or {}).get("retentionInDays")


def _ensure_group(name: str, days: int) -> None:
    if _group(name) is None:
        try:
            logs().create_log_group(logGroupName=name)
        except logs().exceptions.ResourceAlreadyExistsException:
            pass  # the function's first invocation, or another caller, was faster
    if _retention(name) != days:
        logs().put_retention_policy(logGroupName=name, retentionInDays=days)


def _ensure_stream(name: str, wanted: dict[str, Any], product: str) -> str:
    found = _active(name, wanted, product)
    known = found["Destinations"][0]
    if _settled(known.get("ExtendedS3DestinationDescription", {})) != _settled(wanted):
        firehose().update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=found["VersionId"],
            DestinationId=known["DestinationId"],
            ExtendedS3DestinationUpdate=wanted,
        )
    return str(found["DeliveryStreamARN"])


def _active(name: str, wanted: dict[str, Any], product: str) -> dict[str, Any]:
    """Return the stream once it takes records, made when there is none; one that is being deleted is awaited first."""
    deadline = time.monotonic() + _STREAM_SECONDS
    while True:
        found = _described(name)
        status = found["DeliveryStreamStatus"] if found else "absent"
        if found is not None and status == "ACTIVE":
            return found
        if status.endswith("_FAILED") or time.monotonic() > deadline:
            raise ServiceError(
                f"The delivery stream {name} takes no records.",
                detail=f"It is {status}. {(found or {}).get('FailureDescription', {}).get('Details', '')}".strip(),
                resolution=f"Run `aws firehose delete-delivery-stream --delivery-stream-name {name}`, then repeat.",
            )
        if found is None:
            _create(name, wanted, product)
        else:
            time.sleep(_EVERY)


def _create(name: str, wanted: dict[str, Any], product: str) -> None:
    try:
        firehose().create_delivery_stream(
            DeliveryStreamName=name,
            DeliveryStreamType="DirectPut",
            ExtendedS3DestinationConfiguration=wanted,
            Tags=[{"Key": "tropism:product", "Value": product}],
        )
    except firehose().exceptions.ResourceInUseException:
        time.sleep(_EVERY / 10)  # another caller was faster, or the last one is still being deleted


def _described(name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = firehose().describe_delivery_stream(DeliveryStreamName=name)
    except firehose().exceptions.ResourceNotFoundException:
        return None
    described: dict[str, Any] = found["DeliveryStreamDescription"]
    return described


def _settled(configuration: Mapping[str, Any]) -> list[Any]:
    """Return what tells two configurations apart: AWS adds parameters of its own to what it was given."""
    processors = configuration.get("ProcessingConfiguration", {}).get("Processors", [])
    return [*(configuration.get(name) for name in _SETTLED_FIELDS), [one["Type"] for one in processors]]


def _ensure_subscription(group: str, stream_arn: str, roles: Roles) -> None:
    known = logs().describe_subscription_filters(logGroupName=group, filterNamePrefix=FILTER)["subscriptionFilters"]
    wanted = {"filterPattern": PATTERN, "destinationArn": stream_arn, "roleArn": roles.subscription}
    if any(one["filterName"] == FILTER and wanted.items() <= dict(one).items() for one in known):
        return
    deadline = time.monotonic() + _ROLE_SECONDS
    while True:
        try:
            logs().put_subscription_filter(
                logGroupName=group,
                filterName=FILTER,
                filterPattern=PATTERN,
                destinationArn=stream_arn,
                roleArn=roles.subscription,
            )
        except logs().exceptions.InvalidParameterException:
            # AWS sends a test message; roles and streams that were just made refuse it for some seconds.
            if time.monotonic() > deadline:
                raise
            time.sleep(_EVERY)
        else:
            return
