"""Keep as many environments of a product's versions ready as its traffic asks for, within what the product allows.

How many is `lifecycle/capacity.py`; the number is written on the function first and brought about after, so that a run
that dies between the two is finished by the next one. It asks nobody and fails nothing: a look goes on without it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from lifecycle.capacity import Fit, Minute, fit, rise
from lifecycle.errors import TropismError
from lifecycle.settings import Settings
from lifecycle.spec import Product
from tasks import control, traffic_alarm, warmth
from tasks.metrics import Metric, points
from tasks.step import note

_MINUTE = 60
_MILLISECONDS = 60_000.0  # of a minute
_ACTING = ("raise", "lower", "keep")


def adapt(settings: Settings, product: Product, now: datetime) -> Fit:
    """Raise or lower a product's environments as its policy says, and read back what was asked for.

    A second call changes nothing. Never raises: what could not be read or set is `cannot_judge`, with a warning.
    """
    try:
        found = _adapted(settings, product, now)
    except (ClientError, BotoCoreError, TropismError) as error:
        found = Fit("cannot_judge", 0, f"{type(error).__name__}: {str(error)[:300]}")
    level = logging.WARNING if found.verdict in ("cannot_judge", "excluded") else logging.INFO
    note(
        "capacity.fitted",
        level=level,
        product=product.name,
        verdict=found.verdict,
        wanted=found.wanted,
        reason=found.reason,
    )
    return found


def _adapted(settings: Settings, product: Product, now: datetime) -> Fit:
    startup = warmth.startup_of(warmth.mould_of(settings))
    current = warmth.wanted_of(settings, product.name)
    minutes = _minutes(settings, product, now) if product.capacity.most else None
    found = fit(product.capacity, startup, current, minutes, now)
    done = _brought_about(settings, product, found, current, startup.provisioned) if found.verdict in _ACTING else found
    traffic_alarm.ensure(settings, product.name, rise(product.capacity, startup, found.wanted))
    return done


def _brought_about(settings: Settings, product: Product, found: Fit, current: int, least: int) -> Fit:
    if found.wanted != current:
        warmth.want(settings, product.name, found.wanted if found.wanted > least else 0)
    record = control.read(settings.bucket, product.name).record
    places = (record.champion, record.challenger)
    serving = frozenset(place.function_version for place in places if place and place.function_version)
    warmth.settle(settings, product.name, serving)
    return _read_back(settings, product.name, found, serving)


def _read_back(settings: Settings, product: str, found: Fit, serving: frozenset[str]) -> Fit:
    """Return the decision if Lambda took it, else what it says instead."""
    there = warmth.requested(settings, product)
    expected = dict.fromkeys(serving, found.wanted) if found.wanted else {}
    wrong = {number: told for number, told in there.items() if told[1] == "FAILED" or expected.get(number) != told[0]}
    absent = sorted(expected.keys() - there.keys())
    if not wrong and not absent:
        return found
    told = [f"version {number} has {count}, {status}" for number, (count, status) in sorted(wrong.items())]
    told += [f"version {number} has none" for number in absent]
    reason = f"Lambda does not keep {found.wanted} environments ready: {'; '.join(told)}"
    return replace(found, verdict="cannot_judge", reason=reason)


def _minutes(settings: Settings, product: Product, now: datetime) -> tuple[Minute, ...] | None:
    """Return how many requests were worked on at once, by minute: the time they took, over the minute's length."""
    duration = Metric("AWS/Lambda", "Duration", {"FunctionName": settings.predict_function(product.name)})
    try:
        found = points(duration, "Sum", now - product.capacity.calm, now, _MINUTE)
    except (ClientError, BotoCoreError) as error:
        note("metrics.unknown", level=logging.WARNING, product=product.name, error=str(error)[:300])
        return None
    return tuple(Minute(at, milliseconds / _MILLISECONDS) for at, milliseconds in found)
