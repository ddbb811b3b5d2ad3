"""Requests, answer times and failures by the hour, from the sums of the prediction log. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from lifecycle.charts import Chart, Limit, Series, Tone, number, percent, toned
from lifecycle.log_part import HOUR, hour_of
from lifecycle.page import Empty, Fact, Panel
from lifecycle.page_source import Source
from lifecycle.sketch import Latency, Sketch
from lifecycle.sketching import NO_BUNDLE

# A week shows every weekday; before it, the looks tell.
SHOWN = timedelta(days=7)
_MODELS = 4
_QUANTILES = {"median": 0.5, "95 of 100": 0.95, "99 of 100": 0.99}
Hours = Mapping[datetime, Mapping[str, Sketch]]


def panel(source: Source) -> Panel:
    """Return the traffic of the last week, by hour and model."""
    hours = _hours(source)
    if not any(one.requests for found in hours.values() for one in found.values()):
        missing = "No request was answered within a week, or the log was not summed up yet."
        return Panel("traffic", "Traffic", empty=Empty(missing, f"tropism monitor {source.name}"))
    every = [one for found in hours.values() for one in found.values()]
    places = _places(hours, source.now)
    return Panel(
        "traffic",
        "Traffic",
        "Live requests of the last seven days; what was replayed or smoke-tested is not among them.",
        facts=_facts(every),
        charts=(_requests(source, hours, places), _latency(source, hours, places), _failures(source, hours, places)),
    )


def _hours(source: Source) -> Hours:
    """Return the sums by the hour of the answer and the bundle."""
    since, found = source.now - SHOWN, dict[datetime, dict[str, Sketch]]()
    for part in source.parts:
        for one in part.sketches:
            if one.hour >= hour_of(since):
                kept = found.setdefault(one.hour, {})
                before = kept.get(one.sketch.bundle)
                kept[one.sketch.bundle] = before.merged(one.sketch) if before else one.sketch
    return found


def _places(hours: Hours, now: datetime) -> tuple[datetime, ...]:
    """Return every hour from the first request to now, so that silence is seen."""
    first = min(hours)
    return tuple(first + HOUR * step for step in range(int((hour_of(now) - first) / HOUR) + 1))


def _requests(source: Source, hours: Hours, places: tuple[datetime, ...]) -> Chart:
    totals: dict[str, int] = {}
    for found in hours.values():
        for bundle, one in found.items():
            totals[bundle] = totals.get(bundle, 0) + one.requests
    named, shown = source.versions(), sorted(totals, key=lambda one: -totals[one])[:_MODELS]
    series = [
        Series(_named(bundle, named), tuple(_count(hours, at, bundle) for at in places), toned(order))
        for order, bundle in enumerate(shown)
    ]
    if len(totals) > len(shown):
        rest = [one for one in totals if one not in shown]
        values = tuple(float(sum(_count(hours, at, one) for one in rest)) for at in places)
        series.append(Series("other models", values, "muted"))
    caption = "Each bar is one hour; its colours are the models that answered."
    return Chart("stacked", "Requests", "time (UTC)", "requests per hour", places, tuple(series), caption)


def _named(bundle: str, named: Mapping[str, str]) -> str:
    if bundle == NO_BUNDLE:
        return "no model"
    return f"model {named[bundle]}" if bundle in named else f"bundle {bundle[:8]}"


def _count(hours: Hours, at: datetime, bundle: str) -> float:
    found = hours.get(at, {}).get(bundle)
    return float(found.requests) if found else 0.0


def _latency(source: Source, hours: Hours, places: tuple[datetime, ...]) -> Chart:
    slow = source.product.monitor.serving.slow_after / timedelta(milliseconds=1)
    sums = {at: _timed(found) for at, found in hours.items()}
    series = tuple(
        Series(name, tuple(_quantile(sums.get(at), share) for at in places), toned(order))
        for order, (name, share) in enumerate(_QUANTILES.items())
    )
    caption = "What so many of a hundred requests stayed within, cold starts included; right within 2 %."
    limit = Limit("slow after", slow, "warn")
    return Chart("lines", "Answer time", "time (UTC)", "milliseconds", places, series, caption, (limit,))


def _timed(found: Mapping[str, Sketch]) -> Latency:
    total = Latency()
    for one in found.values():
        total = total.merged(one.latency)
    return total


def _quantile(found: Latency | None, share: float) -> float | None:
    value = found.quantile(share) if found is not None else math.nan
    return round(value, 3) if math.isfinite(value) else None


def _failures(source: Source, hours: Hours, places: tuple[datetime, ...]) -> Chart:
    limits = source.product.monitor.serving
    counted: dict[str, Callable[[Sketch], int]] = {
        "failed": lambda one: one.failed,
        "refused": lambda one: one.refused,
        "cold starts": lambda one: one.cold,
    }
    tones: tuple[Tone, ...] = ("first", "second", "muted")
    series = tuple(
        Series(name, tuple(_share(hours.get(at), count) for at in places), tone)
        for (name, count), tone in zip(counted.items(), tones, strict=True)
    )
    caption = "Failed: status 500 and above. Refused: rows that broke the contract. Gaps are hours without a request."
    marks = (
        Limit("too many failed", 100 * limits.errors.breach, "bad"),
        Limit("too many refused", 100 * limits.refused.breach, "warn"),
    )
    return Chart("lines", "Errors and refusals", "time (UTC)", "share of requests (%)", places, series, caption, marks)


def _share(found: Mapping[str, Sketch] | None, count: Callable[[Sketch], int]) -> float | None:
    requests = sum(one.requests for one in (found or {}).values())
    return 100 * sum(count(one) for one in (found or {}).values()) / requests if requests else None


def _facts(every: list[Sketch]) -> tuple[Fact, ...]:
    requests, failed = sum(one.requests for one in every), sum(one.failed for one in every)
    timed = _timed({str(at): one for at, one in enumerate(every)})
    cold = sum(one.cold for one in every)
    return (
        Fact("Requests", number(requests), f"{sum(one.rows for one in every):,} rows answered"),
        Fact("Failed", percent(failed / requests if requests else None), f"{failed:,} requests"),
        Fact("Refused", number(sum(one.refused for one in every)), "broke the contract"),
        Fact("Median", f"{number(_quantile(timed, 0.5))} ms", f"95 of 100 within {number(_quantile(timed, 0.95))} ms"),
        Fact("Cold starts", percent(cold / requests if requests else None), f"{cold:,} requests"),
    )
