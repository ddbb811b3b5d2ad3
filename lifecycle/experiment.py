"""An experiment on live requests, and what its outcomes say: which arm is better, or why nobody can tell. Pure.

One unit counts once, by the first prediction it was given and that prediction's label. Every test is an e-process
that may be looked at as often as one likes. It is a product over units, so the order in which labels come changes
nothing. Who was exposed and what became of them is `lifecycle/exposure.py`; giving an experiment the requests is
`lifecycle/experimenting.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from typing import Literal

import numpy as np

from lifecycle.batch import Reason
from lifecycle.experiment_plan import ArmPlan, ExperimentPlan
from lifecycle.metrics import Floats
from lifecycle.sequential import PairedBets, mixture, multinomial_log_e

# A broken split voids everything that was learned, so it has to be all but certain. One in a thousand is the usual
# level for it: Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019.
SPLIT_ALPHA = 0.001
# Where a bet on an outcome changes its sign. Bets around the usual outcome see the smallest differences, and nobody
# has to say beforehand what that is: rare successes are seen from 0, rare failures from 1.
_CENTRES = (0.0, 0.25, 0.5, 0.75, 1.0)

State = Literal["running", "winner", "broken_split", "cannot_judge"]


class Sign(StrEnum):
    """One reason of a verdict."""

    SPLIT_BROKEN = "SPLIT_BROKEN"  # units are not split as configured
    NOT_STICKY = "NOT_STICKY"  # a unit was given another arm than its own
    LABELS_UNEVEN = "LABELS_UNEVEN"  # labels come for one arm more often than for another
    OUTCOME_OUTSIDE = "OUTCOME_OUTSIDE"  # a label is no number, or beyond the range that was said
    NO_UNITS = "NO_UNITS"
    NO_LABELS = "NO_LABELS"
    NOT_YET = "NOT_YET"  # no arm is better than every other for sure
    BETTER = "BETTER"


@dataclass(frozen=True)
class ArmOutcomes:
    """What is known of one arm: its plan, how many units were exposed to it, and the labels that came (n,)."""

    plan: ArmPlan
    exposed: int
    labels: Floats


@dataclass(frozen=True)
class Observed:
    """Everything known. `misplaced`: records whose arm is not their unit's; `unread`: labels that are no number."""

    arms: tuple[ArmOutcomes, ...]
    misplaced: int = 0
    unread: int = 0


@dataclass(frozen=True)
class Comparison:
    """How strongly the outcomes say that one arm is better than another, against how strongly they must."""

    better: str
    than: str
    log_e: float
    needed: float

    @property
    def shown(self) -> bool:
        """Say whether it is certain enough."""
        return self.log_e >= self.needed


@dataclass(frozen=True)
class Verdict:
    """What is to be said of an experiment now. Without a verdict of its own it is `running`."""

    state: State
    reasons: tuple[Reason, ...]
    winner: str | None = None
    comparisons: tuple[Comparison, ...] = ()


def judge(plan: ExperimentPlan, observed: Observed) -> Verdict:
    """Judge an experiment by what is known. Nothing is compared before the split and the labels can be trusted."""
    units = sum(arm.exposed for arm in observed.arms)
    if observed.misplaced:
        found = Reason(Sign.NOT_STICKY, None, f"{observed.misplaced:,} requests with another arm", "none")
        return Verdict("cannot_judge", (found,))
    if not units:
        return Verdict("running", (Reason(Sign.NO_UNITS, None, "no unit yet", "at least one in every arm"),))
    if (split := _uneven(Sign.SPLIT_BROKEN, "units", [arm.exposed for arm in observed.arms], observed)) is not None:
        return Verdict("broken_split", (split,))
    if doubts := _doubts(plan, observed):
        return Verdict("cannot_judge", doubts)
    if not any(len(arm.labels) for arm in observed.arms):
        return Verdict("running", (Reason(Sign.NO_LABELS, None, f"no label for {units:,} units", "labels"),))
    return _compared(plan, observed)


def better_log_e(plan: ExperimentPlan, one: ArmOutcomes, other: ArmOutcomes) -> float:
    """Return the log e-value against `one` having at most the mean outcome of `other`.

    Given its outcome, a unit of these two is `one`'s with a chance that follows from the weights, if the arms are
    equal. The bets are on outcome times arm, both centred, whose mean has the sign of the difference of means.
    """
    share = one.plan.weight / (one.plan.weight + other.plan.weight)
    outcomes = np.concatenate([plan.scaled(one.labels), plan.scaled(other.labels)])
    ours = np.concatenate([np.ones(len(one.labels)), np.zeros(len(other.labels))]) - share
    return mixture([_bet(outcomes, ours, centre, max(share, 1 - share)) for centre in _CENTRES])


def _bet(outcomes: Floats, ours: Floats, centre: float, longest: float) -> float:
    bound = max(centre, 1 - centre) * longest
    return PairedBets(bound=bound).after((outcomes - centre) * ours).log_e


def _compared(plan: ExperimentPlan, observed: Observed) -> Verdict:
    pairs = list(permutations(observed.arms, 2))
    needed = math.log(len(pairs) / plan.alpha)
    comparisons = tuple(
        Comparison(one.plan.name, other.plan.name, better_log_e(plan, one, other), needed) for one, other in pairs
    )
    shown = {(found.better, found.than) for found in comparisons if found.shown}
    names = [arm.plan.name for arm in observed.arms]
    winner = next((one for one in names if all((one, other) in shown for other in names if other != one)), None)
    leading = max(comparisons, key=lambda found: found.log_e)
    found = f"{leading.better} over {leading.than} with log e {leading.log_e:.2f}"
    if winner is None:
        reason = Reason(Sign.NOT_YET, None, found, f"one arm over every other with {needed:.2f}")
        return Verdict("running", (reason,), comparisons=comparisons)
    least = min(one.log_e for one in comparisons if one.better == winner)
    reason = Reason(Sign.BETTER, None, f"{winner} over every other with log e {least:.2f}", f"at least {needed:.2f}")
    return Verdict("winner", (reason,), winner, comparisons)


def _doubts(plan: ExperimentPlan, observed: Observed) -> tuple[Reason, ...]:
    """Return why outcomes cannot be compared, though the units are split as they should be."""
    found = []
    outside = sum(plan.count_outside(arm.labels) for arm in observed.arms) + observed.unread
    if outside:
        expected = f"numbers from {plan.low:g} to {plan.high:g}"
        found.append(Reason(Sign.OUTCOME_OUTSIDE, None, f"{outside:,} labels beyond", expected))
    uneven = _uneven(Sign.LABELS_UNEVEN, "labelled units", [len(arm.labels) for arm in observed.arms], observed)
    return (*found, uneven) if uneven is not None else tuple(found)


def _uneven(sign: Sign, what: str, counts: list[int], observed: Observed) -> Reason | None:
    """Return the reason when counts are not split by the weights, which chance alone does to one in a thousand."""
    weights = [arm.plan.weight for arm in observed.arms]
    log_e = multinomial_log_e(counts, weights)
    if log_e < -math.log(SPLIT_ALPHA):
        return None
    total = sum(counts)
    found = ", ".join(f"{arm.plan.name} {n:,}" for arm, n in zip(observed.arms, counts, strict=True))
    expected = ", ".join(f"{arm.plan.name} {total * arm.plan.weight:,.0f}" for arm in observed.arms)
    return Reason(sign, None, f"{what}: {found} (log e {log_e:.2f})", expected)
