"""How far the next delivery may differ from a profile before it is an alarm: bounds from sample sizes, not from taste.

Every bound is wide enough for chance in a delivery of the fewest rows that are let in, five spreads of it, and for
as much again as the column varied between the stretches of the profile. Five spreads are 6 in ten million per
bound: a suite of a hundred bounds raises one false alarm in ten thousand deliveries.
"""

from __future__ import annotations

import math

import numpy as np

from lifecycle.profiling import ColumnProfile, Numbers, Texts

SPREADS = 5.0
# A delivery of a twentieth of the profile's rows is a stub; a thousand rows are enough to look at anything.
STUB_SHARE, STUB_ROWS, FEWEST_ROWS = 20, 1_000, 20
MOST_TIMES = 20
# Unseen levels: a twentieth of the rows under new names is another coding, whatever the column.
NEW_LEVELS = 0.05
# Beyond the seen extremes: half the spread again where the ends are full, ten times where the tail is long.
_BESIDE, _FAR = 0.5, 10.0
# The end is full when the outermost hundredth lies within a fifth of the whole range.
_FULL_END = 0.2
_DIGITS = 3
# One in a million deliveries.
_NEVER = 1e-6


def row_bounds(rows: int) -> tuple[int, int]:
    """Return the fewest and most rows of a delivery, of a profile of so many rows in its usual file."""
    return max(FEWEST_ROWS if rows > 2 * FEWEST_ROWS else 1, min(STUB_ROWS, rows // STUB_SHARE)), rows * MOST_TIMES


def most_missing(one: ColumnProfile, least: int) -> float:
    """Return the largest share of missing values that is no alarm in a delivery of at least `least` rows."""
    share = max(one.missing_share, 1 / max(one.rows, 1))
    chance = SPREADS * math.sqrt(share * (1 - share) * (1 / least + 1 / one.rows))
    varied = max(one.missing_by_stretch) - min(one.missing_by_stretch)
    return min(one.missing_share + chance + varied + 2 / least, 1.0)


def number_range(numbers: Numbers) -> tuple[float, float]:
    """Return bounds for single values. A column that was never negative stays so; codes of 0 and 1 stay those."""
    low, high = numbers.least, numbers.most
    if numbers.levels and set(numbers.levels) <= {0.0, 1.0}:
        return 0.0, 1.0
    span = high - low
    full_above = high - numbers.quantile(0.99) <= _FULL_END * span
    full_below = numbers.quantile(0.01) - low <= _FULL_END * span
    upper = high + span * (_BESIDE if full_above else _FAR)
    lower = low - span * (_BESIDE if full_below else _FAR)
    if low >= 0:
        lower = 0.0
    if high <= 0:
        upper = 0.0
    return _down(lower), _up(upper)


def quantile_bounds(numbers: Numbers, share: float, rows: int, least: int) -> tuple[float, float] | None:
    """Return bounds for one quartile of a delivery, None when no delivery could break them.

    By ranks, so whatever the distribution: a quantile of m rows lies between those of share ± 5 sqrt(share (1 -
    share) (1/m + 1/n)); then as much again as the stretches varied, and a tenth of the middle half.
    """
    away = SPREADS * math.sqrt(share * (1 - share) * (1 / least + 1 / max(rows, 1)))
    column = {0.25: 0, 0.5: 1, 0.75: 2}[share]
    seen = numbers.quartiles[:, column]
    varied = float(np.nanmax(seen) - np.nanmin(seen))
    room = varied + 0.1 * (numbers.quantile(0.75) - numbers.quantile(0.25))
    low, high = numbers.quantile(max(share - away, 0)) - room, numbers.quantile(min(share + away, 1)) + room
    possible = number_range(numbers)
    bounds = max(_down(low), possible[0]), min(_up(high), possible[1])
    return None if bounds == possible else bounds


def new_levels(texts: Texts, present: int) -> float:
    """Return the share of values of unknown levels that is no alarm.

    Levels seen once are as frequent as those never seen (Good and Turing); three times that, a twentieth at least.
    """
    return min(max(NEW_LEVELS, 3 * texts.once / max(present, 1)), 1.0)


def usual_share(count: int, rows: int, least: int) -> float:
    """Return the least share of the most frequent class: the others may double, or be as many as chance makes them."""
    others = 1 - count / rows
    chance = SPREADS * math.sqrt(others * (1 - others) * (1 / least + 1 / rows))
    return max(1 - max(2 * others, others + chance), 0.0)


def always_seen(one: ColumnProfile, least: int) -> bool:
    """Say whether every delivery of at least `least` rows has values of a column: a rule without any cannot judge."""
    if one.missing == 0:
        return True
    seen = 1 - max(one.missing_by_stretch)
    return seen > 0 and math.exp(-seen * least) < _NEVER


def _up(value: float) -> float:
    return _rounded(value, math.ceil)


def _down(value: float) -> float:
    return _rounded(value, math.floor)


def _rounded(value: float, to: object) -> float:
    """Round away to three digits, so that a bound reads like one."""
    if value == 0 or not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    rounded = to(round(value / step, 6)) * step  # type: ignore[operator]
    return float(f"{rounded:.{_DIGITS + 1}g}")
