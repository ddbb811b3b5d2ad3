"""What is kept of an hour of predictions: counts over the training profile's bins, of bounded size. Pure.

Sketches of one bundle add up: a month is seven hundred small sums and no log is read again. Adding is exact, in any
order and any grouping, so two people who add the same hours have the same numbers. Making one from rows is
`lifecycle/sketching.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.profiles import Count, Levels, Numbers

# Latencies are told within 2 %, which is finer than two measurements of the same request agree.
PRECISION = 0.02
_GROWTH = (1 + PRECISION) / (1 - PRECISION)
# From a microsecond to the 15 minutes a function may run: below 600 bins.
_SHORTEST, _LONGEST = 1e-3, 900_000.0
# Names of unseen levels that are kept: enough to see what happened, too few to fill a disk.
KEPT_NAMES = 20
# Codes, statuses and reasons are this project's own and far fewer; a stranger's flood ends here.
KEPT_CODES = 100
_CLOSED = ConfigDict(frozen=True, extra="forbid")
Name = TypeVar("Name", str, int)


class Tally(BaseModel):
    """Counts of names that nobody knows beforehand, `most` of them kept by name.

    Kept are the names whose hash is smallest, not the most frequent ones: every sum of parts then keeps the same
    names with exact counts, however it is grouped. `total` counts all.
    """

    model_config = _CLOSED

    total: Count = 0
    named: dict[str, Count] = {}
    most: Annotated[int, Field(gt=0)] = KEPT_NAMES

    def plus(self, counts: Mapping[str, int], total: int | None = None) -> Tally:
        """Return the tally with more counts; `total` when they are not all there is."""
        summed = {name: self.named.get(name, 0) + counts.get(name, 0) for name in {**self.named, **counts}}
        kept = sorted(summed, key=_place)[: self.most]
        return Tally(
            total=self.total + (sum(counts.values()) if total is None else total),
            named={name: summed[name] for name in sorted(kept)},
            most=self.most,
        )

    def merged(self, other: Tally) -> Tally:
        """Return the sum of both."""
        return self.plus(other.named, other.total)


class NumberCounts(BaseModel):
    """Counts over the bins of the profile's column of the same name."""

    model_config = _CLOSED

    counts: tuple[Count, ...]
    missing: Count = 0

    @property
    def present(self) -> int:
        """Return how many values there were."""
        return sum(self.counts)

    @property
    def rows(self) -> int:
        """Return how many rows there were."""
        return self.present + self.missing

    def merged(self, other: NumberCounts) -> NumberCounts:
        """Return the sum of both. Raises ValueError when the bins are not the same."""
        added = tuple(one + two for one, two in zip(self.counts, other.counts, strict=True))
        return NumberCounts(counts=added, missing=self.missing + other.missing)


class LevelCounts(BaseModel):
    """Counts of the profile's levels, and of those that it does not name."""

    model_config = _CLOSED

    levels: dict[str, Count]
    unseen: Tally = Tally()
    missing: Count = 0

    @property
    def present(self) -> int:
        """Return how many values there were."""
        return sum(self.levels.values()) + self.unseen.total

    @property
    def rows(self) -> int:
        """Return how many rows there were."""
        return self.present + self.missing

    def merged(self, other: LevelCounts) -> LevelCounts:
        """Return the sum of both."""
        return LevelCounts(
            levels=_added(self.levels, other.levels),
            unseen=self.unseen.merged(other.unseen),
            missing=self.missing + other.missing,
        )


class Latency(BaseModel):
    """A histogram of milliseconds on a logarithmic scale: every quantile is right within `PRECISION`."""

    model_config = _CLOSED

    bins: dict[int, Count] = {}

    @property
    def total(self) -> int:
        """Return how many were timed."""
        return sum(self.bins.values())

    def quantile(self, share: float) -> float:
        """Return the milliseconds that `share` of the requests, within 0 and 1, stayed within; NaN without any."""
        wanted, seen = share * self.total, 0
        for place in sorted(self.bins):
            seen += self.bins[place]
            if seen >= wanted:
                return 2 * _GROWTH**place / (_GROWTH + 1)
        return math.nan

    def beyond(self, milliseconds: float) -> int:
        """Return how many took longer; right for those further than `PRECISION` from the bound."""
        last = latency_bin(milliseconds)
        return sum(count for place, count in self.bins.items() if place > last)

    def merged(self, other: Latency) -> Latency:
        """Return the sum of both."""
        return Latency(bins=_added(self.bins, other.bins))


