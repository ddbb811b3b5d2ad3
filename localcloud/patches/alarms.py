# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""Alarms that watch the series they name, look at it every second, and tell SNS in AWS's words.

ministack takes every series of a metric's name for one, looks only when PutMetricData is called, knows no missing data
and no metric math, and spells dimensions in its messages as no AWS message does. AWS looks every minute; a window here
slides by the second, so an alarm comes sooner and on the same numbers.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import functools
import inspect
import logging
import operator
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ministack.app as gateway
from ministack.core.responses import request_scope
from ministack.services import cloudwatch, sns

from localcloud.patches import metrics, notices
from localcloud.patches.arithmetic import UnknownMathError, computed
from localcloud.patches.registry import Patch

log = logging.getLogger("tropism.alarms")

_EVERY_SECONDS = 1.0
_HIGH_RESOLUTION = (10, 20, 30)
_MINUTE = 60
_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_KEPT_BESIDE = ("Metrics", "EvaluateLowSampleCountPercentile")
"""What PutMetricAlarm takes and ministack drops."""
_ENOUGH = 10
"""A percentile p needs 10/(1-p) samples, below the median 10/p, for `ignore` to look at it."""


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="alarms",
        lack="an alarm ignores its dimensions and missing data, and looks only when metrics are put",
        needed=lambda: "Dimensions" not in inspect.getsource(cloudwatch._evaluate_alarm),
        apply=_apply,
    )


def _apply() -> None:
    cloudwatch._put_metric_alarm = _whole(cloudwatch._put_metric_alarm)
    cloudwatch._evaluate_alarm = evaluate
    cloudwatch._dispatch_alarm_actions = notices.dispatch
    sns._deliver_to_lambda = notices.asynchronously(sns._deliver_to_lambda)
    threading.Thread(target=_tick, daemon=True, name="tropism-alarms").start()


def evaluate(alarm: dict[str, Any]) -> None:
    """Bring an alarm to the state its data says, and tell whoever wants to know when that is another one."""
    if not alarm.get("MetricName") and not alarm.get("Metrics"):
        return
    now = time.time()
    periods = [observed(alarm, now, back) for back in range(alarm.get("EvaluationPeriods", 1))]
    state, before = judged(alarm, periods), alarm["StateValue"]
    if state is None or state == before or _too_few(alarm, now):
        return
    found = ", ".join("missing" if value is None else f"{value:g}" for value in periods)
    threshold = f"{alarm.get('ComparisonOperator')} {alarm.get('Threshold', 0)}"
    reason = f"Threshold Crossed: datapoints [{found}] (newest first) against {threshold}."
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(now))
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def judged(alarm: dict[str, Any], periods: Sequence[float | None]) -> str | None:
    """Return the state that the periods' values mean, newest first, or None when the state is to stay."""
    treat, breaches = alarm.get("TreatMissingData") or "missing", _BREACHES[alarm["ComparisonOperator"]]
    if all(value is None for value in periods):
        return {"notBreaching": "OK", "breaching": "ALARM", "ignore": None}.get(treat, "INSUFFICIENT_DATA")
    breaching = [treat == "breaching" if value is None else breaches(value, alarm["Threshold"]) for value in periods]
    wanted = alarm.get("DatapointsToAlarm") or len(periods)
    if treat in ("missing", "ignore"):  # what is there decides, as if AWS had looked further back for more of it
        wanted = min(wanted, sum(value is not None for value in periods))
    return "ALARM" if sum(breaching) >= wanted else "OK"


def observed(alarm: dict[str, Any], now: float, back: int) -> float | None:
    """Return the alarm's value over the period that ended `back` periods ago, or None without data."""
    if not alarm.get("Metrics"):
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return _value(_points(alarm, now, back), statistic)
    values: dict[str, float | None] = {}
    for query in alarm["Metrics"]:
        if "MetricStat" in query:
            stat = query["MetricStat"]
            values[query["Id"]] = _value(_points({**stat["Metric"], "Period": stat["Period"]}, now, back), stat["Stat"])
    (answer,) = [query for query in alarm["Metrics"] if query.get("ReturnData", True)]
    return computed(answer["Expression"], values) if "Expression" in answer else values[answer["Id"]]


