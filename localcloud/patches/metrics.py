# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""AWS/Lambda metrics as AWS dimensions them: by function, by version or alias, and by alias and the version drawn.

ministack counts Invoke alone, by function name alone, and counts a throttled request as an invocation. With the patch
whatever runs a function is counted where it runs, function URLs too. Points are a second wide while there are few of
them; AWS's are a minute wide, so code that asks for parts of a minute works here only.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

import functools
import inspect
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import cloudwatch, lambda_svc

from localcloud.patches.registry import Patch

Dimensions = tuple[tuple[str, str], ...]

_KEPT = 5_000
"""Points of one series; more become a point a minute, and then the newest half is kept: 1.5 MB at most."""
_STEP = math.log(1.01)
"""Durations are kept to one percent, which bounds how many different ones a second can hold."""
_asked: ContextVar[tuple[str, str]] = ContextVar("asked_for", default=("", ""))
"""The function and the qualifier that were asked for, before an alias becomes a version."""


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="metrics by version",
        lack="AWS/Lambda metrics know no Resource and no ExecutedVersion",
        needed=lambda: "ExecutedVersion" not in inspect.getsource(lambda_svc._emit_lambda_metrics),
        apply=_apply,
    )


@dataclass(frozen=True)
class Observation:
    """One number to be counted. `second` is when the function was invoked, as AWS dates its errors too."""

    account_id: str
    region: str
    metric: str
    dimensions: Dimensions
    second: int
    value: float


class Tally:
    """Counts observations on any thread; `flush` hands them to ministack's store, which one thread alone may touch."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._counts: Counter[Observation] = Counter()

    def add(self, observations: Iterator[Observation]) -> None:
        """Count."""
        with self._lock:
            self._counts.update(observations)

    def flush(self) -> None:
        """Move what was counted to the store. Call it on the thread that serves requests."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        for seen, count in sorted(counts.items(), key=lambda item: item[0].second):
            with request_scope(seen.account_id, seen.region):
                key = ("AWS/Lambda", seen.metric, cloudwatch._dims_key(dict(seen.dimensions)))
                cloudwatch._metric_bucket(key).append(_point(seen, count))
                if len(cloudwatch._metrics[key]) > _KEPT:
                    cloudwatch._metrics[key] = merged(cloudwatch._metrics[key])


TALLY = Tally()


def merged(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one point a minute and value, the newest half of what is kept."""
    minutes: dict[tuple[float, float], dict[str, Any]] = {}
    for point in points:
        minute = point["Timestamp"] // 60 * 60
        known = minutes.setdefault((minute, point["Value"]), {**point, "Timestamp": minute, "Count": 0.0})
        known["Count"] += point.get("Count", 1.0)
    return [minutes[key] for key in sorted(minutes)][-_KEPT // 2 :]


def dimensions(function: str, version: str, qualifier: str, *, is_alias: bool) -> tuple[Dimensions, ...]:
    """Return the sets of dimensions one invocation is counted under; `qualifier` is empty when none was asked for."""
    name = ("FunctionName", function)
    asked = qualifier or ("" if version == "$LATEST" else version)
    resource = ("Resource", f"{function}:{asked}" if asked else function)
    sets: tuple[Dimensions, ...] = ((name,), (name, resource))
    return (*sets, (name, resource, ("ExecutedVersion", version))) if is_alias else sets


def _apply() -> None:
    lambda_svc._invoke = _remembering_invoke(lambda_svc._invoke)
    lambda_svc.handle_function_url_request = _remembering_url(lambda_svc.handle_function_url_request)
    lambda_svc._execute_function = _measured(lambda_svc._execute_function)
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None
    cloudwatch._evict_old_metrics = _flushing(cloudwatch._evict_old_metrics)
    cloudwatch.get_state = _flushing(cloudwatch.get_state)


def _remembering_invoke(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def remembered(
        name: str,
        event: Any,
        headers: dict[str, str],
        path_qualifier: str | None = None,
        query_params: dict[str, Any] | None = None,
    ) -> Any:
        qualifier = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier")
        token = _asked.set((name, qualifier or lambda_svc._qp_first(headers, "x-amz-qualifier") or ""))
        try:
            return await original(name, event, headers, path_qualifier, query_params)
        finally:
            _asked.reset(token)

    return remembered


def _remembering_url(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def remembered(url_id: str, *args: Any, resolved: Any = None, **more: Any) -> Any:
        found = resolved or lambda_svc.resolve_function_url(url_id)
        token = _asked.set((found[2], found[3] or "") if found else ("", ""))
        try:
            return await original(url_id, *args, resolved=found, **more)
        finally:
            _asked.reset(token)

    return remembered


def _measured(original: Callable[..., Any]) -> Callable[..., Any]:
    """Every way to run a function ends here, once its version is known."""

    @functools.wraps(original)
    def measured(func: dict[str, Any], event: Any) -> Any:
        config = func.get("config") or func
        if lambda_svc._function_config_scope_mismatch(config):
            return original(func, event)  # it comes back here under the function's own account
        started, result = time.time(), {"error": True}
        try:
            result = original(func, event)
        finally:
            TALLY.add(_observed(config, result, started, (time.time() - started) * 1000))
        return result

    return measured


def _observed(
    config: dict[str, Any], result: dict[str, Any], started: float, milliseconds: float
) -> Iterator[Observation]:
    name, version = config.get("FunctionName", "unknown"), config.get("Version", "$LATEST")
    asked_name, asked = _asked.get()
    qualifier = asked if asked_name == name else ""
    aliases = (lambda_svc._functions.get(name) or {}).get("aliases", {})
    throttled = bool(result.get("throttle"))
    values = {"Throttles": float(throttled)}
    if not throttled:
        duration = math.exp(round(math.log(max(milliseconds, 0.01)) / _STEP) * _STEP)
        values |= {"Invocations": 1.0, "Errors": float(bool(result.get("error"))), "Duration": round(duration, 2)}
    for where in dimensions(name, version, qualifier, is_alias=qualifier in aliases):
        for metric, value in values.items():
            yield Observation(get_account_id(), get_region(), metric, where, int(started), value)


def _point(seen: Observation, count: int) -> dict[str, Any]:
    return {
        "Timestamp": float(seen.second),
        "Value": seen.value,
        "Count": float(count),
        "Unit": "Milliseconds" if seen.metric == "Duration" else "Count",
        "Dimensions": dict(seen.dimensions),
    }


def _flushing(original: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(original)
    def flushed() -> Any:
        TALLY.flush()
        return original()

    return flushed
