"""Sequential tests that may be looked at as often as one likes: e-processes. Pure numbers, no policy.

Under the null hypothesis an e-process is a non-negative supermartingale that starts at 1, so the chance that it
ever reaches 1/alpha is at most alpha, however often it is read (Ville). A z-test read at 400 ticks took back 17 %
of healthy releases at a nominal 1 %. Everything here returns the natural logarithm, so that products are sums.

Every process is a function of sums over its steps: the order in which steps are given changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

# How many times worse than tolerated; each alternative gets the same share of the bet. The range goes from what takes
# days of traffic to see up to a model that answers nothing.
GRID = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
# Shares of the largest bet that cannot go bankrupt; small ones find small differences.
_BETS = (0.02, 0.05, 0.1, 0.2, 0.4)
# The pseudo-counts of the Dirichlet mixture in all, as in its authors' own code.
_CONCENTRATION = 100.0
_ROUNDING = 1e-9


class Trials(NamedTuple):
    """Outcomes of one step. `null`: the largest chance of a hit that the null hypothesis allows, within 0 and 1."""

    hits: int
    misses: int
    null: float


class ArmEvents(NamedTuple):
    """Bad events of both arms in one step. `weight`: the configured share of the challenger, within 0 and 1."""

    weight: float
    challenger: int
    champion: int


def multinomial_log_e(counts: Sequence[int], shares: Sequence[float], prior: Sequence[float] | None = None) -> float:
    """Return the log e-value against counts (k,) being drawn with `shares` (k,), in any direction.

    The Dirichlet mixture of Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", 2022.
    `prior` are its pseudo-counts (k,); by default 100 in all, split as the shares.
    """
    if len(counts) != len(shares) or min(shares) <= 0 or not math.isclose(sum(shares), 1):
        raise ValueError(f"{len(counts)} counts against shares {tuple(shares)}: as many positive shares summing to 1.")
    pseudo = [_CONCENTRATION * share for share in shares] if prior is None else prior
    total = math.lgamma(sum(pseudo)) - math.lgamma(sum(pseudo) + sum(counts))
    terms = [
        math.lgamma(a + n) - math.lgamma(a) - n * math.log(p) for a, n, p in zip(pseudo, counts, shares, strict=True)
    ]
    return math.fsum([total, *terms])


def exceeds_log_e(steps: Iterable[Trials]) -> float:
    """Return the log e-value against a hit never being likelier than each step's `null`.

    A mixture over odds that are `GRID` times those of the null; smaller chances than the null only lower it.
    """
    known = [(step.hits, step.hits + step.misses, step.null) for step in steps]
    if not known:
        return 0.0
    hits = sum(hit for hit, _, _ in known)
    logs = [
        hits * math.log(times) - math.fsum([tried * math.log1p(null * (times - 1)) for _, tried, null in known])
        for times in GRID
    ]
    return mixture(logs)


def rate_ratio_log_e(steps: Iterable[ArmEvents], margin: float = 1.0) -> float:
    """Return the log e-value against the challenger's rate of bad events being at most `margin` times the champion's.

    At weight w and rate ratio t a bad event is the challenger's with chance w t / (w t + 1 - w), so the counts of
    events and the configured weight are enough, and the weight may differ from step to step.
    """
    return exceeds_log_e(Trials(step.challenger, step.champion, tolerated_share(step.weight, margin)) for step in steps)


def tolerated_share(weight: float, ratio: float) -> float:
    """Return the share of all bad events that is the challenger's, at a weight and a ratio of rates."""
    return weight * ratio / (weight * ratio + 1 - weight)


def mixture(logs: Sequence[float]) -> float:
    """Return the logarithm of the mean of exponentials."""
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(value - highest) for value in logs) / len(logs))


class PairedBets(BaseModel):
    """Bets that the challenger's loss is larger, on rows that both models scored and whose label came.

    Against the mean of loss(challenger) - loss(champion) being at most `margin`: betting on bounded means
    (Waudby-Smith and Ramdas 2024). Feed the negated differences to show that the challenger is better.
    It is a value, to be kept between runs: give every pair once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    margin: Annotated[float, Field(ge=0, description="Tolerated mean difference, in units of the loss.")] = 0.0
    bound: Annotated[float, Field(gt=0, description="No difference is larger: 1 for Brier, range squared else.")] = 1.0
    pairs: Annotated[int, Field(ge=0)] = 0
    logs: tuple[float, ...] = (0.0,) * len(_BETS)

    @model_validator(mode="after")
    def _can_be_lost(self) -> Self:
        if self.margin >= self.bound or len(self.logs) != len(_BETS):
            raise ValueError(f"margin {self.margin} must lie below bound {self.bound}, with {len(_BETS)} bets")
        return self

    def after(self, differences: NDArray[np.float64]) -> PairedBets:
        """Return the bets after more pairs (n,). Raises ValueError when one is missing or beyond the bound."""
        if not bool(np.all(np.abs(differences) <= self.bound * (1 + _ROUNDING))):
            raise ValueError(f"A paired difference is missing or beyond {self.bound}, the largest there can be.")
        stakes = np.asarray(_BETS)[:, None] / (self.bound + self.margin)
        won = np.log1p(stakes * (differences[None, :] - self.margin)).sum(axis=1)
        logs = tuple(float(log + more) for log, more in zip(self.logs, won, strict=True))
        return self.model_copy(update={"pairs": self.pairs + len(differences), "logs": logs})

    @property
    def log_e(self) -> float:
        """Return the log e-value so far."""
        return mixture(self.logs)
