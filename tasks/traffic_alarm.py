"""The alarm that a product's traffic outgrows what is kept ready for it, so that a look comes at once, not by the hour.

It moves no traffic: the guard tells of it, and the look that follows raises what is kept ready (`tasks/capacity.py`).
"""

from __future__ import annotations

from typing import Any

from lifecycle.notices import RISE
from lifecycle.settings import Settings
from tasks import alarms
from tasks.clients import cloudwatch

_MINUTE = 60
_MILLISECONDS = 60_000.0  # of a minute


def ensure(settings: Settings, product: str, at_once: float | None) -> None:
    """Let an alarm fire when a minute's requests were more than `at_once` at once; None: there is to be no alarm.

    A second call changes nothing. Another number makes a new alarm: one that fires already would say nothing when it
    is changed, and a traffic that goes on rising has to be told again. Raises ServiceError when nobody would hear it.
    """
    function = settings.predict_function(product)
    name = f"{function}{RISE}"
    found = cloudwatch().describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if at_once is None:
        alarms.drop([name] if found else [])
        return
    wanted = _alarm(name, function, at_once, alarms.topic(settings, function))
    if found and alarms.is_as(wanted, found[0]):
        return
    alarms.drop([name] if found else [])
    cloudwatch().put_metric_alarm(**wanted)


def _alarm(name: str, function: str, at_once: float, topic: str) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmDescription": f"More is asked of {function} than it is kept ready for.",
        "ActionsEnabled": True,
        "AlarmActions": [topic],
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
        "Statistic": "Sum",
        "Period": _MINUTE,
        "EvaluationPeriods": 1,
        "Threshold": at_once * _MILLISECONDS,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
