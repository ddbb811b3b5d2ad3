# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""What an alarm tells SNS, in AWS's spelling, and how SNS hands it to a function: asynchronously, with retries.

Used by the patch `alarms`; other kinds of actions are stored and never carried out.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudwatch, lambda_svc, sns

_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def dispatch(alarm: Mapping[str, Any], before: str, state: str, reason: str) -> None:
    """Publish a change of state to the topics the alarm names for it."""
    if not alarm.get("ActionsEnabled", True):
        return
    topics = [arn for arn in alarm.get(_ACTIONS.get(state, "")) or () if cloudwatch._is_sns_action_arn(arn)]
    text = json.dumps(message(alarm, before, state, reason))
    subject = f'{state}: "{alarm["AlarmName"]}" in {get_region()}'[:100]
    for topic in topics:
        sns._fanout(topic, new_uuid(), text, subject)


def message(alarm: Mapping[str, Any], before: str, state: str, reason: str) -> dict[str, Any]:
    """Return the message as AWS writes it: dimensions in small letters, times with an offset."""
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription") or None,
        "AWSAccountId": get_account_id(),
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.get("AlarmConfigurationUpdatedTimestamp")),
        "NewStateValue": state,
        "NewStateReason": reason,
        "StateChangeTime": _time(None),
        "Region": get_region(),
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": before,
        **{field: alarm.get(field) or [] for field in ("OKActions", "AlarmActions", "InsufficientDataActions")},
        "Trigger": _trigger(alarm),
    }


def _trigger(alarm: Mapping[str, Any]) -> dict[str, Any]:
    common = {
        "Period": alarm.get("Period", 60),
        "EvaluationPeriods": alarm.get("EvaluationPeriods", 1),
        "DatapointsToAlarm": alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods", 1),
        "ComparisonOperator": alarm.get("ComparisonOperator", ""),
        "Threshold": alarm.get("Threshold", 0.0),
        "TreatMissingData": alarm.get("TreatMissingData") or "",
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile") or "",
    }
    if queries := alarm.get("Metrics"):
        return {**common, "Period": 60, "Metrics": [_query(query) for query in queries]}
    extended = alarm.get("ExtendedStatistic")
    statistic = (
        {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": extended}
        if extended
        else {"StatisticType": "Statistic", "Statistic": str(alarm.get("Statistic", "")).upper()}
    )
    series = {"MetricName": alarm["MetricName"], "Namespace": alarm["Namespace"], "Unit": alarm.get("Unit")}
    return {**series, **statistic, "Dimensions": _small(alarm.get("Dimensions")), **common}


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    if "MetricStat" not in query:
        return {"ReturnData": True, **query}
    stat = query["MetricStat"]
    metric = {**stat["Metric"], "Dimensions": _small(stat["Metric"].get("Dimensions"))}
    return {"ReturnData": True, **query, "MetricStat": {**stat, "Metric": metric}}


def _small(dimensions: Any) -> list[dict[str, str]]:
    return [{"value": one["Value"], "name": one["Name"]} for one in dimensions or ()]


def _time(seconds: float | None) -> str:
    at = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def asynchronously(original: Callable[..., None]) -> Callable[..., None]:
    """SNS invokes a function once and drops what fails; AWS hands it to Lambda, which tries three times."""

    @functools.wraps(original)
    def delivered(endpoint: str, envelope: str, topic_arn: str, subscription: str, *rest: Any) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(endpoint)
        if not function or not config:
            original(endpoint, envelope, topic_arn, subscription, *rest)  # says that there is none
            return
        record = {"EventVersion": "1.0", "EventSubscriptionArn": subscription, "EventSource": "aws:sns"}
        event = {"Records": [{**record, "Sns": json.loads(envelope)}]}
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)

    return delivered
