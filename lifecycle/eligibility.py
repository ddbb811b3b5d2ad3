"""Which model may take a product's traffic, and which one it may go back to. Pure.

Nothing here looks at how good a model is; that was decided when it was challenged, and the verdict comes along. How
traffic moves to it is `lifecycle/rollout.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lifecycle.control import Contender, ControlRecord, may_promote, promotion_key
from lifecycle.ledger import Decision
from lifecycle.stepping import gives_way

Ended = Literal["promoted", "taken_back"]
PASSED = "promote"
_MOVES = ("promote", "roll_back")


@dataclass(frozen=True)
class Candidate:
    """A registered model. `verdict` is the promotion gate's; `champion`: the version it was compared with, if any.

    `score_psi`: how far its scores lay from the champion's on the holdout, None where nobody compared them.
    """

    model_version: str
    bundle: str
    mlflow_run: str
    verdict: str
    champion: str | None
    reason: str
    score_psi: float | None = None


@dataclass(frozen=True)
class Refused:
    """Why something may not happen: a stable code and a sentence."""

    code: str
    reason: str


def may_release(record: ControlRecord, candidate: Candidate, *, ended: Ended | None) -> Refused | None:
    """Say why a model may not be released, before anything is built for it; None when it may.

    A model that is the champion already may: releasing it again finishes what was left. Another model's release
    under way refuses nothing here; `waits_for` says whether it gives way. `ended`: how the ledger has a release of
    this model end before.
    """
    version, champion = candidate.model_version, record.champion
    if candidate.verdict != PASSED:
        found = f"Its verdict is {candidate.verdict or 'missing'!r}, expected {PASSED!r}."
        return Refused("not_passed", f"Model {version} did not pass the promotion gate. {found}")
    if champion is not None and champion.model_version == version:
        return _same(champion, candidate)
    if ended is not None:
        return _released_before(version) if ended == "promoted" else _taken_back_before(version)
    refused = may_promote(record.model_copy(update={"challenger": None, "rollout": None, "weight": 0.0}), version)
    if refused is not None:
        return Refused(refused.code, refused.reason)
    serving = champion.model_version if champion else None
    if candidate.champion != serving:
        found = f"Model {version} was compared with {_named(candidate.champion)}, but {_named(serving)} serves now."
        return Refused("stale_comparison", f"{found} It has to be compared again.")
    return None


def waits_for(record: ControlRecord, candidate: Candidate) -> Refused | None:
    """Say why a model has to wait for another one's release; None when there is none, or it gives way."""
    other, rollout = record.challenger, record.rollout
    if other is None or rollout is None:
        return None
    if int(candidate.model_version) < int(other.model_version):
        found = f"Model {other.model_version}, which is newer, is under release."
        return Refused("older_than_challenger", found)
    if gives_way(rollout):
        return None
    found = f"Model {other.model_version} is under release with {record.weight:.0%} of the requests."
    return Refused("another_under_release", f"{found} Model {candidate.model_version} waits for its end.")


def is_behind(refused: Refused) -> bool:
    """Say whether a refusal only means that the world went on: a repeated or late event, nothing to worry about."""
    return refused.code in ("released_before", "taken_back_before", "older_than_champion", "older_than_challenger")


def served(decisions: Iterable[Decision]) -> dict[str, Contender]:
    """Return every model that ever served, by version, as the ledger remembers it."""
    found = {}
    for decision in decisions:
        if decision.to is not None and decision.action in _MOVES:
            evidence = decision.evidence
            found[decision.to] = Contender(
                model_version=decision.to,
                bundle=str(evidence["bundle"]),
                function_version=str(evidence["function_version"]),
                mlflow_run=str(evidence["mlflow_run"]),
                since=decision.at,
                reason=decision.reason,
            )
    return found


def served_before(decisions: Iterable[Decision], model_version: str) -> str | None:
    """Return the version that served when a model was promoted; None when none did or it never was."""
    key = promotion_key(model_version)
    return next((decision.from_ for decision in decisions if decision.key == key), None)


def choose_target(record: ControlRecord, known: dict[str, Contender], to: str | None) -> Contender | Refused:
    """Return the model to go back to: the one named; the champion in the middle of a release; or the previous one.

    Args:
        record: What serves now.
        known: Every model that ever served, by version.
        to: The version asked for, or None.
    """
    champion = record.champion
    if champion is None:
        return Refused("no_champion", f"Product {record.product} serves no model, so there is nothing to go back from.")
    if to is None and record.rollout is not None:
        return champion
    if to is None:
        found = f"Nothing served before model {champion.model_version}. {_choices(known)}"
        return record.previous or Refused("no_previous", found)
    target = known.get(to)
    if target is None:
        return Refused("never_served", f"Model {to} never served {record.product}. {_choices(known)}")
    if to == champion.model_version and champion.experiment:
        found = f"Model {to} is the champion, and the experiment {champion.experiment} has its requests."
        end = f"Give them back to it with `tropism experiment stop {record.product} --reason ...`."
        return Refused("experiment_under_way", f"{found} {end}")
    return target


def _released_before(version: str) -> Refused:
    return Refused("released_before", f"Model {version} was released before and replaced; going back is a rollback.")


def _taken_back_before(version: str) -> Refused:
    found = "The next training makes another one."
    return Refused("taken_back_before", f"The release of model {version} was taken back. {found}")


def _same(champion: Contender, candidate: Candidate) -> Refused | None:
    if champion.bundle == candidate.bundle:
        return None
    found = f"registered with bundle {candidate.bundle[:12]}, released with {champion.bundle[:12]}"
    return Refused("bundle_differs", f"Model {candidate.model_version} is {found}: a model's bundle never changes.")


def _named(model_version: str | None) -> str:
    return f"model {model_version}" if model_version else "no model"


def _choices(known: dict[str, Contender]) -> str:
    versions = ", ".join(sorted(known, key=int))
    return f"Models that served: {versions}; name one with `--to`." if versions else "No model ever served."
