"""The control record: which model serves a product, which one came before, and how a release stands.

Pure values, and the change of champion: a new record with the next revision, or a verdict why not. A change of traffic
carries its ledger entry along, so that whoever comes next can append it when the writer died first. Writing a record is
`tasks/control.py`, how a release proceeds `lifecycle/stepping.py`, going back `lifecycle/reversal.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lifecycle.batch import Reason
from lifecycle.evidence import Evidence
from lifecycle.freezing import FreezeWord
from lifecycle.ledger import Decision, Scalar
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress

_CLOSED = ConfigDict(frozen=True, extra="forbid")
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelVersion = Annotated[str, Field(pattern=r"^[1-9][0-9]*$", description="MLflow's number of the registered model.")]


class Contender(BaseModel):
    """A model in one of the record's places."""

    model_config = _CLOSED

    model_version: ModelVersion
    bundle: Digest
    function_version: Annotated[str | None, Field(pattern=r"^[1-9][0-9]*$")] = None
    experiment: Annotated[str, Field(description="The one whose arms its function version carries.")] = ""
    mlflow_run: str
    since: datetime
    reason: Annotated[str, Field(min_length=1)]


class ReleaseState(BaseModel):
    """How far a change of the champion is; the record holds one only until everything follows the record.

    `moving`: the champion is decided, the rest follows. `rolling_back`: traffic goes to `to` first, the champion after.
    """

    model_config = _CLOSED

    state: Literal["moving", "rolling_back"]
    step: Annotated[int, Field(ge=0, description="Index into the product's release steps.")] = 0
    to: ModelVersion | None = None
    request: Annotated[str, Field(description="Names the wish to go back, so that a repeat of it is known.")] = ""
    reason: str = ""


class Window(BaseModel):
    """When the alias gave the challenger one weight: traffic between two windows belongs to nobody."""

    model_config = _CLOSED

    step: Annotated[int, Field(ge=0, description="Index into the plan's steps.")]
    weight: Annotated[float, Field(gt=0, le=1, description="The challenger's share of requests.")]
    since: Annotated[AwareDatetime, Field(description="When the alias was read back at this weight.")]
    until: Annotated[AwareDatetime | None, Field(description="Right before the alias was moved on.")] = None


class Rollout(BaseModel):
    """A release under way. The record's `challenger` is the model, `weight` its share.

    Without a window nothing was moved yet. At weight 1 the alias points to the challenger alone until the promotion.
    """

    model_config = _CLOSED

    plan: Annotated[ReleasePlan, Field(description="As it was when the release began; it does not change under it.")]
    progress: Progress
    windows: Annotated[tuple[Window, ...], Field(description="One per step whose traffic was seen to flow.")] = ()
    evidence: Evidence = Evidence()
    counted_until: Annotated[AwareDatetime, Field(description="Log objects modified before are in `evidence`.")]
    settled: Annotated[bool, Field(description="The alias was read back at `weight`; else the step is carried out.")]
    alias_revision: Annotated[str, Field(description="The alias's, read before it is moved: tells who moved it.")] = ""
    ticks: Annotated[int, Field(ge=0, description="How often it was looked at.")] = 0
    next_tick: AwareDatetime
    reasons: Annotated[tuple[Reason, ...], Field(description="Of the last verdict.")] = ()
    approved_by: str = ""
    held_by: str = ""


class ControlRecord(BaseModel):
    """The truth about what serves a product. Everything else is a projection that the sweep repairs."""

    model_config = _CLOSED

    product: str
    revision: Annotated[int, Field(ge=0, description="0: never written.")]
    champion: Contender | None = None
    challenger: Contender | None = None
    previous: Contender | None = None
    release: ReleaseState | None = None
    rollout: Annotated[Rollout | None, Field(description="The challenger's release, while it proceeds.")] = None
    weight: Annotated[float, Field(ge=0, le=1, description="Share of requests the challenger answers.")] = 0.0
    frozen: bool = False
    freeze: Annotated[FreezeWord | None, Field(description="The last word about freezing, or about its end.")] = None
    decision: Annotated[Decision | None, Field(description="The ledger entry of the last change of traffic.")] = None
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


