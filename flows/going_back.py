"""A step back: the traffic goes to a model that served before. Not a flow; `flows/rollback.py` is a thin coat.

The target is proven in the serving runtime before anything moves. In the middle of a release the challenger is out,
whatever the target; without one named, the champion has all the traffic again. It needs neither Prefect nor MLflow,
and imports neither before the traffic has moved: that takes longer than all the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.following import IN_A_HURRY, Followed, Work, follow
from flows.traffic import change_champion, end_release, granted, move_traffic, note_intent
from lifecycle import smoke
from lifecycle.bundle import Bundle
from lifecycle.control import Actor, Contender, ControlRecord, version_of
from lifecycle.eligibility import Refused, choose_target, served
from lifecycle.errors import BundleError, ReleaseError
from lifecycle.findings import Finding
from lifecycle.ledger import Entry
from lifecycle.reversal import Wish
from lifecycle.stepping import Ending
from tasks import control, function_versions, ledger
from tasks.clients import settings
from tasks.step import directly


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did. `pending` names what the sweep will bring along: model_alias, event."""

    product: str
    model_version: str | None
    previous: str | None
    function_version: str | None
    reason: str
    pending: tuple[str, ...] = ()


def roll_back(product: str, reason: str, *, to: str | None = None, actor: str = "unknown", request: str) -> RolledBack:
    """Give the traffic to a model that served before, without Prefect.

    Args:
        product: The product.
        reason: Why, for the ledger.
        to: The model version to go back to; None is the previous one, or the champion in the middle of a release.
        actor: Who asks.
        request: Names this wish, so that calling again after a failure is not another step back.

    Raises:
        ReleaseError: when there is no such model, or it does not prove itself. What serves goes on serving.
        BundleError: when the target's bundle is missing or altered. What serves goes on serving.
        ConflictError: when somebody else changed the champion meanwhile.

    """
    by = Actor(actor, datetime.now(UTC), cause="rollback")
    work = Work(directly, settings(), product, by, waits=IN_A_HURRY)
    return carry_out(work, Wish(request, reason), to)


def carry_out(work: Work, wish: Wish, to: str | None = None) -> RolledBack:
    """Go back, or finish the same wish where it was left."""
    held = work.step("read control record", control.read, work.bucket, work.product)
    entries = work.step("read ledger", ledger.entries, work.bucket, work.product)
    if granted(held.record, wish) or any(wish.is_in(entry) for entry in entries):
        return _outcome(work, follow(work, held), wish)
    if held.record.release is not None and held.record.release.request == wish.request:
        to = held.record.release.to
    target = _target(work, held.record, entries, to)
    work.step("prove target", prove, work, target)
    if target.model_version == version_of(held.record.champion):
        if held.record.rollout is not None:
            ending = Ending(wish.reason, (Finding.ABORTED,), wish.request)
            return _outcome(work, end_release(work, held, ending), wish)
        move_traffic(work, str(target.function_version))
        return _outcome(work, follow(work, held), wish)
    held = note_intent(work, held, target, wish)
    move_traffic(work, str(target.function_version))
    held = work.step("change champion", change_champion, work, held, target, wish)
    return _outcome(work, follow(work, held), wish)


def prove(work: Work, target: Contender) -> Bundle:
    """Check that the target's version exists, holds its bundle untouched, and predicts. Moves nothing."""
    number = str(target.function_version)
    bundle = function_versions.bundle_of(work.bucket, work.function, number)
    if bundle.digest != target.bundle:
        raise BundleError(
            f"Version {number} of {work.function} does not hold model {target.model_version}.",
            detail=f"It holds bundle {bundle.digest[:12]}, expected {target.bundle[:12]}.",
            resolution="What serves goes on serving; name another version with `--to`.",
        )
    function_versions.require_smoke(work.function, number, target.model_version, smoke.request(bundle.contract))
    return bundle


def _target(work: Work, record: ControlRecord, entries: tuple[Entry, ...], to: str | None) -> Contender:
    found = choose_target(record, served(entries), to)
    if isinstance(found, Refused):
        raise ReleaseError(f"{work.product} was not rolled back.", detail=found.reason)
    return found


def _outcome(work: Work, followed: Followed, wish: Wish) -> RolledBack:
    champion, entry = followed.held.record.champion, followed.entry
    return RolledBack(
        product=work.product,
        model_version=champion.model_version if champion else None,
        previous=entry.from_ if entry else None,
        function_version=champion.function_version if champion else None,
        reason=wish.reason,
        pending=followed.pending,
    )