class Sketch(BaseModel):
    """Live requests of one bundle over some time, added up. Synthetic ones are counted and nothing else.

    `rows`: answered rows; `described`: those whose columns were logged. `scored`: scores over the profile's bins,
    `score_sums`: their sum per bin in millionths, whole numbers so that sums do not depend on the order.
    """

    model_config = _CLOSED

    format: Literal[1] = 1
    bundle: str
    requests: Count = 0
    synthetic: Count = 0
    rows: Count = 0
    described: Count = 0
    cold: Count = 0
    failed: Annotated[Count, Field(description="Status 500 and above.")] = 0
    refused: Annotated[Count, Field(description="Rows that broke the contract: status 4xx with one of its codes.")] = 0
    statuses: dict[int, Count] = {}
    reasons: Tally = Tally(most=KEPT_CODES)
    violations: Tally = Tally(most=KEPT_CODES)
    latency: Latency = Latency()
    warm: Annotated[Latency, Field(description="Without cold starts.")] = Latency()
    numbers: dict[str, NumberCounts] = {}
    categories: dict[str, LevelCounts] = {}
    scored: NumberCounts
    score_sums: tuple[int, ...]

    @property
    def bins(self) -> tuple[int, int, int]:
        """Return how many columns and bins of scores it counts over."""
        return len(self.numbers), len(self.categories), len(self.score_sums)

    def merged(self, other: Sketch) -> Sketch:
        """Return the sum of both. Raises ValueError when they are of different bundles.

        Sums made while the bundle could not be read have no bins of its profile: only what they counted of requests
        is added.
        """
        if self.bundle != other.bundle:
            raise ValueError(f"sketches of two bundles: {self.bundle[:12]} and {other.bundle[:12]}")
        if self.bins != other.bins:
            blind, seeing = sorted((self, other), key=lambda one: one.bins)
            return seeing.merged(_over_bins_of(seeing, blind))
        counts = ("requests", "synthetic", "rows", "described", "cold", "failed", "refused")
        parts = ("reasons", "violations", "latency", "warm", "scored")
        return Sketch(
            bundle=self.bundle,
            **{name: getattr(self, name) + getattr(other, name) for name in counts},
            **{name: getattr(self, name).merged(getattr(other, name)) for name in parts},
            statuses=_added(self.statuses, other.statuses),
            numbers={name: one.merged(other.numbers[name]) for name, one in self.numbers.items()},
            categories={name: one.merged(other.categories[name]) for name, one in self.categories.items()},
            score_sums=tuple(one + two for one, two in zip(self.score_sums, other.score_sums, strict=True)),
        )


def empty(bundle: str, numbers: Mapping[str, Numbers], categories: Mapping[str, Levels], scores: Numbers) -> Sketch:
    """Return the sketch of nothing, over the bins of a bundle's profile: it changes no sum it is added to."""
    bins = {name: len(one.counts) for name, one in numbers.items()}
    return _nothing(bundle, bins, {name: tuple(one.levels) for name, one in categories.items()}, len(scores.counts))


def _nothing(bundle: str, bins: Mapping[str, int], levels: Mapping[str, tuple[str, ...]], scores: int) -> Sketch:
    return Sketch(
        bundle=bundle,
        numbers={name: NumberCounts(counts=(0,) * count) for name, count in bins.items()},
        categories={name: LevelCounts(levels=dict.fromkeys(known, 0)) for name, known in levels.items()},
        scored=NumberCounts(counts=(0,) * scores),
        score_sums=(0,) * scores,
    )


def _over_bins_of(seeing: Sketch, blind: Sketch) -> Sketch:
    bins = {name: len(one.counts) for name, one in seeing.numbers.items()}
    levels = {name: tuple(one.levels) for name, one in seeing.categories.items()}
    counted = ("requests", "synthetic", "cold", "failed", "refused", "statuses", "reasons", "violations")
    kept = {name: getattr(blind, name) for name in (*counted, "latency", "warm")}
    return _nothing(blind.bundle, bins, levels, len(seeing.score_sums)).model_copy(update=kept)


def merge(start: Sketch, sketches: Iterable[Sketch]) -> Sketch:
    """Return the sum of some sketches and a first one, such as the empty one."""
    for one in sketches:
        start = start.merged(one)
    return start


def latency_bin(milliseconds: float) -> int:
    """Return the bin of a latency: bin i holds what lies above growth^(i - 1), up to and with growth^i."""
    return math.ceil(math.log(min(max(milliseconds, _SHORTEST), _LONGEST)) / math.log(_GROWTH))


def _place(name: str) -> bytes:
    return blake2b(name.encode("utf-8", errors="surrogatepass"), digest_size=8).digest()


def _added(one: Mapping[Name, int], two: Mapping[Name, int]) -> dict[Name, int]:
    summed: dict[Name, int] = dict(one)
    for name, count in two.items():
        summed[name] = summed.get(name, 0) + count
    return dict(sorted(summed.items()))
