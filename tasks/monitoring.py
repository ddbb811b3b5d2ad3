"""Look at a product: bring the sums of its log up to date, measure, judge, and keep what was found.

    metrics/<product>/looks/<time>.json   every look        metrics/<product>/watch.json   what is remembered

A look at a moment may be repeated: the sums are made of the same objects, and what is remembered takes a look once.
Everything that is decided is decided in `lifecycle/`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from lifecycle.control import Contender
from lifecycle.episodes import Watch, look
from lifecycle.errors import ConflictError, ReleaseError, UsageError
from lifecycle.estimate import estimate
from lifecycle.examination import Examination, Labelled, Windows, Yardstick, examine
from lifecycle.ledger import Decision
from lifecycle.log_part import LogPart, between, gather
from lifecycle.looks import Look, compose, label_count, look_key, looks_prefix, watch_key
from lifecycle.maturity import newest_ended
from lifecycle.monitoring import MonitorPolicy
from lifecycle.performance import Realised, realise
from lifecycle.profiles import Numbers
from lifecycle.settings import Settings
from lifecycle.sketch import Sketch, empty
from lifecycle.spec import Product
from tasks import control, function_versions, labels, ledger, objects, outcomes
from tasks.outcomes import Final
from tasks.predictions import LATE
from tasks.summaries import Model, Models, Parts, reference_of

_TRIES = 10
_MANY = 100_000


@dataclass(frozen=True)
class Place:
    """Where a look works: the settings, the product, the models that answered, the moment, the sums of the log."""

    settings: Settings
    product: Product
    models: Models
    now: datetime
    parts: Parts

    @property
    def bucket(self) -> str:
        """Return the bucket."""
        return self.settings.bucket

    @property
    def policy(self) -> MonitorPolicy:
        """Return how the product is watched."""
        return self.product.monitor


@dataclass(frozen=True)
class Looked:
    """What a look found, what is remembered after it, and the newest final performances, for the ledger."""

    look: Look
    watch: Watch
    finals: tuple[Final, ...]


def champion_of(place: Place) -> tuple[Contender, Model]:
    """Return what serves, with its bundle. Raises ReleaseError when nothing does, BundleError when it is altered."""
    champion = control.read(place.bucket, place.product.name).record.champion
    if champion is None or champion.function_version is None:
        raise ReleaseError(
            f"{place.product.name} serves no model, so there is nothing to watch.",
            resolution=f"Bring data: `tropism drop {place.product.name} FILE --wait`.",
        )
    function = place.settings.predict_function(place.product.name)
    bundle = function_versions.bundle_of(place.bucket, function, champion.function_version)
    return champion, Model(bundle, reference_of(bundle))


def place_of(settings: Settings, product: Product, now: datetime) -> Place:
    """Return where a look at a moment works."""
    models = Models(settings.bucket, settings.predict_function(product.name))
    return Place(settings, product, models, now, Parts(settings.bucket, product.name))


def over(product: Product, window: timedelta) -> Product:
    """Return the product watched over another window. Raises UsageError when its policy has no room for it."""
    policy = product.monitor.model_dump() | {"window": window, "reach": max(window, product.monitor.reach)}
    try:
        return product.model_copy(update={"monitor": MonitorPolicy.model_validate(policy)})
    except ValidationError as error:
        raise UsageError(
            f"{product.name} cannot be looked at over {window}.", detail=error.errors()[0]["msg"]
        ) from None


def look_at(place: Place, champion: Contender, model: Model, *, fresh: bool, remember: bool = True) -> Looked:
    """Measure and judge a product at a moment and keep the look. The sums of the log must be up to date.

    `fresh`: labels came since the last look, so that what was final stays and everything else is joined again.
    `remember`: keep the look and take it into what is remembered; a person's own window is looked at and forgotten.
    """
    name, start = place.product.name, start_of(model)
    wide, recent = (
        gather(parts_of(place), start, span, place.policy, place.now)
        for span in (place.policy.window, place.policy.recent)
    )
    before = outcomes.finals(place.bucket, name, champion.bundle)
    labelled, told = _labelled(place, model, before, fresh=fresh)
    by = Yardstick(place.product.evaluation.metric, model.reference, outcomes.past(before))
    found = examine(place.policy, by, Windows(wide.sketch, recent.serving), labelled, place.now)
    serving = (champion.model_version, champion.bundle)
    seen = compose(name, place.now, serving, found, (wide, recent)).model_copy(update=told)
    if not remember:
        return Looked(seen, read_watch(place.bucket, name), ())
    final = final_of(place, champion.model_version, model, found.realised)
    watch = _remember(place, champion.bundle, found)
    objects.create(place.bucket, look_key(name, place.now), seen.model_dump_json().encode())
    return Looked(seen, watch, (*before[-1:], *((final,) if final else ())))


def read_watch(bucket: str, product: str) -> Watch:
    """Return what is remembered of a product."""
    found = objects.read(bucket, watch_key(product))
    return Watch() if found is None else Watch.model_validate_json(found.body)


def looks(bucket: str, product: str) -> Iterator[Look]:
    """Yield every look at a product, the newest first."""
    for key in reversed(objects.keys(bucket, looks_prefix(product), limit=_MANY)):
        found = objects.read(bucket, key)
        if found is not None:
            yield Look.model_validate_json(found.body)


def append_final(bucket: str, product: str, final: Final) -> None:
    """Append a final performance to the ledger; a second call appends nothing."""
    told = final.realised
    ledger.append(
        bucket,
        product,
        Decision(
            at=datetime.now(UTC),
            actor="monitor",
            cause="labels",
            action="measure",
            from_=final.model_version,
            to=final.model_version,
            reason=(
                f"{told.metric} {told.value} [{told.lower}, {told.upper}] on {told.labels:,} of {told.predictions:,} "
                f"predictions from {told.since:%Y-%m-%d} to {told.until:%Y-%m-%d}; the holdout had {told.holdout}."
            ),
            evidence={
                "metric": told.metric,
                "value": told.value,
                "lower": told.lower,
                "upper": told.upper,
                "holdout": told.holdout,
                "labels": told.labels,
                "predictions": told.predictions,
                "since": told.since.isoformat(),
                "until": told.until.isoformat(),
                "bundle": final.bundle,
                "estimated": final.estimated,
            },
            key=final.key,
        ),
    )


def _labelled(
    place: Place, model: Model, before: tuple[Final, ...], *, fresh: bool
) -> tuple[Labelled | None, dict[str, object]]:
    """Return the window whose labels are due, unless it is final and nothing came, and what is told of the labels."""
    policy, name = place.policy, place.product.name
    due = outcomes.newest_due_of(place.bucket, place.product, model.bundle.digest, parts_of(place), place.now)
    if not fresh and (due is None or any(one.realised.since == due.since for one in before)):
        return None, {}
    book = labels.book_of(place.bucket, place.product, place.now)
    astray = outcomes.parked(place.bucket, name, book, policy.reach, place.now) if fresh else None
    told: dict[str, object] = {"labels": label_count(book, astray)}
    if fresh and model.reference is not None:
        young = outcomes.join(place.bucket, name, model.bundle, newest_ended(policy, place.now), book, place.now)
        if len(young.outcomes.labels):
            metric = place.product.evaluation.metric
            told["provisional"] = realise(metric, model.reference, young.outcomes, policy.outcomes, place.now)
    if due is None:
        return None, told
    joined = outcomes.join(place.bucket, name, model.bundle, due, book, place.now)
    return (joined if joined.outcomes.predictions else None), told  # of another model's time there is nothing to say


def final_of(place: Place, version: str, model: Model, told: Realised | None) -> Final | None:
    """Keep the performance of a window that is final, with what was estimated of it; None when it is not, or known."""
    if told is None or told.state != "final" or model.reference is None:
        return None
    parts = (one for one in parts_of(place) if told.since <= one.hour < told.until + LATE)
    then = between(parts, start_of(model), told.since, told.until)
    guess = estimate(told.metric, model.reference, then, (), place.policy.outcomes.seed).value
    final = Final(
        model_version=version,
        bundle=model.bundle.digest,
        realised=told,
        estimated=guess if math.isfinite(guess) else None,
    )
    return final if outcomes.keep(place.bucket, place.product.name, final) else None


def _remember(place: Place, bundle: str, found: Examination) -> Watch:
    """Take a look into what is remembered, by compare-and-set. Raises ConflictError when others never let it."""
    key = watch_key(place.product.name)
    for _ in range(_TRIES):
        stored = objects.read(place.bucket, key)
        before = Watch() if stored is None else Watch.model_validate_json(stored.body)
        after = look(before, bundle, found.measurements, place.policy.respond, place.now, blind=bool(found.blind))
        body = after.model_dump_json().encode()
        if after == before:
            return after
        written = (
            objects.create(place.bucket, key, body)
            if stored is None
            else objects.replace(place.bucket, key, body, stored.etag)
        )
        if written is not None:
            return after
    raise ConflictError(f"{key} is written by too many at once.", detail=f"Tried {_TRIES} times.")


def parts_of(place: Place) -> Iterator[LogPart]:
    """Yield the sums of the log within reach, the newest first."""
    return place.parts.newest_first(place.now - place.policy.reach - LATE, place.now)


def start_of(model: Model) -> Sketch:
    """Return the sketch of nothing, over the bins of a model's profile; without a profile it has none."""
    if model.reference is None:
        return empty(model.bundle.digest, {}, {}, Numbers(edges=(), counts=(0,), missing=0))
    reference = model.reference
    return empty(model.bundle.digest, reference.numbers, reference.categories, reference.scores)
