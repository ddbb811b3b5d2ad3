"""Which published function versions may be deleted, and why each other one stays. Pure.

Lambda keeps every version until somebody deletes it, against one allowance for the account. A version stays while
anything may still send requests to it, while it is among the newest, and while the ledger tells of it recently enough
that somebody may ask. It deletes nothing and knows no alias but what it is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lifecycle.control import ControlRecord
from lifecycle.eligibility import served
from lifecycle.ledger import Decision
from lifecycle.release_plan import ReleasePlan

_MOVES = ("promote", "roll_back")
_NAMED = "function_version"  # how every evidence key that names one ends


@dataclass(frozen=True)
class Version:
    """A published version. `bare`: it carries no model and answers 503 before the first one."""

    number: str
    bare: bool = False


@dataclass(frozen=True)
class Known:
    """What is published, who has which place, what the alias sends requests to, and the ledger, oldest first."""

    versions: Sequence[Version]
    record: ControlRecord
    routed: frozenset[str]
    decisions: Sequence[Decision]


@dataclass(frozen=True)
class Judged:
    """One version, whether it may go, and why or why not."""

    number: str
    prune: bool
    reason: str


def judge(known: Known, plan: ReleasePlan, now: datetime) -> tuple[Judged, ...]:
    """Judge every version, the newest first. `now` needs a time zone."""
    protected, last = dict(_protected(known)), _last_named(known.decisions, now)
    ordered = sorted(known.versions, key=lambda version: int(version.number), reverse=True)
    newest = {version.number for version in ordered[: plan.keep_versions]}
    judged = []
    for number in (version.number for version in ordered):
        if number in protected:
            judged.append(_stays(number, protected[number]))
        elif number in newest:
            judged.append(_stays(number, f"one of the newest {plan.keep_versions}"))
        else:
            judged.append(_by_age(number, last.get(number), plan, now))
    return tuple(judged)


def _by_age(number: str, seen: datetime | None, plan: ReleasePlan, now: datetime) -> Judged:
    older = f"older than the newest {plan.keep_versions}"
    if seen is None:
        return Judged(number, prune=True, reason=f"{older}, and it never served")
    if now - seen <= plan.keep_for:
        return _stays(number, f"the ledger tells of it until {seen:%Y-%m-%d}, within {plan.keep_for.days} days")
    return Judged(
        number, prune=True, reason=f"{older}, last in use {seen:%Y-%m-%d}, over {plan.keep_for.days} days ago"
    )


def _stays(number: str, reason: str) -> Judged:
    return Judged(number, prune=False, reason=reason)


def _protected(known: Known) -> Iterator[tuple[str, str]]:
    """Yield what may never go; a later reason replaces an earlier one, so the strongest come last."""
    record = known.record
    for version in known.versions:
        if version.bare:
            yield version.number, "answers when no model does"
    target = record.release.to if record.release else None
    if target is not None and (back := served(known.decisions).get(target)) is not None:
        yield str(back.function_version), f"a rollback to model {target} is under way"
    for number in known.routed:
        yield number, "takes requests"
    places = {"previous": record.previous, "challenger": record.challenger, "champion": record.champion}
    for role, contender in places.items():
        if contender is not None and contender.function_version is not None:
            yield contender.function_version, f"{role}, model {contender.model_version}"


def _last_named(decisions: Sequence[Decision], now: datetime) -> dict[str, datetime]:
    """Return until when the ledger tells of each version: as long as it served, and whenever a decision names it."""
    last: dict[str, datetime] = {}
    serving: str | None = None
    for decision in decisions:
        named = [str(value) for key, value in decision.evidence.items() if key.endswith(_NAMED) and value is not None]
        for number in (*named, serving):
            if number is not None:
                last[number] = max(last.get(number, decision.at), decision.at)
        if decision.action in _MOVES:
            found = decision.evidence.get(_NAMED)
            serving = str(found) if found is not None else None
    if serving is not None:
        last[serving] = now
    return last
