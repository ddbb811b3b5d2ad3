"""What follows a change of traffic, shared by release, rollback and sweep. Not a flow.

Ledger, model alias and event follow the control record, in this order; then the record is settled. Every step
is repeatable. What could not be brought along leaves the record unsettled, and the sweep finishes it.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lifecycle.control import Actor, ControlRecord, Move, settle
from lifecycle.errors import ConflictError
from lifecycle.events import Event, ReleasePromoted, ReleaseRolledBack
from lifecycle.ledger import Entry
from lifecycle.settings import Settings
from lifecycle.stepping import WATCHED
from tasks import alarms, control, events, ledger, registry, warmth
from tasks.control import Held
from tasks.step import Step, directly, note

CHAMPION = "champion"
# A person waits for the command to end: what Prefect does not take at once, the sweep brings along.
IN_A_HURRY = (0.0, 0.5)
# Importing MLflow takes seconds on a busy machine; with its database away it would try for a hundred.
_HURRIED_SECONDS = 10.0
_TRIES = 5
_TOLD = frozenset({"promote", "roll_back", "take_back"})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Work:
    """What every change of traffic needs: how steps are carried out, where, for which product, who asks, and a clock.

    `waits`: how long, in seconds, an event is tried to be sent.
    """

    step: Step
    settings: Settings
    product: str
    by: Actor
    clock: Callable[[], datetime] = _now
    waits: Sequence[float] = events.WAITS_SECONDS

    @property
    def now(self) -> Actor:
        """Who asks, at this moment."""
        return replace(self.by, now=self.clock())

    @property
    def function(self) -> str:
        """The product's function."""
        return self.settings.predict_function(self.product)

    @property
    def bucket(self) -> str:
        """The one bucket."""
        return self.settings.bucket

    @property
    def patience(self) -> float | None:
        """How long, in seconds, Prefect and MLflow are waited for each; None while nobody waits for this work."""
        return _HURRIED_SECONDS if self.waits == IN_A_HURRY else None


@dataclass(frozen=True)
class Followed:
    """How far the rest of the world follows the record; `pending` names what does not yet."""

    held: Held
    entry: Entry | None
    pending: tuple[str, ...] = ()


def follow(work: Work, held: Held, entry: Entry | None = None) -> Followed:
    """Bring ledger, model alias and event after the record and settle it. A second call changes nothing.

    The ledger must be written, unless its entry is given. A registry or a Prefect that is down is noted as
    pending and stops nothing.
    """
    record, pending = held.record, []
    entry = entry or append_decision(work, record)
    version = record.champion.model_version if record.champion else None
    if not attempt(
        "model_alias",
        lambda: work.step("move model alias", project_champion, work.product, version),
        seconds=work.patience,
    ):
        pending.append("model_alias")
    watched = entry.evidence.get(WATCHED) if entry is not None else None
    if watched is not None and not attempt(
        "alarms", lambda: work.step("delete alarms", alarms.delete, work.settings, work.product, str(watched))
    ):
        pending.append("alarms")
    places = (record.champion, record.challenger)
    serving = frozenset(place.function_version for place in places if place and place.function_version)
    if not attempt("warmth", lambda: work.step("settle warmth", warmth.settle, work.settings, work.product, serving)):
        pending.append("warmth")
    event = _event(work.product, entry)
    if event is not None and not tell(work, event):
        pending.append("event")
    if pending:
        return Followed(held, entry, tuple(pending))
    return Followed(work.step("settle control record", settle_record, work, held), entry)


def append_decision(work: Work, record: ControlRecord) -> Entry | None:
    """Append the decision that the record carries, unless the ledger has it; None when it carries none."""
    if record.decision is None:
        return None
    return work.step("append to ledger", ledger.append, work.bucket, work.product, record.decision)


def write_over(work: Work, held: Held, change: Callable[[ControlRecord], Move]) -> tuple[Held, Move]:
    """Write a change over whatever the record became meanwhile; the change is asked again each time.

    The decision that the record carries is in the ledger before another one takes its place. A change that is
    refused or changes nothing is returned, and nothing is written.
    """
    for _ in range(_TRIES):
        append_decision(replace(work, step=directly), held.record)
        move = change(held.record)
        try:
            return control.write(work.bucket, held, move), move
        except ConflictError:
            held = control.read(work.bucket, work.product)
    raise ConflictError(f"The control record of {work.product} is written by too many at once.")


def tell(work: Work, event: Event) -> bool:
    """Send an event and say whether it was taken. It wakes, and is told again by the sweep where it must."""
    return attempt(
        "event", lambda: work.step("emit event", events.send, event, waits=work.waits), seconds=work.patience
    )


def project_champion(product: str, model_version: str | None) -> bool:
    """Make MLflow's alias `champion` name the version, or nobody; return whether it had to be moved."""
    found = registry.model_aliases(product).get(CHAMPION)
    if found == model_version:
        return False
    if model_version is None:
        registry.delete_model_alias(product, CHAMPION)
    else:
        registry.set_model_alias(product, CHAMPION, model_version)
    return True


def settle_record(work: Work, held: Held) -> Held:
    """Settle the record. Somebody else who settled it, or went on, is no fault."""
    try:
        return control.write(work.bucket, held, settle(held.record, work.by))
    except ConflictError:
        return control.read(work.bucket, work.product)


def attempt(what: str, act: Callable[[], object], *, seconds: float | None = None) -> bool:
    """Act and say whether it went well. What takes longer than `seconds` did not, though it may still come about."""
    went_well = threading.Event()

    def try_it() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  # whatever a projection raises, traffic has moved and stays moved
            kind, detail = type(error).__name__, str(error)[:500]
            note("projection.failed", level=logging.WARNING, what=what, error=kind, detail=detail)
        else:
            went_well.set()

    if seconds is None:
        try_it()
        return went_well.is_set()
    here = contextvars.copy_context()  # Prefect keeps its settings there
    trying = threading.Thread(target=here.run, args=(try_it,), name=what, daemon=True)
    trying.start()
    trying.join(seconds)
    if trying.is_alive():
        note("projection.failed", level=logging.WARNING, what=what, error="Timeout", detail=f"no end in {seconds:g} s")
    return went_well.is_set()


def _event(product: str, entry: Entry | None) -> Event | None:
    """Return what is told about a decision; a person's word and a step are told by whoever made them."""
    if entry is None or entry.action not in _TOLD:
        return None
    kind = ReleasePromoted if entry.action == "promote" else ReleaseRolledBack
    return kind(
        product=product,
        version=entry.to or "none",
        bundle=str(entry.evidence.get("bundle", "")),
        previous=entry.from_,
        reason=entry.reason,
        actor=entry.actor,
        ledger_seq=entry.seq,
    )
