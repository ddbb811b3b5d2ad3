"""How requests were answered: errors, refusals, slow answers and cold starts of a window, against their limits. Pure.

A share counts as too large when it is above its limit by more than a true share at the limit explains. Faults of one
arm of a release are compared with the other arm elsewhere (`lifecycle/rollout.py`), within minutes.
"""

from __future__ import annotations

from datetime import timedelta

from lifecycle.chance import Hits
from lifecycle.measurement import Gap, Limits, Measurement, Metric, Sample, blind, shared
from lifecycle.monitoring import ServingLimits
from lifecycle.sketch import Sketch


def serving(window: Sketch, limits: ServingLimits, crashed: int = 0) -> tuple[Sample | Measurement, ...]:
    """Measure how a window's requests were answered.

    `crashed`: invocations that ended without a line in the log, known from the function's own metrics only.
    """
    requests, beyond = window.requests + crashed, limits.slow_after / timedelta(milliseconds=1)
    shares: tuple[tuple[Metric, Hits, Limits], ...] = (
        (Metric.ERRORS, Hits(window.failed + crashed, requests), limits.errors),
        (Metric.REFUSED, Hits(window.refused, requests), limits.refused),
        (Metric.SLOW, Hits(window.warm.beyond(beyond), window.warm.total), limits.slow),
        (Metric.COLD, Hits(window.cold, requests), limits.cold),
    )
    return tuple(
        shared(metric, found, limit) if found.of else blind(metric, None, 0, Gap.NO_TRAFFIC)
        for metric, found, limit in shares
    )
