"""How AWS spells a fired alarm in an SNS message, read by the dimensions of what it watches.

Text in, a frozen value out, never an exception. Standard library only, because the guard starts with nothing else.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lifecycle.guarding import Alarm, Rise

_FIRING = "ALARM"
RISE = "-traffic"
"""How the name of an alarm about a whole function's traffic ends, after the function's own."""


@dataclass(frozen=True)
class NotOurs:
    """A message that asks the guard for nothing, and why."""

    reason: str


def read_alarm(text: object) -> Alarm | Rise | NotOurs:
    """Read one message. Metric math names its series inside; they must all be about the same version."""
    try:
        body = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return NotOurs("The message is no JSON object.")
    name, at = body.get("AlarmName"), body.get("StateChangeTime")
    if not isinstance(name, str) or not isinstance(at, str):
        return NotOurs("The message has no AlarmName or no StateChangeTime.")
    if body.get("NewStateValue") != _FIRING:
        return NotOurs(f"Alarm {name} is {body.get('NewStateValue')}, not {_FIRING}.")
    series = list(_series(body.get("Trigger")))
    reason = body.get("NewStateReason")
    told = reason if isinstance(reason, str) else ""
    if name.endswith(RISE) and [dimensions for _, dimensions in series] == [{"FunctionName": name.removesuffix(RISE)}]:
        return Rise(name, name.removesuffix(RISE), at, told)
    versions = {_watched(dimensions) for _, dimensions in series}
    watched = versions.pop() if len(versions) == 1 else None
    if watched is None:
        return NotOurs(f"Alarm {name} is not about one version behind one function's alias.")
    metric = "+".join(sorted({metric for metric, _ in series}))
    return Alarm(name, *watched, metric, at, told)


def _series(trigger: object) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the metrics an alarm looks at, with their dimensions."""
    if not isinstance(trigger, dict):
        return
    queries = trigger.get("Metrics")
    found = [trigger] if not isinstance(queries, list) else [_metric(query) for query in queries]
    for series in found:
        if series is not None:
            yield str(series.get("MetricName")), _dimensions(series.get("Dimensions"))


def _metric(query: object) -> Mapping[str, object] | None:
    stat = query.get("MetricStat") if isinstance(query, dict) else None
    metric = stat.get("Metric") if isinstance(stat, dict) else None
    return metric if isinstance(metric, dict) else None


def _dimensions(found: object) -> Mapping[str, str]:
    items = found if isinstance(found, list) else []
    return {str(item.get("name")): str(item.get("value")) for item in items if isinstance(item, dict)}


def _watched(dimensions: Mapping[str, str]) -> tuple[str, str] | None:
    """Return function and version when the series is of requests that came through an alias of the function."""
    function, version = dimensions.get("FunctionName", ""), dimensions.get("ExecutedVersion", "")
    through = dimensions.get("Resource", "").startswith(f"{function}:")
    return (function, version) if function and version and through else None
