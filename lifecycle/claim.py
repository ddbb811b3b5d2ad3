"""Whose turn it is to train a product: one at a time, and nobody's wish is lost.

Pure transitions of one small record. Whoever finds the turn taken leaves a wish behind; the one training sees it
when it wants to end, and trains again. Storing the record with compare-and-set is `tasks/claim.py`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# A dead run's successor names it and takes over at once; this is only for a run whose successor never came. The
# turn is renewed between steps, and no single step of a training that fits one task's memory takes an hour.
STALE_AFTER = timedelta(hours=1)


class Turn(BaseModel):
    """Who trains. `wished`: somebody else wanted to meanwhile, so the snapshot may have grown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: str
    owner: Annotated[str, Field(description="Flow run id of who trains, or trained last.")]
    state: Literal["training", "idle"]
    since: datetime
    renewed_at: datetime
    wished: bool = False


@dataclass(frozen=True)
class Taken:
    """The turn is ours: write this record, unless somebody changed it meanwhile."""

    turn: Turn


@dataclass(frozen=True)
class Busy:
    """Somebody else trains: write this record, with our wish in it, and leave."""

    turn: Turn


def take(found: Turn | None, product: str, owner: str, now: datetime, *, retry_of: str | None = None) -> Taken | Busy:
    """Take the turn when it is free, ours already, the dead run's that we succeed, or stale; else leave a wish."""
    training = found is not None and found.state == "training"
    if found is not None and training and found.owner not in (owner, retry_of) and now - found.renewed_at < STALE_AFTER:
        return Busy(found.model_copy(update={"wished": True}))
    since = found.since if found is not None and training and found.owner == owner else now
    return Taken(Turn(product=product, owner=owner, state="training", since=since, renewed_at=now))


def wish(found: Turn | None, product: str, owner: str, now: datetime) -> Turn:
    """Leave a wish without taking the turn: training is not allowed now. Whoever trains next fulfils it."""
    if found is None:
        return Turn(product=product, owner=owner, state="idle", since=now, renewed_at=now, wished=True)
    renewed = found.renewed_at if found.state == "training" else now
    return found.model_copy(update={"wished": True, "renewed_at": renewed})


def waits_since(found: Turn | None, moment: datetime) -> bool:
    """Say whether a wish was left before a moment and nobody trained since. Ask it when no run trains."""
    return found is not None and found.wished and found.renewed_at < moment


def renew(found: Turn | None, owner: str, now: datetime) -> Turn | None:
    """Return the record that says we are still at it; None when the turn is no longer ours."""
    if found is None or found.owner != owner or found.state != "training":
        return None
    return found.model_copy(update={"renewed_at": now})


def leave(found: Turn | None, owner: str, now: datetime, *, finished: bool = True) -> Turn | None:
    """Return the record to write when we want to end; still `training` when a wish keeps us.

    None when the turn is no longer ours. A run that failed (`finished` false) ends whatever was wished: trying
    the same data again at once would fail again.
    """
    mine = renew(found, owner, now)
    if mine is None or (mine.wished and finished):
        return None if mine is None else mine.model_copy(update={"wished": False})
    return mine.model_copy(update={"state": "idle"})