def promote(
    record: ControlRecord, contender: Contender, by: Actor, *, also: Mapping[str, Scalar] | None = None
) -> Move:
    """Make a model the champion and the champion the previous one. The same one again changes nothing.

    `also` is more evidence for the ledger. Another model's release refuses it.
    """
    champion = record.champion
    if champion is not None and champion.model_version == contender.model_version:
        return _same(record, champion, contender)
    if (refusal := may_promote(record, contender.model_version)) is not None:
        return refusal
    if contender.function_version is None:
        return refused(record, "not_published", f"Model {contender.model_version} has no function version yet.")
    key = promotion_key(contender.model_version)
    deed = Deed("promote", key, contender.reason, version_of(champion), contender, also or {})
    return moved(
        record,
        by,
        "promoted",
        contender.reason,
        champion=contender,
        previous=champion,
        challenger=None,
        rollout=None,
        release=ReleaseState(state="moving"),
        weight=0.0,
        decision=decision_of(record, deed, by),
    )


def may_promote(record: ControlRecord, model_version: str) -> Move | None:
    """Say why a model may not become the champion, before anything is built for it; None when it may."""
    champion = record.champion
    if record.frozen:
        return refused(record, "frozen", f"Product {record.product} is frozen.")
    if record.release is not None:
        return refused(record, "release_under_way", _under_way(record, record.release))
    if champion is not None and champion.experiment:
        return refused(record, "experiment_under_way", f"The experiment {champion.experiment} is under way.")
    if record.challenger is not None and record.challenger.model_version != model_version:
        found = f"Model {record.challenger.model_version} is under release with {record.weight:.0%} of the requests."
        return refused(record, "rollout_under_way", found)
    if champion is not None and int(model_version) < int(champion.model_version):
        found = f"Model {model_version} is older than the champion, model {champion.model_version}."
        return refused(record, "older_than_champion", f"{found} Going back is a rollback: it names its target.")
    return None


def promotion_key(model_version: str) -> str:
    """Return the ledger key of a promotion: a model is promoted once, coming back is a rollback."""
    return f"promote/{model_version}"


def settle(record: ControlRecord, by: Actor) -> Move:
    """End a change of champion: everything follows the record. A settled record is left as it is."""
    if record.release is None:
        return Move("unchanged", record, "settled", "Nothing is under way.")
    return moved(record, by, "settled", "Everything follows the record.", release=None)


@dataclass(frozen=True)
class Deed:
    """What is done to the traffic, for the ledger. `key` names it, so that it is entered once."""

    action: str
    key: str
    reason: str
    from_: str | None
    to: Contender | None
    also: Mapping[str, Scalar] = field(default_factory=dict)


def decision_of(record: ControlRecord, deed: Deed, by: Actor) -> Decision:
    """Return the ledger entry of a change that makes `record` its next revision."""
    to = deed.to
    evidence = {"bundle": to.bundle, "function_version": to.function_version, "mlflow_run": to.mlflow_run} if to else {}
    return Decision(
        at=by.now,
        actor=by.name,
        cause=by.cause,
        action=deed.action,
        from_=deed.from_,
        to=to.model_version if to else None,
        reason=deed.reason,
        evidence={**evidence, "revision": record.revision + 1, **deed.also},
        key=deed.key,
    )


def version_of(contender: Contender | None) -> str | None:
    """Return the model version in a place of the record, or None."""
    return contender.model_version if contender else None


def refused(record: ControlRecord, code: str, reason: str) -> Move:
    """Return the verdict that leaves the record as it is."""
    return Move("refused", record, code, reason)


def moved(record: ControlRecord, by: Actor, code: str, reason: str, **changes: object) -> Move:
    """Return the verdict that makes the changes the record's next revision."""
    stamped = {**changes, "revision": record.revision + 1, "updated_at": by.now, "updated_by": by.name}
    return Move("moved", record.model_copy(update=stamped), code, reason)


def _same(record: ControlRecord, champion: Contender, contender: Contender) -> Move:
    if champion.bundle == contender.bundle:
        return Move("unchanged", record, "is_champion", f"Model {contender.model_version} is the champion already.")
    found = f"Model {contender.model_version} is the champion with bundle {champion.bundle[:12]}"
    return refused(record, "bundle_differs", f"{found}, not {contender.bundle[:12]}: a model's bundle never changes.")


def _under_way(record: ControlRecord, release: ReleaseState) -> str:
    model = version_of(record.champion) or "none"
    return f"A change of champion is under way ({release.state}, champion: {model}) since revision {record.revision}."
