"""When a challenger may replace the champion. Pure: scores in, a verdict with reasons out.

The only place that says yes. A number that cannot be computed says neither yes nor no: the verdict is
`undecidable`, and nothing moves.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lifecycle.batch import Reason
from lifecycle.bootstrap import Interval, Paired, interval
from lifecycle.evaluation import EvaluationPolicy, Scorecard
from lifecycle.grounds import PASSES, Ground
from lifecycle.leakage import Leak
from lifecycle.metrics import Metric, higher_is_better, improvement

Verdict = Literal["promote", "refuse", "no_change", "undecidable"]


class PromotionPolicy(BaseModel):
    """How much better, and how sure. Effects are AUC points, or a share of the champion's loss.

    The minimum effect, .005 AUC or 1 %, is what kept stable problems from needless promotions on seven data
    sets; 1,000 resamples settle a 95 % bound to about a tenth of its width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["superior", "non_inferior"] = "superior"
    min_effect: Annotated[float | None, Field(ge=0, description="Default .005 for AUC, .01 for a loss.")] = None
    margin: Annotated[float | None, Field(gt=0, description="Default .005 for AUC, .01 for a loss.")] = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=200, le=20_000)] = 1_000
    seed: int = 17

    def effect(self, metric: Metric) -> float:
        """Return the smallest improvement worth a promotion."""
        return _default(metric) if self.min_effect is None else self.min_effect

    def allowed_loss(self, metric: Metric) -> float:
        """Return the loss that still counts as not inferior."""
        return _default(metric) if self.margin is None else self.margin


@dataclass(frozen=True)
class Contest:
    """What a decision is made from. `champion` and `paired` are both there, or neither is.

    `identical`: the challenger's model and features are the champion's, byte for byte.
    """

    challenger: Scorecard
    champion: Scorecard | None = None
    paired: Paired | None = None
    identical: bool = False
    leaks: tuple[Leak, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The verdict, why, and how sure the difference is."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    interval: Interval | None = field(default=None)


def decide(evaluation: EvaluationPolicy, policy: PromotionPolicy, contest: Contest) -> Decision:
    """Decide whether the challenger may replace the champion. Every reason is told, not only the first."""
    metric = evaluation.metric
    if gaps := _gaps(evaluation, contest):
        return Decision("undecidable", gaps)
    against = [*_leaking(evaluation, contest), *_below_floors(evaluation, contest.challenger)]
    if contest.champion is None or contest.paired is None:
        first = Reason(Ground.NO_CHAMPION, None, "no champion to compare with", "every floor kept")
        return Decision("refuse", tuple(against)) if against else Decision("promote", (first,))
    if contest.identical or np.array_equal(contest.paired.champion, contest.paired.challenger):
        same = Reason(Ground.IDENTICAL, None, "the champion's own scores on every row", "a different model")
        return Decision("no_change", (same,))
    found = interval(metric, contest.paired, confidence=policy.confidence, resamples=policy.resamples, seed=policy.seed)
    if not np.isfinite([found.estimate, found.lower, found.upper]).all():
        unsure = Reason(Ground.NO_INTERVAL, metric, "resamples without a value", "a value for each of them")
        return Decision("undecidable", (unsure,), found)
    against += _worse_slices(evaluation, contest.champion, contest.challenger)
    judged = _superior(policy, metric, found) if policy.rule == "superior" else _not_inferior(policy, metric, found)
    if against or judged.code not in PASSES:
        return Decision("refuse", tuple(against + [judged] * (judged.code not in PASSES)), found)
    return Decision("promote", (judged,), found)


def _default(metric: Metric) -> float:
    return 0.005 if higher_is_better(metric) else 0.01


def _gaps(policy: EvaluationPolicy, contest: Contest) -> tuple[Reason, ...]:
    """Name every number of either scorecard that could not be computed, and a champion without its scores."""
    reasons = []
    for who, card in (("challenger", contest.challenger), ("champion", contest.champion)):
        if card is None:
            continue
        wanted = {str(metric): card.metrics.get(metric, np.nan) for metric in (policy.metric, *policy.floors)}
        wanted |= {f"{one.column}={one.level}": one.value for one in card.slices}
        reasons += [
            Reason(Ground.NOT_COMPUTABLE, name, f"no value for the {who}", "a number", card.rows)
            for name, value in wanted.items()
            if not np.isfinite(value)
        ]
    if (contest.champion is None) != (contest.paired is None):
        reasons.append(Reason(Ground.NOT_PAIRED, None, "scores of one model only", "both models on the same rows"))
    return tuple(reasons)


def _leaking(policy: EvaluationPolicy, contest: Contest) -> list[Reason]:
    return [
        Reason(
            Ground.LEAK,
            leak.feature,
            f"predicts the label alone with {leak.strength:.3f}",
            f"< {policy.leak_threshold}",
        )
        for leak in contest.leaks
    ]


def _below_floors(policy: EvaluationPolicy, card: Scorecard) -> list[Reason]:
    reasons = []
    for metric, floor in policy.floors.items():
        value, up = card.metrics[metric], higher_is_better(metric)
        if (value < floor) if up else (value > floor):
            reasons.append(Reason(Ground.FLOOR, metric, f"{value:.4f}", f"{'>=' if up else '<='} {floor}", card.rows))
    return reasons


def _worse_slices(policy: EvaluationPolicy, champion: Scorecard, challenger: Scorecard) -> list[Reason]:
    before = {(one.column, one.level): one.value for one in champion.slices}
    reasons = []
    for one in challenger.slices:
        change = improvement(policy.metric, before[one.column, one.level], one.value)
        if not change >= -policy.slice_margin:
            name, found = f"{one.column}={one.level}", f"{change:+.4f} {policy.metric}"
            reasons.append(Reason(Ground.SLICE, name, found, f">= -{policy.slice_margin}", one.rows))
    return reasons


def _superior(policy: PromotionPolicy, metric: Metric, found: Interval) -> Reason:
    effect = policy.effect(metric)
    if not found.lower > 0:
        return Reason(Ground.NOT_SIGNIFICANT, metric, _told(found), "an interval above 0")
    if not found.estimate >= effect:
        return Reason(Ground.TOO_SMALL, metric, _told(found), f">= {effect:+.4f}")
    return Reason(Ground.BETTER, metric, _told(found), f">= {effect:+.4f}, interval above 0")


def _not_inferior(policy: PromotionPolicy, metric: Metric, found: Interval) -> Reason:
    margin = policy.allowed_loss(metric)
    if not found.lower > -margin:
        return Reason(Ground.INFERIOR, metric, _told(found), f"an interval above {-margin:+.4f}")
    return Reason(Ground.NOT_INFERIOR, metric, _told(found), f"an interval above {-margin:+.4f}")


def _told(found: Interval) -> str:
    return f"{found.estimate:+.4f} [{found.lower:+.4f}, {found.upper:+.4f}]"
