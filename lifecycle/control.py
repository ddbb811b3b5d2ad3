"""The control record: which model serves a product, which one came before, and how a release stands.

Pure values and transitions. Every change is a new record with the next revision, or a verdict why not; writing
it, with compare-and-set, is `tasks/control.py`. It moves no traffic and knows no model registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    """How far a release is; the record holds one only while it is under way."""

    model_config = _CLOSED

    state: Literal["moving"]
    step: Annotated[int, Field(ge=0, description="Index into the product's release steps.")] = 0


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
    updated_at: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True)
class Actor:
    """Who changes the record, and when."""

    name: str
    now: datetime


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
    )


def may_promote(record: ControlRecord, model_version: str) -> Move | None:
    """Say why a model may not become the champion, before anything is built for it; None when it may."""
    champion = record.champion
    if record.frozen:
        return _refused(record, "frozen", f"Product {record.product} is frozen since revision {record.revision}.")
    if champion is not None and int(model_version) < int(champion.model_version):
        found = f"Model {model_version} is older than the champion, model {champion.model_version}."
        return _refused(record, "older_than_champion", f"{found} Going back is a rollback: it names its target.")
    if record.release is not None and champion is not None and champion.model_version != model_version:
        return _refused(record, "release_under_way", _under_way(record))
    return None


def settle(record: ControlRecord, by: Actor) -> Move:
    """End a release: the endpoint answers as the champion. A settled record is left as it is."""
    if record.release is None:
        return Move("unchanged", record, "settled", "No release is under way.")
    return _moved(record, by, "settled", "The endpoint answers as the champion.", release=None)


def roll_back(record: ControlRecord, target: Contender | None, by: Actor, *, before: Contender | None = None) -> Move:
    """Make an earlier model the champion again, also while frozen or in the middle of a release.

    Args:
        record: What serves now.
        target: What is to serve; None only undoes a first release, when nothing served before.
        by: Who asks, and when.
        before: What served before the target; the model rolled back from is never it, or a second
            rollback would bring the bad one back.
    """
    champion = record.champion
    if champion is None:
        return _refused(record, "no_champion", f"Product {record.product} serves no model.")
    if target is not None and target.bundle == champion.bundle and target.model_version == champion.model_version:
        return Move("unchanged", record, "is_champion", f"Model {target.model_version} is the champion already.")
    if target is not None and target.function_version is None:
        return _refused(record, "not_published", f"Model {target.model_version} was never published.")
    reason = target.reason if target is not None else "Nothing served before."
    return _moved(
        record, by, "rolled_back", reason, champion=target, previous=before, challenger=None, release=None, weight=0.0
    )


def _same(record: ControlRecord, champion: Contender, contender: Contender) -> Move:
    if champion.bundle == contender.bundle:
        return Move("unchanged", record, "is_champion", f"Model {contender.model_version} is the champion already.")
    found = f"Model {contender.model_version} is the champion with bundle {champion.bundle[:12]}"
    return _refused(record, "bundle_differs", f"{found}, not {contender.bundle[:12]}: a model's bundle never changes.")


def _under_way(record: ControlRecord) -> str:
    version = record.champion.model_version if record.champion else "none"
    return f"The release of model {version} is under way since revision {record.revision}."


def _refused(record: ControlRecord, code: str, reason: str) -> Move:
    return Move("refused", record, code, reason)


def _moved(record: ControlRecord, by: Actor, code: str, reason: str, **changes: object) -> Move:
    stamped = {**changes, "revision": record.revision + 1, "updated_at": by.now, "updated_by": by.name}
    return Move("moved", record.model_copy(update=stamped), code, reason)
