"""The end of a change of champion: everything follows the record, or what served serves again. Not a flow.

Shared by the release, which promotes, and the sweep, which finishes what was left half done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flows.following import Work, append_decision, follow
from flows.traffic import move_traffic, undo
from lifecycle.control import Contender, version_of
from lifecycle.errors import ConflictError, ReleaseError, TropismError
from tasks import endpoint
from tasks.control import Held
from tasks.step import note

State = Literal["promoted", "unchanged", "behind", "advanced", "held", "waiting", "rolled_back"]


@dataclass(frozen=True)
class Released:
    """What a run of the release did.

    `behind`: the event was late or repeated, and something newer has happened. `waiting`: for a person, or for
    another model's release. `weight`: the share of requests, 0 to 1, that the model has now.
    """

    product: str
    model_version: str
    state: State
    function_version: str | None
    reason: str
    pending: tuple[str, ...] = ()
    weight: float | None = None


def finish(work: Work, held: Held) -> Released:
    """Make everything follow the record's champion. A new one must answer, or what served serves again."""
    champion = held.record.champion
    if champion is None or champion.function_version is None:
        followed = follow(work, held)
        return outcome(work, followed.held, "unchanged", "Nothing serves.", followed.pending)
    entry = append_decision(work, held.record)
    promoted = entry is not None and entry.action == "promote"
    try:
        move_traffic(work, champion.function_version)
        _require_model(work, champion)
    except ConflictError:
        raise
    except TropismError as error:
        if promoted:
            undo(work, held, f"The endpoint did not answer as model {champion.model_version}: {error.detail}")
        raise
    followed = follow(work, held, entry)
    if promoted:
        note("release.promoted", product=work.product, model=champion.model_version, pending=followed.pending)
    return outcome(work, followed.held, "promoted" if promoted else "unchanged", champion.reason, followed.pending)


def outcome(work: Work, held: Held, state: State, reason: str, pending: tuple[str, ...] = ()) -> Released:
    """Return what was done, about the champion."""
    champion = held.record.champion
    return Released(
        product=work.product,
        model_version=version_of(champion) or "none",
        state=state,
        function_version=champion.function_version if champion else None,
        reason=reason,
        pending=pending,
    )


def _require_model(work: Work, champion: Contender) -> None:
    found = endpoint.serving(work.settings, work.product)
    if found is None or found.model_version != champion.model_version:
        raise ReleaseError(
            f"The endpoint of {work.product} does not answer as model {champion.model_version}.",
            detail=f"It answers as model {found.model_version if found else 'none'}.",
        )
