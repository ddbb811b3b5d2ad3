"""What init says of columns that give the target away: these are left out, and about those a person is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lifecycle.columns import Array
from lifecycle.giveaways import SUSPICIOUS, that_add_up, that_come_later, that_predict
from lifecycle.guessing import USED, Part, Role
from lifecycle.leakage import Leak, subjects
from lifecycle.metrics import Floats, TaskKind

Key = tuple[Sequence[str], str | None]
"""The columns that identify a row, and the one that says when it happened."""


def giveaways(
    parts: Sequence[Part], columns: Mapping[str, Array], task: TaskKind, labels: Floats, key: Key
) -> dict[str, tuple[Role, str]]:
    """Return the columns that give the target away, each with how it was noticed."""
    _, time = key
    found: dict[str, tuple[Role, str]] = {}
    if time is not None:
        dates = [part.name for part in parts if part.role == "date"]
        for name, share in that_come_later(dates, columns, time).items():
            found[name] = ("later", f"after {time} in {share:.0%} of its rows: known only afterwards, it seems")
    for leak in that_predict(_asked(parts, key), columns, task, labels):
        found[leak.feature] = ("giveaway", f"{_strong(leak, task)}: a leak, it seems")
    if task in ("regression", "counts"):
        numbers = [part.name for part in parts if part.role == "number" and part.name not in found]
        for name in that_add_up(numbers, columns, labels):
            found[name] = ("giveaway", "adds up to the target with others: a leak, it seems")
    return found


def suspects(
    parts: Sequence[Part], columns: Mapping[str, Array], task: TaskKind, labels: Floats, key: Key
) -> tuple[str, ...]:
    """Return what to ask about the columns that stay, though each predicts the target nearly alone."""
    return tuple(
        f"{leak.feature} {_strong(leak, task)}: if it is known only afterwards, take it out of `features`"
        for leak in that_predict(_asked(parts, key), columns, task, labels, SUSPICIOUS)
    )


def _asked(parts: Sequence[Part], key: Key) -> list[str]:
    """Return the columns a model would learn from, without those that say whom a row is about."""
    known = subjects(*key, [part.name for part in parts if part.role in ("category", "encoded")])
    return [part.name for part in parts if part.role in USED and part.name not in known]


def _strong(leak: Leak, task: TaskKind) -> str:
    how = {"binary": "AUC", "multiclass": "share of wrong guesses avoided"}.get(task, "correlation")
    return f"alone predicts {how} {leak.strength:.3f} of the target"
