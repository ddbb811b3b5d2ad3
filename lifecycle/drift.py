"""How far a window's inputs and scores lie from those of the training, column by column. Pure.

Everything is computed from counts over the training profile's bins. p-values: of Pearson's test of homogeneity for
PSI, of the limiting distribution for KS, of Fisher's exact test for shares that rose. Drift explains and alerts; it
decides nothing: `lifecycle/response.py` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lifecycle import chance
from lifecycle.bins import clump_of, coarse, common, totals
from lifecycle.chance import Hits
from lifecycle.measurement import Gap, Limits, Measurement, Metric, Sample, blind
from lifecycle.metrics import Floats
from lifecycle.monitoring import DriftLimits
from lifecycle.profiles import Levels, Numbers, Reference
from lifecycle.shift import shift
from lifecycle.sketch import LevelCounts, NumberCounts, Sketch

# What stands in for an empty bin where only shares are known, by custom: a PSI of counts smooths instead.
_EMPTY = 1e-4


def psi(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the population stability index of two arrays of bin shares (k,).

    Shares are brought to a sum of 1; bins empty in both do not count, one empty in one is taken for .0001. NaN when
    there is nothing to compare: no traffic, or a reference that is no number. Raises ValueError for unequal lengths
    or a negative share.
    """
    before, after = _shares(reference, current)
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return math.nan
    used = (before > 0) | (after > 0)
    before, after = np.maximum(before[used], _EMPTY), np.maximum(after[used], _EMPTY)
    return float(((after - before) * np.log(after / before)).sum())


