"""Which arm of a release a prediction came from, and at what weight: the log does not know, the ledger does.

The ledger has one entry for every change of traffic. It is written a moment before the alias moves upward and a moment
after it is taken back, so around an entry both the weights before and after it may have been in effect. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lifecycle.ledger import Entry

ArmName = Literal["champion", "challenger"]
# So long a change of traffic may take until it is in effect everywhere, or in the ledger: the read-back gives it 30 s.
MOVING = timedelta(minutes=1)
_CHAMPION_SET = frozenset({"promote", "roll_back", "take_back", "start_experiment", "stop_experiment"})


@dataclass(frozen=True)
class Traffic:
    """What the alias was told since a moment: the champion's function version, and the challenger's with its weight.

    Weights are within 0 and 1; `seq` is the ledger's entry.
    """

    champion: str | None
    challenger: str | None
    weight: float
    since: datetime
    seq: int

    def share(self, arm: ArmName) -> float:
        """Return an arm's share of the requests."""
        return self.weight if arm == "challenger" else 1 - self.weight

    def arm_of(self, function_version: str) -> ArmName | None:
        """Return the arm of a version with a share of the requests, or None."""
        if function_version == self.challenger and self.weight > 0:
            return "challenger"
        return "champion" if function_version == self.champion and self.weight < 1 else None


@dataclass(frozen=True)
class Answerer:
    """The arm a version was at a moment, and its share. `moving`: only by an entry that was just being carried out."""

    arm: ArmName
    weight: float
    traffic: Traffic
    moving: bool = False


def history(entries: Iterable[Entry]) -> Iterator[Traffic]:
    """Yield every change of traffic in the ledger, in its order."""
    for entry in entries:
        version, evidence = _text(entry.evidence.get("function_version")), entry.evidence
        if entry.action in _CHAMPION_SET:
            yield Traffic(version if entry.to is not None else None, None, 0.0, entry.at, entry.seq)
        elif entry.action == "step":
            champion = _text(evidence.get("champion_function_version"))
            yield Traffic(champion, version, float(evidence.get("weight") or 0.0), entry.at, entry.seq)


def answerer(entries: Iterable[Entry], function_version: str, at: datetime) -> Answerer | None:
    """Return which arm a version was at a moment; None when nothing in the ledger lets it answer then."""
    changes = list(history(entries))
    current = next((change for change in reversed(changes) if change.since <= at), None)
    arm = current.arm_of(function_version) if current else None
    if current is not None and arm is not None:
        return Answerer(arm, current.share(arm), current)
    for before, change in zip([None, *changes], changes, strict=False):
        near = [one for one in (before, change) if one is not None and abs(change.since - at) <= MOVING]
        for one in near:
            arm = one.arm_of(function_version)
            if arm is not None:
                return Answerer(arm, one.share(arm), one, moving=True)
    return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
