"""What a breach is a sign of. Pure.

Several metrics have one cause, and one cause explains others: data that is wrong makes a model look bad.
"""

from __future__ import annotations

from enum import StrEnum

from lifecycle.episodes import Episode, Watch
from lifecycle.measurement import Metric


class Cause(StrEnum):
    """What is the matter, the most pressing first: an earlier one explains the later ones."""

    SERVING_FAULT = "serving_fault"
    DATA_FAULT = "data_fault"
    PERFORMANCE = "performance"
    ESTIMATE = "estimate"
    LABEL_OUTAGE = "label_outage"
    DRIFT = "drift"
    CAPACITY = "capacity"
    BLIND = "blind"  # nothing could be judged
    NONE = "none"


_CAUSES: dict[Metric, Cause] = {
    Metric.ERRORS: Cause.SERVING_FAULT,
    Metric.SLOW: Cause.SERVING_FAULT,
    Metric.MISSING: Cause.DATA_FAULT,
    Metric.UNSEEN: Cause.DATA_FAULT,
    Metric.CLUMP: Cause.DATA_FAULT,
    Metric.REFUSED: Cause.DATA_FAULT,
    Metric.PERFORMANCE: Cause.PERFORMANCE,
    Metric.CALIBRATION: Cause.PERFORMANCE,
    Metric.ESTIMATE: Cause.ESTIMATE,
    Metric.UNLABELLED: Cause.LABEL_OUTAGE,
    Metric.DELAY: Cause.LABEL_OUTAGE,
    Metric.PSI: Cause.DRIFT,
    Metric.KS: Cause.DRIFT,
    Metric.SCORES: Cause.DRIFT,
    Metric.COLD: Cause.CAPACITY,
}


def pressing_cause(watch: Watch) -> Cause:
    """Return the most pressing cause of what is in breach."""
    causes = {_CAUSES[one.metric] for one in watch.pressing}
    return next((one for one in Cause if one in causes), Cause.NONE)


def of_cause(watch: Watch, cause: Cause) -> tuple[Episode, ...]:
    """Return the episodes in breach that are of a cause, the first one first, of equal ones in the metrics' order."""
    found, order = [one for one in watch.pressing if _CAUSES[one.metric] is cause], list(Metric)
    return tuple(sorted(found, key=lambda one: (one.since, order.index(one.metric), one.key)))
