"""What follows a change of champion, shared by release, rollback and sweep. Not a flow.

Ledger, model alias and event follow the control record, in this order; then the record is settled. Every step
is repeatable. What could not be brought along leaves the record unsettled, and the sweep finishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from lifecycle.control import Actor, ControlRecord, settle
from lifecycle.errors import ConflictError
from lifecycle.events import Event, ReleasePromoted, ReleaseRolledBack
from lifecycle.ledger import Decision, Entry
from lifecycle.settings import Settings
from tasks import control, events, ledger, registry
from tasks.control import Held
from tasks.step import Step, note

CHAMPION = "champion"


@dataclass(frozen=True)
class Work:
    """What every change of champion needs: how steps are carried out, where, for which product, and who asks."""

    step: Step
    settings: Settings
    product: str
    by: Actor

    @property
    def function(self) -> str:
        """The product's function."""
        return self.settings.predict_function(self.product)

    @property
    def bucket(self) -> str:
        """The one bucket."""
        return self.settings.bucket


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
    if not _attempt("model_alias", lambda: work.step("move model alias", project_champion, work.product, version)):
        pending.append("model_alias")
    if entry is not None:
        event = _event(work.product, entry)
        if not _attempt("event", lambda: work.step("emit event", events.send, event)):
            pending.append("event")
    if pending:
        return Followed(held, entry, tuple(pending))
    return Followed(work.step("settle control record", settle_record, work, held), entry)


def append_decision(work: Work, record: ControlRecord) -> Entry | None:
    """Append the decision that the record carries, unless the ledger has it; None when it carries none."""
    if record.decision is None:
        return None
    return work.step("append to ledger", ledger.append, work.bucket, work.product, record.decision)


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


def _attempt(what: str, act: Callable[[], object]) -> bool:
    """Act and say whether it went well."""
    try:
        act()
    except Exception as error:  # noqa: BLE001  # whatever a projection raises, traffic has moved and stays moved
        note("projection.failed", level=logging.WARNING, what=what, error=type(error).__name__, detail=str(error)[:500])
        return False
    return True


def _event(product: str, entry: Decision) -> Event:
    kind = ReleasePromoted if entry.action == "promote" else ReleaseRolledBack
    return kind(
        product=product,
        version=entry.to or "none",
        bundle=str(entry.evidence.get("bundle", "")),
        previous=entry.from_,
        reason=entry.reason,
        actor=entry.actor,
        ledger_seq=entry.seq if isinstance(entry, Entry) else 0,
    )
