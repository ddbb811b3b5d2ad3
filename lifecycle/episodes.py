"""When a metric is in breach and when it is over: looks in a row, and calm before it ends. Pure.

A metric that sits on its threshold crosses it at every other look. One episode holds from the first looks in breach
until the metric was calm for a while, so it is told once and answered once. What is a model's own ends with it:
another bundle starts without; a fault of data or of serving outlives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from lifecycle.measurement import Measurement, Metric
from lifecycle.monitoring import ResponsePolicy

# One look may be a calendar's; a fault, a matured window or a loss is what it is.
SLOW_METRICS = frozenset({Metric.PSI, Metric.KS, Metric.SCORES, Metric.ESTIMATE})
# These are measured once a window of matured labels, so one calm look is a window's.
BY_WINDOW = frozenset({Metric.PERFORMANCE, Metric.CALIBRATION, Metric.UNLABELLED, Metric.DELAY})
OF_THE_MODEL = SLOW_METRICS | {Metric.PERFORMANCE, Metric.CALIBRATION}
_CLOSED = ConfigDict(frozen=True, extra="forbid")


class Episode(BaseModel):
    """One metric's breach. `since`: the first look of it; `raised_at`: when it began to count, None before.

    `breaches`: looks in breach in a row; `calm`: looks in a row that were clearly below the threshold. `worst` and
    `last` are what was measured.
    """

    model_config = _CLOSED

    metric: Metric
    column: str | None = None
    since: AwareDatetime
    raised_at: AwareDatetime | None = None
    breaches: Annotated[int, Field(ge=0)] = 1
    calm: Annotated[int, Field(ge=0)] = 0
    worst: Measurement
    last: Measurement

    @property
    def raised(self) -> bool:
        """Say whether it counts."""
        return self.raised_at is not None

    @property
    def key(self) -> str:
        """Return what tells this episode from any other of the same model."""
        return f"{self.metric}/{self.column or ''}/{self.since.isoformat()}"


class Watch(BaseModel):
    """What the monitor remembers of a product between two looks. `blind_since`: when it last began to see nothing."""

    model_config = _CLOSED

    format: Literal[1] = 1
    bundle: str | None = None
    looked_at: AwareDatetime | None = None
    blind_since: AwareDatetime | None = None
    episodes: tuple[Episode, ...] = ()

    @model_validator(mode="after")
    def _one_episode_each(self) -> Self:
        names = [(one.metric, one.column) for one in self.episodes]
        if len(set(names)) != len(names):
            raise ValueError("episodes: a metric is in breach twice")
        return self

    @property
    def raised(self) -> tuple[Episode, ...]:
        """Return the episodes that count."""
        return tuple(one for one in self.episodes if one.raised)

    @property
    def pressing(self) -> tuple[Episode, ...]:
        """Return those that count and do not calm down: what calms down was answered, or passes by itself."""
        return tuple(one for one in self.raised if one.last.state == "breached")


def look(
    watch: Watch,
    bundle: str | None,
    measurements: Sequence[Measurement],
    policy: ResponsePolicy,
    at: datetime,
    *,
    blind: bool = False,
) -> Watch:
    """Return what is known after a look at `at`. The same look again, or an earlier one, changes nothing."""
    if bundle == watch.bundle and watch.looked_at is not None and at <= watch.looked_at:
        return watch
    kept = [one for one in watch.episodes if bundle == watch.bundle or one.metric not in OF_THE_MODEL]
    before = {(one.metric, one.column): one for one in kept}
    seen = {(one.metric, one.column): one for one in measurements}
    followed = [_follow(before.get(name), seen.get(name), policy, at) for name in {**before, **seen}]
    return Watch(
        bundle=bundle,
        looked_at=at,
        blind_since=(watch.blind_since or at) if blind else None,
        episodes=tuple(one for one in followed if one is not None),
    )


def _follow(episode: Episode | None, found: Measurement | None, policy: ResponsePolicy, at: datetime) -> Episode | None:
    """Carry one metric's episode on. What cannot be judged neither raises nor ends one."""
    if found is None or found.state == "undecidable":
        return episode
    if found.state == "breached":
        return _breached(episode, found, policy, at)
    if episode is None:
        return None
    if not episode.raised:
        return episode.model_copy(update={"last": found}) if found.state == "warned" else None
    calm = episode.calm + 1 if _is_calm(found, policy.calm) else 0
    wanted = 1 if found.metric in BY_WINDOW else policy.calm_looks
    return None if calm >= wanted else episode.model_copy(update={"calm": calm, "last": found})


def _breached(episode: Episode | None, found: Measurement, policy: ResponsePolicy, at: datetime) -> Episode:
    wanted = policy.sustained if found.metric in SLOW_METRICS else 1
    if episode is None:
        raised = at if wanted == 1 else None
        return Episode(metric=found.metric, column=found.column, since=at, raised_at=raised, worst=found, last=found)
    breaches = episode.breaches + 1
    raised = episode.raised_at or (at if breaches >= wanted else None)
    worst = max(episode.worst, found, key=lambda one: one.statistic or 0.0)
    return episode.model_copy(
        update={"breaches": breaches, "calm": 0, "raised_at": raised, "worst": worst, "last": found}
    )


def _is_calm(found: Measurement, share: float) -> bool:
    """Say whether a metric is clearly below its threshold, counted from its usual value."""
    if found.statistic is None or found.threshold is None or found.usual is None:
        return False
    return found.statistic - found.usual <= share * (found.threshold - found.usual)
