"""Which earlier champions are tried again, beside what is fitted anew. Pure.

Where a season comes back, the model of its last time may beat every one that is made of all history. An earlier
champion is a candidate like the others: chosen on the rows just before the holdout, judged on the holdout. So it may
have trained on neither, and takes and answers what the new ones do. Without a time column there are no seasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lifecycle.challenge import Challenge
from lifecycle.ledger import Decision


def eligible(
    decisions: Iterable[Decision], challenges: Mapping[str, Challenge], champion: str | None, chooses: np.datetime64
) -> tuple[str, ...]:
    """Return the versions that served and may be tried again, the oldest first, each model once.

    Args:
        decisions: The ledger.
        challenges: What was decided about each registered version.
        champion: The version that serves, which is compared with anyway.
        chooses: The instant (UTC) of the first row that chooses between candidates.

    A model that somebody went back from is not tried again, whatever number it came under.
    """
    served, left = dict[str, None](), set[str | None]()
    for decision in decisions:
        if decision.to is not None and decision.action in ("promote", "roll_back"):
            served[decision.to] = None
        if decision.action == "roll_back":
            left.add(decision.from_)
    known = {version: challenges[version] for version in served if version in challenges}
    out = {_origin(known, version) for version in (*left, champion) if version in known}
    found = {_origin(known, version): None for version, made in known.items() if _is_older(made, chooses)}
    return tuple(version for version in found if version in known and version not in out)


def spread(versions: Sequence[str], most: int) -> tuple[str, ...]:
    """Return at most so many, evenly from the first to the last: neighbours in time are models alike."""
    if most == 0 or len(versions) <= most:
        return tuple(versions[: most or 0])
    places = np.linspace(0, len(versions) - 1, most).round().astype(int)
    return tuple(versions[place] for place in places.tolist())


def _origin(known: Mapping[str, Challenge], version: str | None) -> str | None:
    """Return the version whose model this is: its own, or the one that it is again."""
    made = known.get(version or "")
    return made.again if made is not None and made.again is not None else version


def _is_older(made: Challenge, chooses: np.datetime64) -> bool:
    """Say whether a model trained on nothing from an instant on. What it says of itself is cut to the second."""
    if made.holdout is None or made.holdout.after is None:
        return False
    return bool(np.datetime64(made.holdout.after.removesuffix("Z")) + np.timedelta64(1, "s") <= chooses)
