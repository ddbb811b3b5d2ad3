"""The control record: which model serves a product, which one came before, and how a release stands.

Pure values and transitions. Every change is a new record with the next revision, or a verdict why not; writing
it, with compare-and-set, is `tasks/control.py`. A change of the champion carries its ledger entry along, so that
whoever comes next can append it when the writer died first. It moves no traffic and knows no model registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.ledger import Decision

_CLOSED = ConfigDict(frozen=True, extra="forbid")
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelVersion = Annotated[str, Field(pattern=r"^[1-9][0-9]*$", description="MLflow's number of the registered model.")]


class Contender(BaseModel):
    """A model in one of the record's places."""

    model_config = _CLOSED

    model_version: ModelVersion
    bundle: Digest
    function_version: Annotated[str | None, Field(pattern=r"^[1-9][0-9]*$")] = None
    mlflow_run: str
    since: datetime
    reason: Annotated[str, Field(min_length=1)]


class ReleaseState(BaseModel):
    """How far a change of the champion is; the record holds one only until everything follows the record.

    `moving`: the champion is decided, traffic and projections follow. `rolling_back`: traffic goes to `to`
    first and the champion is changed after it.
    """

    model_config = _CLOSED

    state: Literal["moving", "rolling_back"]
    step: Annotated[int, Field(ge=0, description="Index into the product's release steps.")] = 0
    to: ModelVersion | None = None
    request: Annotated[str, Field(description="Names the wish to go back, so that a repeat of it is known.")] = ""
    reason: str = ""


class ControlRecord(BaseModel):
    """The truth about what serves a product. Everything else is a projection that the sweep repairs."""

    model_config = _CLOSED

    product: str
    revision: Annotated[int, Field(ge=0, description="0: never written.")]
    champion: Contender | None = None
    challenger: Contender | None = None
    previous: Contender | None = None
    release: ReleaseState | None = None
    weight: Annotated[float, Field(ge=0, le=1, description="Share of requests the challenger answers.")] = 0.0
    frozen: bool = False
    decision: Annotated[Decision | None, Field(description="The ledger entry of the last change of champion.")] = None
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True)
class Actor:
    """Who changes the record, when, and what made them: an event, a command, the sweep."""

    name: str
    now: datetime
    cause: str = "command"


@dataclass(frozen=True)
class Move:
    """What became of a wish to change the record. `record` is the new one when moved, else the old one."""

    verdict: Literal["moved", "unchanged", "refused"]
    record: ControlRecord
    code: str
    reason: str


def empty(product: str) -> ControlRecord:
    """Return the record of a product that nothing was ever released for."""
    return ControlRecord(product=product, revision=0)


def challenge(record: ControlRecord, contender: Contender, by: Actor) -> Move:
    """Put a model up as the challenger. The same one again changes nothing."""
    if record.champion is not None and record.champion.model_version == contender.model_version:
        return _refused(record, "is_champion", f"Model {contender.model_version} is the champion already.")
    if record.challenger is not None and record.challenger.bundle == contender.bundle:
        return Move("unchanged", record, "is_challenger", f"Model {contender.model_version} is the challenger already.")
    if record.release is not None:
        return _refused(record, "release_under_way", _under_way(record))
    return _moved(record, by, "challenged", contender.reason, challenger=contender)


def promote(record: ControlRecord, contender: Contender, by: Actor) -> Move:
    """Make a model the champion and the champion the previous one. The same one again changes nothing."""
    champion = record.champion
    if champion is not None and champion.model_version == contender.model_version:
        return _same(record, champion, contender)
    refusal = may_promote(record, contender.model_version)
    if refusal is not None:
        return refusal
    if contender.function_version is None:
        return _refused(record, "not_published", f"Model {contender.model_version} has no function version yet.")
    return _moved(
        record,
        by,
        "promoted",
        contender.reason,
        champion=contender,
        previous=champion,
        challenger=None,
        release=ReleaseState(state="moving"),
        weight=0.0,
        decision=_decision("promote", promotion_key(contender.model_version), record, contender, by, contender.reason),
    )


def may_promote(record: ControlRecord, model_version: str) -> Move | None:
    """Say why a model may not become the champion, before anything is built for it; None when it may."""
    champion = record.champion
    if record.frozen:
        return _refused(record, "frozen", f"Product {record.product} is frozen.")
    if record.release is not None:
        return _refused(record, "release_under_way", _under_way(record))
    if champion is not None and int(model_version) < int(champion.model_version):
        found = f"Model {model_version} is older than the champion, model {champion.model_version}."
        return _refused(record, "older_than_champion", f"{found} Going back is a rollback: it names its target.")
    return None


