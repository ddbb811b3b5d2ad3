"""Distances against published values and scipy; windows without a shift that stay silent, and shifts that are found."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from lifecycle.drift import faults, js, ks, ks_of_counts, psi, shifts
from lifecycle.measurement import Gap, Measurement, Metric, judge
from lifecycle.monitoring import DriftLimits, MonitorPolicy
from lifecycle.profiles import Reference
from lifecycle.sketch import Sketch, empty
from tests.unit.lifecycle.worlds import CARRIERS, NOTHING, Changed, draw, reference, window

LIMITS, POLICY = DriftLimits(), MonitorPolicy()
KNOWN = reference()


def looked_at(known: Reference, seen: Sketch) -> tuple[Measurement, ...]:
    moved, faulty = shifts(known, seen, LIMITS), faults(known, seen, LIMITS)
    judged = judge([*moved.samples, *faulty.samples], POLICY.false_discovery)
    return (*judged, *moved.blind, *faulty.blind)


def alerts(seed: int, rows: int, changed: Changed = NOTHING) -> set[tuple[str, str | None]]:
    seen = window(KNOWN, draw(np.random.default_rng(seed), rows, changed))
    return {(one.metric, one.column) for one in looked_at(KNOWN, seen) if one.alerts}


def test_the_published_distances() -> None:
    assert psi([0.5, 0.3, 0.2], [0.2, 0.3, 0.5]) == pytest.approx(0.549774, abs=1e-6)
    assert js([0.5, 0.3, 0.2], [0.2, 0.3, 0.5]) == pytest.approx(0.309541, abs=1e-6)


def test_the_distances_take_counts_and_are_scipys() -> None:
    random = np.random.default_rng(5)
    before, after = random.integers(0, 90, 30), random.integers(0, 40, 30)
    assert js(before, after) == pytest.approx(jensenshannon(before, after, base=2), abs=1e-12)
    assert psi(before, after) == pytest.approx(psi(before / before.sum(), after / after.sum()))


@given(st.lists(st.integers(0, 50), min_size=3, max_size=40), st.lists(st.integers(0, 50), min_size=3, max_size=40))
def test_ks_is_scipys_with_ties_too(one: list[int], two: list[int]) -> None:
    before, after = np.array(one, dtype=float), np.array(two, dtype=float)
    expected = ks_2samp(before, after, method="asymp").statistic
    assert ks(before, after) == pytest.approx(expected, abs=1e-12)
    counts = [np.bincount(values.astype(int), minlength=51).tolist() for values in (before, after)]
    assert ks_of_counts(*counts) == pytest.approx(expected, abs=1e-12)


def test_an_empty_bin_is_a_large_distance_and_no_infinite_one() -> None:
    assert psi([0.5, 0.5, 0.0], [0.5, 0.0, 0.5]) == pytest.approx(2 * (0.5 - 1e-4) * math.log(0.5 / 1e-4))
    assert psi([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]) == 0.0


@pytest.mark.parametrize(("before", "after"), [([math.nan, 1], [0.5, 0.5]), ([1, 1], [0, 0]), ([0, 0], [1, 1])])
def test_nothing_to_compare_is_no_number(before: list[float], after: list[float]) -> None:
    assert math.isnan(psi(before, after))
    assert math.isnan(js(before, after))


def test_shares_of_other_bins_or_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="same bins"):
        psi([0.5, 0.5], [1.0])
    with pytest.raises(ValueError, match="negative"):
        psi([0.5, 0.5], [1.5, -0.5])


@pytest.mark.parametrize("rows", [200, 1_000, 20_000])
def test_of_a_hundred_windows_without_a_shift_at_most_five_alert(rows: int) -> None:
    assert sum(bool(alerts(seed, rows)) for seed in range(100)) <= 5


DECLARED = {
    "a number moved by half its spread": (Changed(amount=0.6), Metric.PSI, "amount", 1_000),
    "a number moved by its spread, few rows": (Changed(income=1.0), Metric.PSI, "income", 200),
    "the same, seen by the other distance": (Changed(income=1.0), Metric.KS, "income", 200),
    "other shares of a category": (
        Changed(carriers=(0.1, 0.25, 0.2, 0.35, 0.09, 0.01)),
        Metric.PSI,
        "carrier",
        1_000,
    ),
    "values that are missing": (Changed(missing=0.1), Metric.MISSING, "amount", 1_000),
    "a level nobody knew": (Changed(strange=0.08), Metric.UNSEEN, "carrier", 200),
    "a number that stands for nothing": (Changed(sentinel=0.06), Metric.CLUMP, "amount", 1_000),
    "scores that went up": (Changed(amount=1.0), Metric.SCORES, None, 1_000),
}


@pytest.mark.parametrize("name", DECLARED)
def test_declared_shifts_are_found_in_at_least_95_of_100_windows(name: str) -> None:
    changed, metric, column, rows = DECLARED[name]
    assert sum((metric, column) in alerts(seed, rows, changed) for seed in range(100)) >= 95


def test_a_shift_in_a_column_that_the_model_does_not_use_is_noted_and_alerts_nobody() -> None:
    seen = window(KNOWN, draw(np.random.default_rng(8), 5_000, Changed(unused=2.0)))
    found = looked_at(KNOWN, seen)
    assert {one.column for one in found if one.state == "noted"} == {"unused"}
    assert not [one.name for one in found if one.alerts]


def test_the_threshold_is_never_below_what_chance_explains() -> None:
    for rows in (60, 200, 1_000, 20_000):
        for one in looked_at(KNOWN, window(KNOWN, draw(np.random.default_rng(rows), rows))):
            assert one.threshold is not None
            assert one.chance is not None
            assert one.threshold >= one.chance


def test_too_few_rows_cannot_clear_anything() -> None:
    found = looked_at(KNOWN, window(KNOWN, draw(np.random.default_rng(1), 12)))
    assert {one.state for one in found if one.metric is Metric.PSI} == {"undecidable"}
    assert {one.gap for one in found if one.metric is Metric.PSI} == {Gap.TOO_FEW}


def test_without_traffic_nothing_can_be_judged() -> None:
    nothing = empty("b" * 64, KNOWN.numbers, KNOWN.categories, KNOWN.scores)
    found = looked_at(KNOWN, nothing)
    assert {(one.state, one.gap) for one in found} == {("undecidable", Gap.NO_TRAFFIC)}


def test_a_column_without_a_reference_cannot_be_judged() -> None:
    before = KNOWN.numbers["amount"]
    blank = before.model_copy(update={"edges": (), "counts": (0,), "missing": before.rows})
    known = KNOWN.model_copy(update={"numbers": {**KNOWN.numbers, "amount": blank}})
    seen = window(known, draw(np.random.default_rng(1), 1_000))
    found = {one.metric: one for one in looked_at(known, seen) if one.column == "amount"}
    assert (found[Metric.PSI].state, found[Metric.PSI].gap) == ("undecidable", Gap.NO_REFERENCE)


def test_a_column_all_missing_is_missing_and_says_that_its_values_cannot_be_compared() -> None:
    seen = window(KNOWN, draw(np.random.default_rng(1), 1_000, Changed(missing=1.0)))
    found = {one.metric: one for one in looked_at(KNOWN, seen) if one.column == "amount"}
    assert found[Metric.MISSING].state == "breached"
    assert (found[Metric.PSI].state, found[Metric.PSI].gap) == ("undecidable", Gap.NO_TRAFFIC)


def test_a_measurement_reads_as_a_sentence() -> None:
    seen = window(KNOWN, draw(np.random.default_rng(1), 1_000, Changed(strange=0.2)))
    told = {(one.metric, one.column): str(one) for one in looked_at(KNOWN, seen)}
    assert told[Metric.UNSEEN, "carrier"].startswith("unseen carrier breached: found 0.2")
    assert str(CARRIERS[0]) not in told[Metric.UNSEEN, "carrier"]


def test_a_tail_that_grew_is_a_shift_and_no_heap() -> None:
    found = alerts(4, 5_000, Changed(income=1.0))
    assert (Metric.PSI, "income") in found
    assert (Metric.CLUMP, "income") not in found
