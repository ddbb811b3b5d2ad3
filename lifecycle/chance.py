"""What chance alone does: tail probabilities, chance levels and power for counts, and many tests at once. Pure.

Closed forms from the standard library; exact where counts are small, since a normal curve puts a rare event's tail
at a tenth of what it is. No threshold of a product lives here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

# Chance exceeds a chance level once in a hundred looks.
CONFIDENCE = 0.99
_NORMAL = NormalDist()
# Terms of a tail beyond twenty standard deviations add less than rounding does.
_DEVIATIONS, _SPARE_TERMS = 20.0, 50


class Hits(NamedTuple):
    """So many of so many."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """Return hits per trial; NaN without a trial."""
        return self.hits / self.of if self.of else math.nan


def chi_square_tail(value: float, degrees: int) -> float:
    """Return the chance that chi-square exceeds `value`: the closed form for whole degrees of freedom."""
    if degrees == 0 or value <= 0:
        return 1.0
    half = value / 2
    if degrees % 2:
        first, terms = math.erfc(math.sqrt(half)), range((degrees - 1) // 2)
        logs = [(at + 0.5) * math.log(half) - half - math.lgamma(at + 1.5) for at in terms]
    else:
        first, logs = 0.0, [at * math.log(half) - half - math.lgamma(at + 1) for at in range(degrees // 2)]
    return min(1.0, first + math.fsum(math.exp(log) for log in logs))


def chi_square_power(value: float, degrees: int, shift: float) -> float:
    """Return the chance that a chi-square with noncentrality `shift` exceeds `value`.

    The cube-root approximation of Abdel-Aty (1954), within .02 of the exact one.
    """
    if degrees == 0:
        return 0.0
    centre = degrees + shift
    spread = 2 * (degrees + 2 * shift) / (9 * centre**2)
    return 1 - _NORMAL.cdf(((max(value, 0.0) / centre) ** (1 / 3) - 1 + spread) / math.sqrt(spread))


def homogeneity_tail(reference: Sequence[int], current: Sequence[int]) -> float:
    """Return Pearson's p-value of counts (k,) and (k,) being drawn from one distribution; 1 with nothing to compare."""
    counts = np.asarray([reference, current], dtype=np.float64)
    counts = counts[:, counts.any(axis=0)]
    sizes = counts.sum(axis=1, keepdims=True)
    if counts.shape[1] < 2 or not sizes.all():  # noqa: PLR2004  # one common bin
        return 1.0
    expected = sizes * counts.sum(axis=0, keepdims=True) / sizes.sum()
    return chi_square_tail(float((np.square(counts - expected) / expected).sum()), counts.shape[1] - 1)


def kolmogorov_tail(distance: float, reference: int, current: int) -> float:
    """Return the limiting p-value of a two-sample KS distance; on binned counts it errs towards 1."""
    scaled = distance**2 * reference * current / (reference + current)
    if scaled < 0.04:  # noqa: PLR2004  # the series converges too slowly where the answer is 1 to 12 digits
        return 1.0
    return min(1.0, max(0.0, 2 * math.fsum((-1) ** (at - 1) * math.exp(-2 * at**2 * scaled) for at in range(1, 40))))


def kolmogorov_level(reference: int, current: int) -> float:
    """Return the KS distance that chance exceeds once in a hundred looks."""
    return math.sqrt(-math.log((1 - CONFIDENCE) / 2) / 2 * (1 / reference + 1 / current))


def rise_tail(reference: Hits, current: Hits) -> float:
    """Return the chance of so many current hits or more when both shares are the same: Fisher's exact test."""
    marked, total, drawn, found = reference.hits + current.hits, reference.of + current.of, current.of, current.hits
    if found <= max(0, drawn + marked - total):
        return 1.0
    log = _log_choose(marked, found) + _log_choose(total - marked, drawn - found) - _log_choose(total, drawn)
    at = np.arange(found, min(found + _terms(drawn, marked / total), marked, drawn), dtype=np.float64)
    return _tail(log, (marked - at) * (drawn - at) / ((at + 1) * (total - marked - drawn + at + 1)))


def beyond_tail(current: Hits, rate: float) -> float:
    """Return the chance of so many hits or more at a true `rate`, within 0 and 1: the binomial tail."""
    if current.hits == 0:
        return 1.0
    log = _log_choose(current.of, current.hits) + current.hits * math.log(rate)
    log += (current.of - current.hits) * math.log1p(-rate)
    at = np.arange(current.hits, min(current.hits + _terms(current.of, rate), current.of), dtype=np.float64)
    return _tail(log, (current.of - at) / (at + 1) * rate / (1 - rate))


def rise_level(rate: float, current: int, reference: int | None = None, *, looks: int = 1) -> float:
    """Return the share of `current` trials that chance exceeds once in a hundred times at a true `rate`.

    `reference`: on how many trials the rate is known; None: it is exact. `looks`: at how many such shares one looks
    for the largest. The normal quantile with the correction for skewness (Cornish and Fisher 1938) and half a count
    for whole numbers.
    """
    quantile = _NORMAL.inv_cdf(1 - (1 - CONFIDENCE) / looks)
    spread = math.sqrt(rate * (1 - rate) * (1 / current + (1 / reference if reference else 0.0)))
    skew = (quantile**2 - 1) / 6 * (1 - 2 * rate) / current
    return min(1.0, rate + quantile * spread + skew + 0.5 / current)


def rise_power(rate: float, level: float, current: int, reference: int | None = None) -> float:
    """Return the chance that a true `rate` shows a share above `level`."""
    spread = math.sqrt(max(rate * (1 - rate), 1e-12) * (1 / current + (1 / reference if reference else 0.0)))
    return _NORMAL.cdf((rate - level) / spread)


def adjusted(ps: Sequence[float]) -> tuple[float, ...]:
    """Return the p-values (m,) adjusted for being m, by Benjamini and Hochberg (1995).

    Calling everything at or below q a discovery keeps the expected share of false ones at q or below; with no true
    one at all, the chance of any.
    """
    order = np.argsort(ps)
    scaled = np.asarray(ps, dtype=np.float64)[order] * len(ps) / np.arange(1, len(ps) + 1)
    found = np.empty(len(ps))
    found[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return tuple(found.tolist())


def _terms(drawn: int, rate: float) -> int:
    return int(_DEVIATIONS * math.sqrt(drawn * rate) + _SPARE_TERMS)


def _tail(log: float, ratios: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Sum a probability given by its logarithm and the ratios of each following one to the one before."""
    return min(1.0, math.exp(log) * float(1 + np.cumprod(ratios).sum()))


def _log_choose(of: int, some: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)
