"""Going back: an earlier model becomes the champion again, whatever is under way. Pure.

Traffic goes back first; these records say that it is about to, and that it did. Which model may be gone back to is
`lifecycle/eligibility.py`, taking back a challenger that is not the champion yet is `lifecycle/stepping.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.control import (
    Actor,
    Contender,
    ControlRecord,
    Deed,
    Move,
    ReleaseState,
    decision_of,
    moved,
    refused,
    version_of,
)
from lifecycle.ledger import Decision
from lifecycle.stepping import WATCHED


@dataclass(frozen=True)
class Wish:
    """A wish to go back. `request` names it: the same request again is the same wish, not another step back."""

    request: str
    reason: str

    @property
    def key(self) -> str:
        """Return the ledger key of the rollback."""
        return f"roll_back/{self.request}"

    def is_in(self, decision: Decision) -> bool:
        """Say whether a ledger entry is this wish, granted: a rollback, or a release that was taken back for it."""
        return decision.key == self.key or decision.evidence.get("request") == self.request


def intend_roll_back(record: ControlRecord, target: Contender, wish: Wish, by: Actor) -> Move:
    """Note that traffic is about to go back, so that the sweep finishes it instead of undoing it."""
    intent = ReleaseState(state="rolling_back", to=target.model_version, request=wish.request, reason=wish.reason)
    if record.release == intent:
        return Move("unchanged", record, "intended", wish.reason)
    return moved(record, by, "intended", wish.reason, release=intent)


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
        return refused(record, "no_champion", f"Product {record.product} serves no model.")
    if target is not None and target.model_version == champion.model_version:
        return Move("unchanged", record, "is_champion", f"Model {target.model_version} is the champion already.")
    if target is not None and target.function_version is None:
        return refused(record, "not_published", f"Model {target.model_version} was never published.")
    again = target.model_copy(update={"since": by.now, "reason": wish.reason}) if target is not None else None
    out = record.challenger
    also = {"challenger_out": out.model_version, WATCHED: out.function_version} if out is not None else {}
    deed = Deed("roll_back", wish.key, wish.reason, version_of(champion), again, also)
    return moved(
        record,
        by,
        "rolled_back",
        wish.reason,
        champion=again,
        previous=before,
        challenger=None,
        rollout=None,
        release=ReleaseState(state="moving"),
        weight=0.0,
        decision=decision_of(record, deed, by),
    )
