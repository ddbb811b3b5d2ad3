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
class LabelsLanded(Event):
    """A label file was read; `refused` rows said nothing. `fault`: why the whole file does not."""

    name = EventName.LABELS_LANDED
    identified_by = ("key", "object_version")
    key: str
    object_version: str
    told: int
    refused: int
    fault: str | None
