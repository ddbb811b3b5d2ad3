"""People's words about a release, carried out: approve, hold, abort, freeze, unfreeze. Not a flow.

The control record is what counts, so a word is in force at once; the ledger says whose it was and why. It needs
neither Prefect nor MLflow: what they would have been told, the sweep brings along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from flows import telling, watching
from flows.following import Work, append_decision, follow, tell, write_over
from flows.traffic import end_release, granted
from lifecycle import orders
from lifecycle.control import ControlRecord, Move, version_of
from lifecycle.errors import ReleaseError
from lifecycle.events import ProductUnfrozen
from lifecycle.findings import Finding
from lifecycle.freezing import thaw_of
from lifecycle.ledger import Decision
from lifecycle.reversal import Wish
from lifecycle.stepping import Ending, State, state_of
from tasks import control, ledger

Word = Literal["approve", "hold", "abort", "freeze", "unfreeze"]


@dataclass(frozen=True)
class Obeyed:
    """What became of a word. `changed`: it was not in force before. `model_version` is the model it was about.

    `weight` is the share of requests, 0 to 1, that a model under release has then; `pending` names what the sweep
    brings along.
    """

    product: str
    word: Word
    changed: bool
    model_version: str | None
    state: State | None
    weight: float
    pending: tuple[str, ...] = ()


def approve(work: Work, reason: str) -> Obeyed:
    """Let a release go on, in the name of `work.by`; the next look is asked for. Approved already, nothing changes.

    Raises ReleaseError when no model is under release, or a release that waits wants somebody else's word.
    """
    trainer = trained_by(ledger.entries(work.bucket, work.product), control.read(work.bucket, work.product).record)
    done = _say(work, "approve", lambda record: orders.approve(record, work.now, reason, trainer=trainer))
    found = watching.under(control.read(work.bucket, work.product).record)
    if found is not None and not telling.schedule(work, found):
        return replace(done, pending=("next look",))
    return done


def hold(work: Work, reason: str) -> Obeyed:
    """Keep a release where it is. Held already, nothing changes. Raises ReleaseError when there is none."""
    return _say(work, "hold", lambda record: orders.hold(record, work.now, reason))


def freeze(work: Work, reason: str) -> Obeyed:
    """Stop everything but serving (`lifecycle/freezing.py`). Frozen already, nothing changes."""
    return _say(work, "freeze", lambda record: orders.freeze(record, work.now, reason))


def unfreeze(work: Work, reason: str) -> Obeyed:
    """Let things go on, and wake the sweep, which wakes what waited. Not frozen, nothing changes."""
    done = _say(work, "unfreeze", lambda record: orders.unfreeze(record, work.now, reason))
    word = thaw_of(control.read(work.bucket, work.product).record)
    if word is None:
        return done
    event = ProductUnfrozen(product=work.product, times=word.times, actor=word.by, reason=word.reason)
    return done if tell(work, event) else replace(done, pending=("what waited",))


def abort(work: Work, reason: str, request: str) -> Obeyed:
    """Take a release back: the champion answers every request, then the records follow.

    `request` names the wish, so that it is known when it is said again. Raises ReleaseError when no model is under
    release, or it has become the champion meanwhile.
    """
    held, wish = control.read(work.bucket, work.product), Wish(request, f"Aborted by {work.by.name}: {reason}")
    version, before = version_of(held.record.challenger), granted(held.record, wish)
    ending = Ending(wish.reason, (Finding.ABORTED,), request)
    followed = follow(work, held) if before else end_release(work, held, ending)
    return Obeyed(
        product=work.product,
        word="abort",
        changed=not before,
        model_version=version,
        state=state_of(followed.held.record),
        weight=0.0,
        pending=followed.pending,
    )


def trained_by(entries: tuple[Decision, ...], record: ControlRecord) -> str | None:
    """Return who made the model under release, as the ledger has it; None when nothing says."""
    version = version_of(record.challenger)
    return next((one.actor for one in reversed(entries) if one.action == "challenge" and one.to == version), None)


def _say(work: Work, word: Word, change: Callable[[ControlRecord], Move]) -> Obeyed:
    """Write a word into the record, and into the ledger. Raises ReleaseError when it is refused."""
    held, move = write_over(work, control.read(work.bucket, work.product), change)
    if move.verdict == "refused":
        raise ReleaseError(
            f"{word.capitalize()} {work.product}: nothing was changed.",
            detail=move.reason,
            resolution=f"See what is under way with `tropism status {work.product}`.",
        )
    append_decision(work, held.record)
    record = held.record
    return Obeyed(
        product=work.product,
        word=word,
        changed=move.verdict == "moved",
        model_version=version_of(record.challenger or record.champion),
        state=state_of(record),
        weight=record.weight,
    )
