"""What was done about earlier breaches, and what came of it: read off the ledger, which is the only memory. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lifecycle.causes import Cause
from lifecycle.ledger import Decision, Entry
from lifecycle.response import Outcome, Response, Taken

ACTION = "respond"
# A training takes minutes; one that is not in the ledger by then found its decision made before, or was lost.
PATIENCE = timedelta(hours=2)
# A release may hold for a day by its own deadline, and for as long as nobody asks anything.
_RELEASE_PATIENCE = timedelta(days=7)


def cause_of(key: str) -> str:
    """Return what a training that a decision asked for names as its cause."""
    return f"respond {key}"


def asked_for(entries: Sequence[Entry], now: datetime) -> str | None:
    """Return the cause that a training answers now: the newest one asked for of which nothing came yet."""
    open_ones = [one for one in taken(entries, now) if one.action == "retrain" and one.outcome == "pending"]
    made = {entry.cause for entry in entries if entry.action == "challenge"}
    return next((cause for one in reversed(open_ones) if (cause := cause_of(one.key)) not in made), None)


def decision(product_bundle: str | None, found: Response, now: datetime, version: str | None) -> Decision:
    """Return the ledger's entry of a decision; its key makes a second one impossible."""
    first = found.because[0] if found.because else None
    return Decision(
        at=now,
        actor="respond",
        cause="metric.breached",
        action=ACTION,
        from_=version,
        to=version,
        reason=str(found),
        evidence={
            "action": found.action,
            "cause": str(found.cause),
            "grounds": ",".join(found.grounds),
            "decision": found.key,
            "bundle": product_bundle,
            "metric": str(first.metric) if first else None,
            "column": first.column if first else None,
            "since": first.since.isoformat() if first else None,
            "statistic": first.worst.statistic if first else None,
            "threshold": first.worst.threshold if first else None,
            "n": first.worst.n if first else None,
        },
        key=f"{ACTION}/{found.key}",
    )


def taken(entries: Sequence[Entry], now: datetime) -> tuple[Taken, ...]:
    """Return every answer to a breach, the oldest first, with what came of the trainings."""
    return tuple(_taken(entry, entries, now) for entry in entries if entry.action == ACTION)


def _taken(entry: Entry, entries: Sequence[Entry], now: datetime) -> Taken:
    told = entry.evidence
    key, retrain = str(told["decision"]), told["action"] == "retrain"
    return Taken.model_validate(
        {
            "at": entry.at,
            "action": told["action"],
            "cause": Cause(str(told["cause"])),
            "key": key,
            "outcome": _outcome(key, entry.at, entries, now) if retrain else None,
        }
    )


def _outcome(key: str, asked: datetime, entries: Sequence[Entry], now: datetime) -> Outcome:
    """Say what came of a training: refused by either gate, promoted, or nothing that the ledger knows of."""
    made = next((one for one in entries if one.action == "challenge" and one.cause == cause_of(key)), None)
    if made is None:
        return "pending" if now < asked + PATIENCE else "failed"
    if made.evidence.get("verdict") != "promote" or made.to is None:
        return "refused"
    for one in entries:
        if one.action == "promote" and one.to == made.to:
            return "promoted"
        if one.action == "take_back" and one.from_ == made.to:
            return "refused"
    return "pending" if now < made.at + _RELEASE_PATIENCE else "failed"