def promotion_key(model_version: str) -> str:
    """Return the ledger key of a promotion: a model is promoted once, coming back is a rollback."""
    return f"promote/{model_version}"


def settle(record: ControlRecord, by: Actor) -> Move:
    """End a change of champion: everything follows the record. A settled record is left as it is."""
    if record.release is None:
        return Move("unchanged", record, "settled", "Nothing is under way.")
    return _moved(record, by, "settled", "Everything follows the record.", release=None)


@dataclass(frozen=True)
class Wish:
    """A wish to go back. `request` names it: the same request again is the same wish, not another step back."""

    request: str
    reason: str

    @property
    def key(self) -> str:
        """Return the ledger key of the rollback."""
        return f"roll_back/{self.request}"


def intend_roll_back(record: ControlRecord, target: Contender, wish: Wish, by: Actor) -> Move:
    """Note that traffic is about to go back, so that the sweep finishes it instead of undoing it."""
    intent = ReleaseState(state="rolling_back", to=target.model_version, request=wish.request, reason=wish.reason)
    if record.release == intent:
        return Move("unchanged", record, "intended", wish.reason)
    return _moved(record, by, "intended", wish.reason, release=intent)


def roll_back(
    record: ControlRecord, target: Contender | None, wish: Wish, by: Actor, *, before: Contender | None = None
) -> Move:
    """Make an earlier model the champion again, also while frozen or in the middle of a release.

    Args:
        record: What serves now.
        target: What is to serve; None only undoes a first release, when nothing served before.
        wish: Why; it is the reason the target serves from now on. Granted already, nothing changes.
        by: Who asks, and when.
        before: What served before the target; the model rolled back from is never it, or a second
            rollback would bring the bad one back.
    """
    champion = record.champion
    if record.decision is not None and record.decision.key == wish.key:
        return Move("unchanged", record, "rolled_back", "This rollback was made already.")
    if champion is None:
        return _refused(record, "no_champion", f"Product {record.product} serves no model.")
    if target is not None and target.model_version == champion.model_version:
        return Move("unchanged", record, "is_champion", f"Model {target.model_version} is the champion already.")
    if target is not None and target.function_version is None:
        return _refused(record, "not_published", f"Model {target.model_version} was never published.")
    again = target.model_copy(update={"since": by.now, "reason": wish.reason}) if target is not None else None
    return _moved(
        record,
        by,
        "rolled_back",
        wish.reason,
        champion=again,
        previous=before,
        challenger=None,
        release=ReleaseState(state="moving"),
        weight=0.0,
        decision=_decision("roll_back", wish.key, record, target, by, wish.reason),
    )


def _decision(action: str, key: str, record: ControlRecord, to: Contender | None, by: Actor, reason: str) -> Decision:
    evidence = {"bundle": to.bundle, "function_version": to.function_version, "mlflow_run": to.mlflow_run} if to else {}
    return Decision(
        at=by.now,
        actor=by.name,
        cause=by.cause,
        action=action,
        from_=record.champion.model_version if record.champion else None,
        to=to.model_version if to else None,
        reason=reason,
        evidence={**evidence, "revision": record.revision + 1},
        key=key,
    )


def _same(record: ControlRecord, champion: Contender, contender: Contender) -> Move:
    if champion.bundle == contender.bundle:
        return Move("unchanged", record, "is_champion", f"Model {contender.model_version} is the champion already.")
    found = f"Model {contender.model_version} is the champion with bundle {champion.bundle[:12]}"
    return _refused(record, "bundle_differs", f"{found}, not {contender.bundle[:12]}: a model's bundle never changes.")


def _under_way(record: ControlRecord) -> str:
    version = record.champion.model_version if record.champion else "none"
    state = record.release.state if record.release else "settled"
    return f"A change of champion is under way ({state}, champion: {version}) since revision {record.revision}."


def _refused(record: ControlRecord, code: str, reason: str) -> Move:
    return Move("refused", record, code, reason)


def _moved(record: ControlRecord, by: Actor, code: str, reason: str, **changes: object) -> Move:
    stamped = {**changes, "revision": record.revision + 1, "updated_at": by.now, "updated_by": by.name}
    return Move("moved", record.model_copy(update=stamped), code, reason)