def js(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the Jensen-Shannon distance, base 2 and within 0 and 1, of two arrays of bin shares (k,); NaN as psi."""
    before, after = _shares(reference, current)
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return math.nan
    middle = (before + after) / 2
    parts = [np.log2(np.divide(one, middle, out=np.ones_like(one), where=one > 0)) @ one for one in (before, after)]
    return math.sqrt(max(0.0, sum(map(float, parts)) / 2))


def ks(reference: Floats, current: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples (n,) and (m,) without missing values; NaN when empty."""
    if not len(reference) or not len(current):
        return math.nan
    places = np.concatenate([reference, current])
    reached = [np.searchsorted(np.sort(one), places, side="right") / len(one) for one in (reference, current)]
    return float(np.abs(reached[0] - reached[1]).max())


def ks_of_counts(reference: Sequence[int], current: Sequence[int]) -> float:
    """Return the KS distance at the edges of common bins: below the exact one by less than a bin's share."""
    before, after = np.cumsum(_shares(reference, current), axis=1)
    return float(np.abs(before - after).max())


@dataclass(frozen=True)
class Drifted:
    """What was measured of a window, and what could not be."""

    samples: tuple[Sample, ...]
    blind: tuple[Measurement, ...]


def shifts(reference: Reference, window: Sketch, limits: DriftLimits) -> Drifted:
    """Measure how the distributions of columns and scores moved. For windows that hold whole cycles of a calendar."""
    found: list[Sample | Measurement] = []
    for name, numbers in reference.numbers.items():
        found += _numbers_moved(_Column(name, reference.uses(name)), numbers, window.numbers[name], limits)
    for name, levels in reference.categories.items():
        found += _levels_moved(_Column(name, reference.uses(name)), levels, window.categories[name], limits)
    before, after = reference.scores.counts, window.scored.counts
    found.append(_moved(Metric.SCORES, _Column(None, None), (before, after), limits.scores))
    return _parted(found)


def faults(reference: Reference, window: Sketch, limits: DriftLimits) -> Drifted:
    """Measure what no calendar explains: missing values, unseen levels, values heaped where few were."""
    found: list[Sample | Measurement] = []
    both: dict[str, Numbers | Levels] = {**reference.numbers, **reference.categories}
    for name, before in both.items():
        after = window.numbers.get(name) or window.categories[name]
        column = _Column(name, reference.uses(name))
        usual, now = Hits(before.missing, before.rows), Hits(after.missing, after.rows)
        found.append(_rose(Metric.MISSING, column, usual, now, limits.missing))
        if isinstance(before, Levels) and isinstance(after, LevelCounts):
            usual, now = Hits(before.other, before.present), Hits(after.unseen.total, after.present)
            found.append(_rose(Metric.UNSEEN, column, usual, now, limits.unseen))
        elif isinstance(before, Numbers) and isinstance(after, NumberCounts):
            found.append(_clumped(column, before, after, limits.clump))
    return _parted(found)


@dataclass(frozen=True)
class _Column:
    name: str | None
    importance: float | None


def _numbers_moved(
    column: _Column, before: Numbers, after: NumberCounts, limits: DriftLimits
) -> Iterator[Sample | Measurement]:
    groups = coarse(before.counts, after.present)
    yield _moved(Metric.PSI, column, (totals(before.counts, groups), totals(after.counts, groups)), limits.psi)
    if before.present and after.present:
        yield _distance(column, before, after, limits.ks)


def _levels_moved(
    column: _Column, before: Levels, after: LevelCounts, limits: DriftLimits
) -> Iterator[Sample | Measurement]:
    groups = common(before, after.present)
    counts = (_grouped(groups, before.levels, before.other), _grouped(groups, after.levels, after.unseen.total))
    yield _moved(Metric.PSI, column, counts, limits.psi)


def _grouped(groups: Sequence[Sequence[str | None]], levels: Mapping[str, int], rest: int) -> list[int]:
    return [sum(rest if name is None else levels[name] for name in group) for group in groups]


def _moved(
    metric: Metric, column: _Column, counts: tuple[Sequence[int], Sequence[int]], limits: Limits
) -> Sample | Measurement:
    before, after = counts
    found = shift(before, after)
    if found is None:
        gap = Gap.NO_TRAFFIC if sum(before) else Gap.NO_REFERENCE
        return blind(metric, column.name, sum(after), gap, column.importance)
    noise, degrees = 1 / sum(before) + 1 / sum(after), sum(map(bool, map(sum, zip(before, after, strict=True)))) - 1
    level = max(limits.warn, found.chance) / noise
    return Sample(
        metric=metric,
        column=column.name,
        n=sum(after),
        statistic=found.psi,
        limits=limits,
        chance=found.chance,
        p=chance.homogeneity_tail(before, after),
        power=chance.chi_square_power(level, degrees, limits.breach / noise),
        importance=column.importance,
    )


def _distance(column: _Column, before: Numbers, after: NumberCounts, limits: Limits) -> Sample:
    usual, now = before.present, after.present
    distance, level = ks_of_counts(before.counts, after.counts), chance.kolmogorov_level(usual, now)
    # Where two curves lie furthest apart, each is a share of its sample; a half varies most.
    power = chance.rise_power(0.5 + limits.breach, 0.5 + max(limits.warn, level), now, usual)
    p = chance.kolmogorov_tail(distance, usual, now)
    return Sample(Metric.KS, column.name, now, distance, limits, level, p, power, importance=column.importance)


def _rose(metric: Metric, column: _Column, usual: Hits, now: Hits, limits: Limits) -> Sample | Measurement:
    if not usual.of or not now.of:
        gap = Gap.NO_TRAFFIC if usual.of else Gap.NO_REFERENCE
        return blind(metric, column.name, now.of, gap, column.importance)
    level = chance.rise_level(usual.share, now.of, usual.of)
    power = chance.rise_power(
        min(1.0, usual.share + limits.breach), max(usual.share + limits.warn, level), now.of, usual.of
    )
    return Sample(
        metric=metric,
        column=column.name,
        n=now.of,
        statistic=now.share,
        limits=limits,
        chance=level,
        p=chance.rise_tail(usual, now),
        power=power,
        usual=usual.share,
        importance=column.importance,
    )


def _clumped(column: _Column, before: Numbers, after: NumberCounts, limits: Limits) -> Sample | Measurement:
    """Measure by how much one rare bin rose above its neighbours: a tail that grew lifts them together."""
    found = clump_of(before.counts, after.counts)
    if found is None:
        gap = Gap.NO_TRAFFIC if before.present else Gap.NO_REFERENCE
        return blind(Metric.CLUMP, column.name, after.present, gap, column.importance)
    usual, now = Hits(before.counts[found.bin], before.present), Hits(after.counts[found.bin], after.present)
    level = chance.rise_level(usual.share, now.of, usual.of, looks=found.looks) - usual.share
    return Sample(
        metric=Metric.CLUMP,
        column=column.name,
        n=now.of,
        statistic=found.rise,
        limits=limits,
        chance=level,
        p=min(1.0, found.looks * chance.rise_tail(usual, now)),
        power=chance.rise_power(usual.share + limits.breach, usual.share + max(limits.warn, level), now.of, usual.of),
        importance=column.importance,
    )


def _parted(found: Sequence[Sample | Measurement]) -> Drifted:
    samples = tuple(one for one in found if isinstance(one, Sample))
    return Drifted(samples, tuple(one for one in found if isinstance(one, Measurement)))


def _shares(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    before, after = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(f"Shares of shape {before.shape} against {after.shape}: both must be of the same bins (k,).")
    if (before < 0).any() or (after < 0).any():
        raise ValueError("A share is negative.")
    with np.errstate(invalid="ignore", divide="ignore"):
        return before / before.sum(), after / after.sum()
