"""What `tropism init --json` prints, and how it is made of a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tasks.drafting import Draft

State = Literal["written", "proposed", "unchanged", "shown"]
_LEFT_OUT = ("giveaway", "later", "identifier", "constant", "empty", "key")
_LOUD = ("giveaway", "later")


@dataclass(frozen=True)
class LeftOut:
    """A column no model learns from, and why."""

    column: str
    because: str
    why: str


@dataclass(frozen=True)
class Rehearsed:
    """What ingest and training would make of the files: whether a first model would serve, and if not, why."""

    would_serve: bool
    verdict: str | None
    judged: int
    metrics: Mapping[str, float]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Initialised:
    """`init`: what was understood of the files, and what became of the product's own files.

    `state`: written, proposed (they exist and differ: `changes` says how), unchanged, or shown (nobody said yes).
    """

    product: str
    state: State
    task: str
    target: str
    time: str | None
    grain: tuple[str, ...]
    rows: int
    held_back: int
    features: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    leaks: tuple[str, ...]
    metric: str
    floors: Mapping[str, float]
    notes: tuple[str, ...]
    files: tuple[str, ...]
    changes: str
    rehearsed: Rehearsed | None = None


def shape(found: Draft, state: State, changes: str) -> Initialised:
    """Return what was understood as scripts see it."""
    known = found.understood
    policy = known.sizing.evaluation
    left = [part for part in known.parts if part.role in _LEFT_OUT]
    return Initialised(
        product=known.name,
        state=state,
        task=known.task.task,
        target=known.target,
        time=known.time,
        grain=known.grain,
        rows=found.rows.received,
        held_back=found.rows.quarantined,
        features=tuple(column.name for column in known.columns if column.input),
        left_out=tuple(LeftOut(part.name, part.role, part.why) for part in left),
        leaks=tuple(part.name for part in left if part.role in _LOUD),
        metric=policy.metric,
        floors={str(metric): floor for metric, floor in policy.floors.items()},
        notes=known.notes,
        files=tuple(found.files),
        changes=changes,
    )


def rehearsed(root: Path, name: str, paths: Sequence[Path]) -> Rehearsed:
    """Work through ingest and training with the files as they are now, a person's changes included."""
    from flows.rehearsal import rehearse

    seen = rehearse(root, name, paths)
    gate = [f"{one.file}: {reason}" for one in seen.taken if one.state == "quarantined" for reason in one.reasons]
    return Rehearsed(
        would_serve=seen.would_serve,
        verdict=seen.verdict,
        judged=seen.judged,
        metrics={str(metric): value for metric, value in seen.metrics.items()},
        reasons=(*gate, *(str(reason) for reason in seen.reasons)),
    )
