"""Everything the page about a product is made from, read from the bucket, and what its work used, from whoever counts.

It decides nothing and writes nothing.

Bounded: the newest deliveries, and looks evenly chosen from the last weeks; the page says what it left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from lifecycle.batch import delivery_key
from lifecycle.delivery import Delivery
from lifecycle.errors import BundleError, ReleaseError
from lifecycle.log_part import HOUR, LogPart, gather, hour_of, part_key, parts_prefix
from lifecycle.looks import Look, look_key, looks_prefix
from lifecycle.page_source import Source
from lifecycle.page_traffic import SHOWN
from lifecycle.settings import Settings
from lifecycle.spec import Product
from tasks import control, ledger, monitoring, objects
from tasks.clients import s3
from tasks.predictions import LATE
from tasks.summaries import Model
from tasks.usage import measure_cost

# As many points as a chart a hand wide can tell apart, four weeks back.
_LOOKS, _LOOKED_BACK = 120, timedelta(days=28)
# Two months of hourly deliveries, the newest of them.
_DELIVERIES = 1_000
_MANY, _READERS = 1_000_000, 16
One = TypeVar("One")


def read_source(settings: Settings, product: Product, now: datetime) -> Source:
    """Return everything known of a product at a moment. A model whose bundle cannot be opened is a fault, told."""
    bucket, name = settings.bucket, product.name
    place = monitoring.place_of(settings, product, now)
    model, fault = _model(place)
    parts = _parts(bucket, name, now - max(SHOWN, product.monitor.reach) - LATE, now)
    policy, known = product.monitor, model is not None and model.reference is not None
    kept, looked = _looks(bucket, name, now)
    found, delivered = _deliveries(bucket, name)
    return Source(
        product=product,
        now=now,
        record=control.read(bucket, name).record,
        entries=ledger.entries(bucket, name),
        deliveries=found,
        delivered=delivered,
        looks=kept,
        looked=looked,
        watch=monitoring.read_watch(bucket, name),
        parts=parts,
        reference=model.reference if model else None,
        window=gather(parts, monitoring.start_of(model), policy.window, policy, now) if model and known else None,
        fault=fault,
        bill=measure_cost(settings, name, now - _LOOKED_BACK, now),
    )


def _model(place: monitoring.Place) -> tuple[Model | None, str]:
    """Return the model that serves, and why it cannot be opened; neither when nothing serves."""
    try:
        return monitoring.champion_of(place)[1], ""
    except ReleaseError:
        return None, ""
    except BundleError as error:
        return None, str(error)


def _parts(bucket: str, product: str, since: datetime, now: datetime) -> tuple[LogPart, ...]:
    """Return the sums of every hour of delivery, the newest first; an hour without any is an empty one."""
    count = int((hour_of(now) - hour_of(since)) / HOUR) + 1
    hours = [hour_of(now) - HOUR * step for step in range(count)]
    listed = set(objects.keys(bucket, parts_prefix(product), limit=_MANY))
    wanted = [hour for hour in hours if part_key(product, hour) in listed]
    bodies = _read(bucket, [part_key(product, hour) for hour in wanted], LogPart.model_validate_json)
    known = {part.hour: part for part in bodies}
    return tuple(known.get(hour) or LogPart(hour=hour, listing="") for hour in hours)


def _looks(bucket: str, product: str, now: datetime) -> tuple[tuple[Look, ...], int]:
    """Return looks of the last weeks, oldest first, evenly chosen, the newest among them; and how many there are."""
    first, last = look_key(product, now - _LOOKED_BACK), look_key(product, now)
    keys = [one for one in objects.keys(bucket, looks_prefix(product), limit=_MANY) if first <= one <= last]
    step = max(1, -(-len(keys) // _LOOKS))
    return _read(bucket, keys[::-step][::-1], Look.model_validate_json), len(keys)


def _deliveries(bucket: str, product: str) -> tuple[tuple[Delivery, ...], int]:
    """Return the deliveries changed last, the newest claim first, and how many there are in all."""
    prefix = delivery_key(product, "").removesuffix(".json")
    pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listed = sorted((item["LastModified"], item["Key"]) for page in pages for item in page.get("Contents", []))
    found = _read(bucket, [key for _, key in listed[-_DELIVERIES:]], Delivery.model_validate_json)
    return tuple(sorted(found, key=lambda one: (one.claimed_at, one.delivery_id), reverse=True)), len(listed)


def _read(bucket: str, keys: Sequence[str], decode: Callable[[bytes], One]) -> tuple[One, ...]:
    """Read objects side by side, in the order of their keys; one that is gone meanwhile is left out."""

    def fetch(key: str) -> One | None:
        found = objects.read(bucket, key)
        return decode(found.body) if found is not None else None

    with ThreadPoolExecutor(_READERS, thread_name_prefix="page") as pool:
        found: Iterable[One | None] = pool.map(fetch, keys)
        return tuple(one for one in found if one is not None)
