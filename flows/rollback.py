"""Roll back: give the traffic to a model that served before.

Traffic first, records after: the target is proven in the serving runtime, the alias is moved, the endpoint is
asked, and only then the control record, the ledger and the projections follow. It needs neither Prefect nor
MLflow: `roll_back` is what the command line calls, and the flow is a thin coat around it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from flows.following import Followed, Work, append_decision, follow
from lifecycle import smoke
from lifecycle.bundle import Bundle
from lifecycle.control import Actor, Contender, ControlRecord
from lifecycle.eligibility import Refused, choose_target, served, served_before
from lifecycle.errors import BundleError, ConflictError, ReleaseError, TropismError
from lifecycle.reversal import Wish, intend_roll_back
from lifecycle.reversal import roll_back as decide
from tasks import control, endpoint, function_versions, ledger
from tasks.clients import settings
from tasks.control import Held
from tasks.packages import description_of
from tasks.step import as_task, directly, note

# An alias reaches every front end within seconds; ten of those and something is wrong.
ANSWER_SECONDS = 30.0
_TRIES = 5


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did. `pending` names what the sweep will bring along: model_alias, event."""

    product: str
    model_version: str | None
    previous: str | None
    function_version: str | None
    reason: str
    pending: tuple[str, ...] = ()


@flow(name="rollback")
def rollback(
    product: str, reason: str, to: str | None = None, actor: str = "unknown", retry_of: str | None = None
) -> RolledBack:
    """Give the traffic to a model that served before; repeated for the same run, it goes back one step only."""
    identity = flow_run.get_id() or "unknown"
    work = Work(as_task, settings(), product, Actor(actor, datetime.now(UTC), cause="rollback"))
    return carry_out(work, Wish(retry_of or identity, reason), to)


def roll_back(product: str, reason: str, *, to: str | None = None, actor: str = "unknown", request: str) -> RolledBack:
    """Give the traffic to a model that served before, without Prefect.

    Args:
        product: The product.
        reason: Why, for the ledger.
        to: The model version to go back to; None is the previous one.
        actor: Who asks.
        request: Names this wish, so that calling again after a failure is not another step back.

    Raises:
        ReleaseError: when there is no such model, or it does not prove itself. What serves goes on serving.
        BundleError: when the target's bundle is missing or altered. What serves goes on serving.
        ConflictError: when somebody else changed the champion meanwhile.

    """
    work = Work(directly, settings(), product, Actor(actor, datetime.now(UTC), cause="rollback"))
    return carry_out(work, Wish(request, reason), to)


def carry_out(work: Work, wish: Wish, to: str | None = None) -> RolledBack:
    """Go back, or finish the same wish where it was left."""
    held = work.step("read control record", control.read, work.bucket, work.product)
    if _granted(held.record, wish) or ledger.find(work.bucket, work.product, wish.key) is not None:
        return _outcome(work, follow(work, held), wish)
    if held.record.release is not None and held.record.release.request == wish.request:
        to = held.record.release.to
    target = _target(work, held.record, to)
    work.step("prove target", prove, work, target)
    if held.record.champion is not None and target.model_version == held.record.champion.model_version:
        move_traffic(work, str(target.function_version))
        return _outcome(work, follow(work, held), wish)
    held = _note_intent(work, held, target, wish)
    move_traffic(work, str(target.function_version))
    held = work.step("change champion", _change, work, held, target, wish)
    return _outcome(work, follow(work, held), wish)


def take_back(work: Work, held: Held, reason: str) -> Followed:
    """Undo the release that the record holds: traffic to what served before, then the record.

    Before a first release nothing served; then the version without a bundle answers again, 503.
    """
    champion, previous = held.record.champion, held.record.previous
    note("release.failed", product=work.product, model=champion.model_version if champion else None, reason=reason)
    version = previous.function_version if previous else _bare(work)
    if version is not None:
        work.step("move alias back", endpoint.move_alias, work.function, version)
    wish = Wish(f"failed/{held.record.revision}", reason)
    return follow(work, work.step("change champion back", _change, work, held, previous, wish))


def move_traffic(work: Work, function_version: str) -> None:
    """Point the alias at a version and wait until the endpoint answers as it; else put the alias back and raise."""
    before = work.step("move alias", endpoint.move_alias, work.function, function_version)
    try:
        work.step(
            "read back", endpoint.await_answer, work.settings, work.product, function_version, seconds=ANSWER_SECONDS
        )
    except TropismError:
        endpoint.move_alias(work.function, before.function_version)
        raise


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


def _target(work: Work, record: ControlRecord, to: str | None) -> Contender:
    known = served(ledger.entries(work.bucket, work.product))
    found = choose_target(record, known, to)
    if isinstance(found, Refused):
        raise ReleaseError(f"{work.product} was not rolled back.", detail=found.reason)
    return found


def _note_intent(work: Work, held: Held, target: Contender, wish: Wish) -> Held:
    """Write down what is about to happen; that it cannot be written must not keep a bad model serving."""
    try:
        return control.write(work.bucket, held, intend_roll_back(held.record, target, wish, work.by))
    except TropismError as error:
        note("intent.unwritten", product=work.product, error=str(error))
        return held


def _change(work: Work, held: Held, target: Contender | None, wish: Wish) -> Held:
    """Write the target as champion, also over a record that merely moved on; another champion is a conflict."""
    leaving = held.record.champion
    for _ in range(_TRIES):
        append_decision(replace(work, step=directly), held.record)
        move = decide(held.record, target, wish, work.by, before=_before(work, target))
        if move.verdict == "refused":
            raise ReleaseError(f"{work.product} was not rolled back.", detail=move.reason)
        try:
            return control.write(work.bucket, held, move)
        except ConflictError:
            held = control.read(work.bucket, work.product)
            if not _granted(held.record, wish) and held.record.champion != leaving:
                raise
    raise ConflictError(f"The control record of {work.product} is written by too many at once.")


def _before(work: Work, target: Contender | None) -> Contender | None:
    """Return what served before the target did, so that a further rollback goes further back."""
    if target is None:
        return None
    entries = ledger.entries(work.bucket, work.product)
    version = served_before(entries, target.model_version)
    return served(entries).get(version) if version else None


def _bare(work: Work) -> str | None:
    found = function_versions.find(work.function, description_of(None))
    return found.number if found else None


def _granted(record: ControlRecord, wish: Wish) -> bool:
    return record.decision is not None and record.decision.key == wish.key


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
