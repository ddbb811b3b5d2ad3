"""Wake whom an event failed to wake: ingest, train, release. Not a flow; the sweep's hands for what was missed.

Waking is telling again, by an event of its own id: the run that follows has its cause in an automation like any
other. Nobody is woken who already works.
"""

from __future__ import annotations

from collections.abc import Iterator

from flows.mending import Place
from lifecycle.events import BatchLanded, ModelChallenged, RetrainRequested
from lifecycle.freezing import thaw_of
from lifecycle.lost import Run, busy_with
from lifecycle.repair import (
    WakeIngest,
    WakeRelease,
    WakeTrain,
    missed_deliveries,
    missed_release,
    missed_training,
    thawed_training,
    uncovered,
)
from tasks import claim, control, events, ledger, missed
from tasks.snapshot import take_snapshot

# One sweep wakes no more ingests than this; the next comes soon, and a burst wants a queue, not a flood.
_DELIVERIES = 100


def wake_ingest(place: Place, product: str, active: tuple[Run, ...]) -> Iterator[str]:
    """Tell again of landed objects that nobody works on; of those that waited for the end of a freeze at once."""
    record = control.read(place.bucket, product).record
    if record.frozen:
        return
    working = busy_with(active, "ingest", product)
    keys = frozenset(str(run.parameters.get("key")) for run in working)
    landed = missed.landed(place.bucket, product, limit=10 * _DELIVERIES)
    for wake in missed_deliveries(landed, keys, place.now, limit=_DELIVERIES, thaw=thaw_of(record)):
        place.step("tell again of a delivery", events.send, _landed(place, product, wake))
        yield f"{product}: told again (attempt {wake.attempt}) that {wake.landed.key!r} landed."


def wake_train(place: Place, product: str, active: tuple[Run, ...]) -> Iterator[str]:
    """Ask for a training of batches that no challenge was made from, and for one that a freeze put off."""
    record = control.read(place.bucket, product).record
    if record.frozen or busy_with(active, "train", product):
        return
    thaw = thaw_of(record)
    if thaw is not None and claim.waits_since(place.bucket, product, thaw.at):
        yield _ask(place, product, thawed_training(thaw, place.now))
        return
    found, entries = missed.validated(place.bucket, product), ledger.entries(place.bucket, product)
    if not uncovered(found.published, entries):
        return
    snapshot = take_snapshot(place.bucket, product)
    wake = missed_training(snapshot.digest, found.newest, entries, place.now, thaw)
    if snapshot.batches and wake is not None:
        yield _ask(place, product, wake)


def wake_release(place: Place, product: str, active: tuple[Run, ...]) -> Iterator[str]:
    """Tell again of a model whose release never began or stands still; a stale comparison is made again."""
    record = control.read(place.bucket, product).record
    wake = missed_release(record, ledger.entries(place.bucket, product), place.now)
    if wake is None or _is_worked_on(wake, product, active):
        return
    if isinstance(wake, WakeTrain):
        yield _ask(place, product, wake)
        return
    event = ModelChallenged(product=product, version=wake.model_version, bundle=wake.bundle, attempt=wake.attempt)
    place.step("tell again of a challenger", events.send, event)
    why = "is overdue for a look" if wake.look else "passed the gate"
    yield f"{product}: told again (attempt {wake.attempt}) that model {wake.model_version} {why}."


def _is_worked_on(wake: WakeRelease | WakeTrain, product: str, active: tuple[Run, ...]) -> bool:
    """Say whether a run is there that will do it: one at work on the product, or one waiting for its turn with it."""
    releases = busy_with(active, "release", product)
    if any(run.state_type != "SCHEDULED" for run in releases):
        return True
    if isinstance(wake, WakeRelease) and any(
        run.parameters.get("model_version") == wake.model_version for run in releases
    ):
        return True
    looks = isinstance(wake, WakeRelease) and wake.look
    return not looks and bool(busy_with(active, "train", product))


def _ask(place: Place, product: str, wake: WakeTrain) -> str:
    event = RetrainRequested(
        product=product,
        cause=wake.cause,
        request_id=wake.request,
        attempt=wake.attempt,
        retry_of=claim.trainer(place.bucket, product),  # nobody trains, so whoever still has the turn is dead
    )
    place.step("ask for a training", events.send, event)
    return f"{product}: asked for a training (attempt {wake.attempt}): {wake.cause}, {wake.request}."


def _landed(place: Place, product: str, wake: WakeIngest) -> BatchLanded:
    landed = wake.landed
    return BatchLanded(
        product=product,
        bucket=place.bucket,
        key=landed.key,
        object_version=landed.object_version,
        etag=landed.etag,
        size=landed.size,
        attempt=wake.attempt,
        retry_of=landed.owner,
    )
