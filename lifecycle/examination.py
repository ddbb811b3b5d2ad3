"""One look at a product: everything that can be measured of its windows, judged together. Pure.

The windows and labels are given; what follows from the look is `lifecycle/episodes.py` and `lifecycle/response.py`.
What could not be looked at is in it too, with the reason: a look that saw nothing is no good news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lifecycle import drift, estimate
from lifecycle.estimate import Estimate, Past
from lifecycle.measurement import Gap, Measurement, Metric, Sample, State, blind, judge
from lifecycle.metrics import Floats, higher_is_better
from lifecycle.metrics import Metric as Score
from lifecycle.monitoring import MonitorPolicy
from lifecycle.performance import Outcomes, Realised, calibration, late, performance, realise, unlabelled
from lifecycle.profiles import Reference
from lifecycle.ranking import NAMED, Contribution, Effect, rank
from lifecycle.serving_health import serving
from lifecycle.sketch import Sketch

_OF_A_PROFILE = (Metric.PSI, Metric.SCORES, Metric.MISSING)
Family = Literal["serving", "inputs", "performance"]
_FAMILIES: Mapping[Metric, Family] = {
    **dict.fromkeys((Metric.ERRORS, Metric.REFUSED, Metric.SLOW, Metric.COLD), "serving"),
    **dict.fromkeys((Metric.PSI, Metric.KS, Metric.MISSING, Metric.UNSEEN, Metric.CLUMP, Metric.SCORES), "inputs"),
    Metric.PERFORMANCE: "performance",
}
_PASSING = (Gap.TOO_FEW, Gap.NOT_MATURED)


@dataclass(frozen=True)
class Windows:
    """What was answered. `wide` holds whole cycles of a calendar, `recent` shows faults.

    `crashed`: recent invocations that ended without a line in the log.
    """

    wide: Sketch
    recent: Sketch
    crashed: int = 0


@dataclass(frozen=True)
class Labelled:
    """The newest window whose labels are due. `delays` (n,): seconds from prediction to first label."""

    outcomes: Outcomes
    delays: Floats


@dataclass(frozen=True)
class Yardstick:
    """What a look is measured by. `metric`: the product's own; `past`: estimates whose labels came."""

    metric: Score
    reference: Reference | None
    past: tuple[Past, ...] = ()
    contributions: Mapping[str, Contribution] | None = None


@dataclass(frozen=True)
class Examination:
    """What came of a look. `effects`: drifted columns, the one that matters most first."""

    measurements: tuple[Measurement, ...]
    realised: Realised | None
    estimate: Estimate | None
    effects: tuple[Effect, ...]

    @property
    def undecided(self) -> tuple[Family, ...]:
        """Return what could not be judged at all. Labels that are not due yet are no gap."""
        return self._without(lambda one: one.state != "undecidable" or one.gap is Gap.NOT_MATURED)

    @property
    def blind(self) -> tuple[Family, ...]:
        """Return what cannot be judged until somebody does something; too few rows pass with time."""
        return self._without(lambda one: one.state != "undecidable" or one.gap in _PASSING)

    @property
    def state(self) -> State:
        """Return the worst of it; not to know is worse than to be warned."""
        states = {one.state for one in self.measurements}
        if "breached" in states:
            return "breached"
        if self.undecided:
            return "undecidable"
        return "warned" if "warned" in states else "ok"

    def _without(self, known: Callable[[Measurement], bool]) -> tuple[Family, ...]:
        """Return the families that were looked at, and of which no used measurement is known."""
        seen: dict[Family, bool] = {}
        for one in self.measurements:
            family = _FAMILIES.get(one.metric)
            if family is not None and one.importance != 0:
                seen[family] = seen.get(family, False) or known(one)
        return tuple(family for family, judged in seen.items() if not judged)

    @property
    def named(self) -> tuple[str, ...]:
        """Return the columns to name when somebody asks what drifted."""
        return tuple(one.column for one in self.effects[:NAMED])


def examine(
    policy: MonitorPolicy, by: Yardstick, windows: Windows, labelled: Labelled | None, now: datetime
) -> Examination:
    """Measure and judge everything; one family, so that many looks at once make no alarm."""
    found: list[Sample | Measurement] = [*serving(windows.recent, policy.serving, windows.crashed)]
    realised, expected = None, None
    if by.reference is None:
        found += [blind(metric, None, windows.wide.rows, Gap.NO_REFERENCE) for metric in _OF_A_PROFILE]
    else:
        found += _distributions(policy, by.reference, windows)
        expected = estimate.estimate(by.metric, by.reference, windows.wide, by.past, policy.outcomes.seed)
        if labelled is not None:
            realised = realise(by.metric, by.reference, labelled.outcomes, policy.outcomes, now)
            found += _realised(policy, by.reference, labelled, realised)
        elif by.reference.metrics.get(by.metric) is None:  # no label will ever tell, so it is said at once
            found.append(blind(Metric.PERFORMANCE, None, 0, Gap.NO_REFERENCE))
    if labelled is not None and policy.outcomes.due is not None:
        found.append(unlabelled(labelled.outcomes, policy.outcomes.unlabelled))
        found.append(late(labelled.delays, policy.outcomes.due, policy.outcomes.unlabelled))
    if expected is not None:
        found.append(_estimated(policy, expected, windows.wide.scored.present, found))
    judged = judge([one for one in found if isinstance(one, Sample)], policy.false_discovery)
    measurements = (*judged, *(one for one in found if isinstance(one, Measurement)))
    return Examination(measurements, realised, expected, rank(measurements, by.contributions))


def _distributions(policy: MonitorPolicy, reference: Reference, windows: Windows) -> list[Sample | Measurement]:
    moved = drift.shifts(reference, windows.wide, policy.drift)
    faulty = drift.faults(reference, windows.recent, policy.drift)
    blinds = [
        one.model_copy(update={"gap": Gap.NOT_LOGGED})
        if one.gap is Gap.NO_TRAFFIC and _is_silent(one, windows)
        else one
        for one in (*moved.blind, *faulty.blind)
    ]
    return [*moved.samples, *faulty.samples, *blinds]


def _is_silent(one: Measurement, windows: Windows) -> bool:
    """Say whether rows were answered and the log does not hold their columns, which is a product's own choice."""
    return one.column is not None and windows.wide.rows > 0 and windows.wide.described == 0


def _realised(
    policy: MonitorPolicy, reference: Reference, labelled: Labelled, realised: Realised
) -> list[Sample | Measurement]:
    found: list[Sample | Measurement] = [performance(realised, reference, policy.outcomes)]
    if realised.state == "final":
        found.append(calibration(labelled.outcomes, reference, policy.outcomes.calibration))
    return found


def _estimated(
    policy: MonitorPolicy, found: Estimate, rows: int, others: Sequence[Sample | Measurement]
) -> Sample | Measurement:
    """Withhold the estimate where the holdout's calibration was poor or the newest labels say that it is gone."""
    limits = policy.outcomes.estimate or policy.outcomes.drop(higher_is_better=higher_is_better(found.metric))
    broken = any(
        isinstance(one, Sample) and one.metric is Metric.CALIBRATION and one.statistic > one.breach_at for one in others
    )
    known = found.metric in estimate.ESTIMATED
    return estimate.sample(found, rows, limits, calibrated=known and not broken)
