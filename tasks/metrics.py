"""Sums of CloudWatch metrics over any time. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tasks.clients import cloudwatch

_HOUR = 3_600  # seconds: what CloudWatch still tells of a time that is more than two months ago


@dataclass(frozen=True)
class Metric:
    """A metric of one thing."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


def total(metric: Metric, since: datetime, until: datetime) -> float | None:
    """Return a metric's sum by whole hours, the first and the last one included; None when there is no point of it.

    Raises botocore's ClientError or BotoCoreError when CloudWatch does not answer.
    """
    values = [value for _, value in points(metric, "Sum", since, until, _HOUR)]
    return sum(values) if values else None


def points(
    metric: Metric, statistic: str, since: datetime, until: datetime, period: int
) -> tuple[tuple[datetime, float], ...]:
    """Return a metric's points, the oldest first; `period` in seconds, a multiple of 60."""
    begin = datetime.fromtimestamp(since.timestamp() // period * period, UTC)
    asked = query("asked", metric, statistic, period)
    pages = cloudwatch().get_paginator("get_metric_data")
    found: list[tuple[datetime, float]] = []
    for page in pages.paginate(MetricDataQueries=[asked], StartTime=begin, EndTime=until + timedelta(seconds=period)):
        for series in page["MetricDataResults"]:
            found += zip(series["Timestamps"], series["Values"], strict=True)
    return tuple(sorted(found))


def query(identity: str, metric: Metric, statistic: str, period: int) -> dict[str, object]:
    """Return what GetMetricData is asked; `identity` names the answer, `period` is in seconds, a multiple of 60."""
    return {
        "Id": identity,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
            },
            "Period": period,
            "Stat": statistic,
        },
    }
