"""Monitor: look at every product, keep what was found, and say so when a metric is in breach.

Label files that came are read, the sums of the prediction log brought up to date, and everything is judged together.
What follows from a breach is decided by `respond`, which the event wakes. A look may be repeated: the sums are made of
the same objects, what is remembered takes a look once, and a window's performance is told once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.reporting import show_page
from lifecycle import spec
from lifecycle.causes import Cause, of_cause, pressing_cause
from lifecycle.episodes import Watch
from lifecycle.errors import ReleaseError, ServiceError, TropismError
from lifecycle.events import MetricBreached
from lifecycle.looks import Look
from lifecycle.markup import sentence
from lifecycle.settings import Settings
from tasks import capacity, events, labels, monitoring, outcome_batches, retired, set_aside, summaries
from tasks.clients import settings
from tasks.monitoring import Place
from tasks.predictions import LATE
from tasks.step import Step, as_task, note

_PUNCTUAL = 0.9


@flow(name="monitor")
def monitor(product: str | None = None, cause: str = "schedule", retry_of: str | None = None) -> tuple[Look, ...]:
    """Look at one product, or at all. Fails at its end when a product could not be looked at."""
    note("monitor.begun", product=product, cause=cause, retry_of=retry_of)
    where, now = settings(), datetime.now(UTC)
    found, failed = [], []
    for name in [product] if product else spec.names(where.products):
        try:
            if product is None and not _is_time(where, name, now):
                continue
            found.append(look(as_task, where, name, now))
        except ReleaseError as error:
            if product:
                raise
            note("monitor.skipped", product=name, reason=error.summary)  # nothing serves yet
        except TropismError as error:
            note("monitor.failed", level=logging.WARNING, product=name, error=str(error))
            failed.append(f"{name}: {error}")
    failed += _show(where, found, now)
    page = "\n\n".join(
        [
            "# What was seen",
            *(sentence(one.summary()) for one in found),
            *(f"**failed:** {sentence(one)}" for one in failed),
        ]
    )
    create_markdown_artifact(page, key="monitor", description=f"{len(found)} products")
    if failed:
        raise ServiceError(f"{len(failed)} products could not be looked at, or shown.", detail=" ".join(failed))
    return tuple(found)


def _show(where: Settings, found: Sequence[Look], now: datetime) -> list[str]:
    """Build the page of every product that was looked at; return what failed."""
    failed = []
    for one in found:
        try:
            show_page(as_task, where, one.product, now)
        except TropismError as error:
            note("report.failed", level=logging.WARNING, product=one.product, error=str(error))
            failed.append(f"page of {one.product}: {error}")
    return failed


def look(step: Step, where: Settings, name: str, now: datetime, window: timedelta | None = None) -> Look:
    """Look at one product and say what it found. Raises ReleaseError when nothing serves.

    With a window of somebody's own nothing is remembered and nothing announced.
    """
    product = spec.load(where.products, name)
    place = monitoring.place_of(where, product if window is None else monitoring.over(product, window), now)
    champion, model = step("open champion", monitoring.champion_of, place)
    came = step("read label files", labels.take, where.bucket, place.product, now, place.policy.reach)
    since = _since(place)
    fresh = bool(came) or step("look for read labels", labels.came_since, where.bucket, name, since, now)
    step("sum up the log", summaries.summarise, where.bucket, name, place.models, since, now)
    looked = step("look", monitoring.look_at, place, champion, model, fresh=fresh, remember=window is None)
    late = step("judge earlier models", retired.judge_retired, place, champion) if fresh and window is None else ()
    for final in (*looked.finals, *late):
        step("append to ledger", monitoring.append_final, where.bucket, name, final)
    if window is None:
        _keep_learning(step, place, looked.watch, fresh=fresh or bool(looked.finals))
    event = breach(looked.look, looked.watch)
    if event is not None and window is None:
        step("announce breach", events.send, event)
    if window is None:
        step("fit capacity", capacity.adapt, where, product, now)
    note("look.taken", product=name, state=looked.look.state, alerts=len(looked.look.alerts))
    return looked.look


def _keep_learning(step: Step, place: Place, watch: Watch, *, fresh: bool) -> None:
    """Deliver what came true as training data, and end what was set aside once the data is right again.

    Both before a breach is told: a training that follows then finds what it is to learn from.
    """
    name = place.product.name
    if not of_cause(watch, Cause.DATA_FAULT):
        step("end what was set aside", set_aside.end, place.bucket, name, place.now)
    if place.policy.outcomes.learn and fresh:
        step("deliver outcomes", outcome_batches.deliver, place.bucket, place.product, place.now)


def breach(found: Look, watch: Watch) -> MetricBreached | None:
    """Return the event of a look in breach, or of one that could judge nothing; None when all is well.

    Every look that finds one says so: an event that was lost is made up for by the next look.
    """
    cause = pressing_cause(watch)
    if cause is Cause.NONE and watch.blind_since is None:
        return None
    first = of_cause(watch, cause)[0] if cause is not Cause.NONE else None
    since = first.since if first else watch.blind_since
    return MetricBreached(
        product=found.product,
        look=found.at.isoformat(),
        cause=str(cause if first else Cause.BLIND),
        metric=str(first.metric) if first else ",".join(found.blind),
        column=first.column if first else None,
        statistic=first.last.statistic if first else None,
        threshold=first.last.threshold if first else None,
        n=first.last.n if first else 0,
        since=since.isoformat() if since else found.at.isoformat(),
        breached=tuple(one.last.name for one in watch.pressing),
        named=found.named,
    )


def _is_time(where: Settings, name: str, now: datetime) -> bool:
    """Say whether the schedule's next look at a product is due; a schedule is a few minutes off at times."""
    before = monitoring.read_watch(where.bucket, name).looked_at
    every = spec.load(where.products, name).monitor.every
    return before is None or now >= before + every * _PUNCTUAL


def _since(place: Place) -> datetime:
    """Return from when on the log is to be summed up: what may still arrive late, and all of it the first time."""
    known = monitoring.read_watch(place.bucket, place.product.name).looked_at
    farthest = place.now - place.policy.reach - LATE
    return farthest if known is None else max(farthest, known - LATE - timedelta(hours=1))
