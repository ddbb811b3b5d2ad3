"""The events about what is watched: what each carries. Standard library only, as `lifecycle/events.py`."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.envelope import Event, EventName


@dataclass(frozen=True, kw_only=True)
class MetricBreached(Event):
    """A look found a metric in breach, or found that nothing could be judged. Wakes `respond`.

    `metric` and `column` are the most pressing one, `breached` names all. `look` is when it was looked; every look
    that finds a breach says so, since whether something follows again is `respond`'s to decide.
    """

    name = EventName.METRIC_BREACHED
    identified_by = ("look",)
    look: str
    cause: str
    metric: str
    column: str | None
    statistic: float | None
    threshold: float | None
    n: int
    since: str
    breached: tuple[str, ...]
    named: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TrafficRose(Event):
    """More is asked of a product than it is kept ready for. Wakes `monitor`, which fits the capacity."""

    name = EventName.TRAFFIC_ROSE
    identified_by = ("firing",)
    firing: str
    alarm: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LabelsLanded(Event):
    """A file of labels was written below `labels/`. Wakes `monitor`, which reads it."""

    name = EventName.LABELS_LANDED
    identified_by = ("bucket", "key", "object_version", "etag")
    bucket: str
    key: str
    object_version: str | None
    etag: str
    size: int