def refusal(request: dict[str, Any]) -> str | None:
    """Return what AWS says to an alarm it does not take, or None."""
    queries = request.get("Metrics") or []
    periods = [query["MetricStat"]["Period"] for query in queries if "MetricStat" in query] or [
        request.get("Period", 60)
    ]
    if any(period not in _HIGH_RESOLUTION and (period < _MINUTE or period % _MINUTE) for period in periods):
        return f"Period must be 10, 20, 30 or a multiple of 60, found {periods}"
    if (request.get("DatapointsToAlarm") or 1) > request.get("EvaluationPeriods", 1):
        return "DatapointsToAlarm cannot be greater than EvaluationPeriods"
    if request.get("ComparisonOperator") not in _BREACHES:
        return f"ComparisonOperator {request.get('ComparisonOperator')!r} is not emulated"
    if queries and sum(bool(query.get("ReturnData", True)) for query in queries) != 1:
        return "Exactly one element of the metrics list should return data"
    try:
        known = {query["Id"]: 1.0 for query in queries if "MetricStat" in query}
        for query in queries:
            if "Expression" in query:
                computed(query["Expression"], known)
    except UnknownMathError as error:
        return str(error)
    return None


def _whole(original: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what upstream drops, and look at the alarm once all of it is known."""

    @functools.wraps(original)
    def put(params: Any, body: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:  # noqa: FBT001, FBT002
        if why := refusal(body) if body else None:
            return cloudwatch._error("ValidationError", why, 400, use_json=is_json, use_cbor=is_cbor)
        answer = original(params, {**body, "AlarmActions": body.get("AlarmActions", [])}, is_cbor, is_json)
        if (alarm := cloudwatch._alarms.get(body.get("AlarmName", ""))) and body:
            alarm.update({name: body[name] for name in _KEPT_BESIDE if name in body})
            evaluate(alarm)
        return answer

    return put


def _points(series: dict[str, Any], now: float, back: int) -> list[dict[str, Any]]:
    period, wanted = series.get("Period", _MINUTE), cloudwatch._dims_from_list(series.get("Dimensions") or [])
    end = now - back * period
    points = cloudwatch._metrics.get((series["Namespace"], series["MetricName"], cloudwatch._dims_key(wanted)), ())
    return [point for point in points if end - period <= point["Timestamp"] <= end]


def _value(points: list[dict[str, Any]], statistic: str) -> float | None:
    stats = cloudwatch._calc_stats(points)
    return cloudwatch._stat_value(stats, statistic, points) if stats else None


def _too_few(alarm: dict[str, Any], now: float) -> bool:
    statistic = alarm.get("ExtendedStatistic") or ""
    if alarm.get("EvaluateLowSampleCountPercentile") != "ignore" or not cloudwatch._is_percentile_stat(statistic):
        return False
    share = float(statistic[1:]) / 100
    periods = alarm.get("EvaluationPeriods", 1)
    points = [point for back in range(periods) for point in _points(alarm, now, back)]
    samples = cloudwatch._calc_stats(points).get("SampleCount", 0.0)
    return bool(0 < samples < _ENOUGH / min(share, 1 - share))


def _tick() -> None:
    """Look at every alarm on the thread that serves requests, which is the only one that touches the store."""
    while True:
        time.sleep(_EVERY_SECONDS)
        if gateway._MAIN_LOOP is not None:
            gateway._MAIN_LOOP.call_soon_threadsafe(_look)


def _look() -> None:
    metrics.TALLY.flush()
    for account_id, region in {key[:2] for key, _ in cloudwatch._alarms.all_items()}:
        with request_scope(account_id, region):
            for alarm in cloudwatch._alarms.values():
                try:
                    evaluate(alarm)
                except Exception:
                    log.exception("alarm.unjudged name=%s", alarm.get("AlarmName"))
