"""The alarms of a challenger's function version: made when its release begins, deleted when it ends.

They are the net under the release controller, heard by the guard without Prefect: coarse on purpose, so that a healthy
model never meets them, while the controller's own tests compare the two models. What an alarm leads to is
`lifecycle/guarding.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from lifecycle.errors import ServiceError
from lifecycle.guarding import GuardRecord, record_prefix
from lifecycle.release_plan import ReleasePlan
from lifecycle.settings import Settings
from tasks import objects
from tasks.clients import cloudwatch, lambda_client, sns
from tasks.endpoint import ALIAS

_PERIOD = timedelta(minutes=5)
"""An alarm's usual period. It looks every minute at the last five, so a dead version is found within one or two."""
_LEAST_CRASHES = 5
"""With 0.4 % of crashes, five that are 5 % of what was asked come by chance in 1 of 16,000 periods."""
_RECORDS = 1_000


def ensure(settings: Settings, product: str, function_version: str, plan: ReleasePlan) -> tuple[str, str]:
    """Watch one version behind the alias, and no other one; return the alarms' names.

    Errors: at least five crashes that are a share of the version's requests of `plan.ceilings.errors` or more, what
    the plan tolerates at full weight with nobody to compare with. Latency: more than `plan.ceilings.slow` of them
    take longer than `plan.slow_after`, asked only when so many came that CloudWatch itself trusts the percentile.

    A second call changes nothing, and brings back an alarm that was lost, switched off or changed. Alarms of other
    versions, left by a release that died, are deleted. Raises ServiceError when nobody would hear them.
    """
    function = settings.predict_function(product)
    wanted = {
        alarm["AlarmName"]: alarm for alarm in _wanted(function, function_version, plan, topic(settings, function))
    }
    standing = dict(_standing(function))
    for name, alarm in wanted.items():
        if not is_as(alarm, standing.get(name, {})):
            cloudwatch().put_metric_alarm(**alarm)
    drop(name for name in standing if name not in wanted)
    return _names(function, function_version)


def delete(settings: Settings, product: str, function_version: str) -> None:
    """Delete the alarms of a version. A second call finds none."""
    drop(_names(settings.predict_function(product), function_version))


def firing(settings: Settings, product: str, function_version: str) -> tuple[str, ...]:
    """Return the names of the version's alarms that fire now."""
    names = _names(settings.predict_function(product), function_version)
    found = cloudwatch().describe_alarms(AlarmNames=list(names), StateValue="ALARM")["MetricAlarms"]
    return tuple(sorted(alarm["AlarmName"] for alarm in found))


def guarded(bucket: str, product: str) -> tuple[GuardRecord, ...]:
    """Return what the guard did about a product's alarms, oldest first. Raises ServiceError for what is no record."""
    records = []
    for key in objects.keys(bucket, record_prefix(product), limit=_RECORDS):
        found = objects.read(bucket, key)
        if found is not None:
            try:
                records.append(GuardRecord.from_json(found.body))
            except ValueError as error:
                raise ServiceError(f"s3://{bucket}/{key} is no guard record.", detail=str(error)) from error
    return tuple(sorted(records, key=lambda record: (record.recorded_at, record.id)))


def _names(function: str, version: str) -> tuple[str, str]:
    return f"{function}-v{version}-errors", f"{function}-v{version}-latency"


def topic(settings: Settings, function: str) -> str:
    """Return the topic the guard listens to, in the function's own account and region."""
    arn = lambda_client().get_function_configuration(FunctionName=function)["FunctionArn"]
    _, partition, _, region, account = arn.split(":")[:5]
    topic = f"arn:{partition}:sns:{region}:{account}:{settings.function_prefix}-alarms"
    try:
        sns().get_topic_attributes(TopicArn=topic)
    except sns().exceptions.NotFoundException as error:
        raise ServiceError(
            f"There is no topic {settings.function_prefix}-alarms, so nobody would hear an alarm of {function}.",
            resolution="Deploy the stack first; on a laptop that is `tropism up`.",
        ) from error
    return topic


def _wanted(function: str, version: str, plan: ReleasePlan, topic: str) -> Iterator[dict[str, Any]]:
    """Yield both alarms as CloudWatch takes them, and tells them again."""
    errors, latency = _names(function, version)
    common = {
        "ActionsEnabled": True,
        "AlarmActions": [topic],
        "EvaluationPeriods": 1,
        "TreatMissingData": "notBreaching",
    }
    yield {
        **common,
        "AlarmName": errors,
        "AlarmDescription": f"Version {version} of {function} fails too often.",
        "Metrics": list(_share_of_errors(function, version)),
        "Threshold": plan.ceilings.errors,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    yield {
        **common,
        "AlarmName": latency,
        "AlarmDescription": f"Version {version} of {function} answers too slowly.",
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": _dimensions(function, version),
        "ExtendedStatistic": f"p{100 * (1 - plan.ceilings.slow):.4g}",
        "EvaluateLowSampleCountPercentile": "ignore",
        "Period": _seconds(_PERIOD),
        "Threshold": plan.slow_after / timedelta(milliseconds=1),
        "ComparisonOperator": "GreaterThanThreshold",
    }


def is_as(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Say whether an alarm is as it has to be; written without need, one that fires might be quiet for a while."""
    return all(found.get(name) == value for name, value in wanted.items())


def _share_of_errors(function: str, version: str) -> Iterator[dict[str, Any]]:
    """Yield the metric math: AWS says to divide Errors by Invocations, and few crashes are no share of anything."""
    for identity, metric in (("errors", "Errors"), ("invocations", "Invocations")):
        series = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": _dimensions(function, version)}
        stat = {"Metric": series, "Period": _seconds(_PERIOD), "Stat": "Sum"}
        yield {"Id": identity, "MetricStat": stat, "ReturnData": False}
    expression = f"IF(errors >= {_LEAST_CRASHES}, errors / invocations, 0)"
    yield {"Id": "share", "Label": "share of crashes", "Expression": expression, "ReturnData": True}


def _dimensions(function: str, version: str) -> list[dict[str, str]]:
    named = {"FunctionName": function, "Resource": f"{function}:{ALIAS}", "ExecutedVersion": version}
    return [{"Name": name, "Value": value} for name, value in named.items()]


def _standing(function: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the alarms there are of any version; another product's function may begin with the same letters."""
    ours = re.compile(re.escape(function) + r"-v[1-9][0-9]*-(errors|latency)")
    for page in cloudwatch().get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{function}-v"):
        yield from ((alarm["AlarmName"], alarm) for alarm in page["MetricAlarms"] if ours.fullmatch(alarm["AlarmName"]))


def drop(names: Iterable[str]) -> None:
    """Delete alarms. A second call finds none."""
    for name in names:
        try:
            cloudwatch().delete_alarms(AlarmNames=[name])
        except cloudwatch().exceptions.ResourceNotFound:
            continue


def _seconds(period: timedelta) -> int:
    return int(period.total_seconds())
