"""What chance does, against scipy and against simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from lifecycle.chance import (
    Hits,
    adjusted,
    beyond_tail,
    chi_square_power,
    chi_square_tail,
    homogeneity_tail,
    kolmogorov_level,
    kolmogorov_tail,
    rise_level,
    rise_power,
    rise_tail,
)


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 10, 49, 254])
@pytest.mark.parametrize("times", [0.2, 1.0, 2.0, 6.0])
def test_the_tail_of_chi_square_is_scipys(degrees: int, times: float) -> None:
    assert chi_square_tail(times * degrees, degrees) == pytest.approx(stats.chi2.sf(times * degrees, degrees), rel=1e-9)


@pytest.mark.parametrize(("degrees", "shift"), [(1, 5.0), (9, 12.0), (9, 50.0), (49, 30.0)])
def test_the_power_of_chi_square_is_scipys(degrees: int, shift: float) -> None:
    level = stats.chi2.ppf(0.99, degrees)
    assert chi_square_power(level, degrees, shift) == pytest.approx(stats.ncx2.sf(level, degrees, shift), abs=0.02)


def test_pearsons_test_is_scipys() -> None:
    table = [[510, 290, 200, 0], [39, 31, 28, 2]]
    assert homogeneity_tail(*table) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)
    assert homogeneity_tail([10, 0], [3, 0]) == 1.0
    assert homogeneity_tail([10, 5], [0, 0]) == 1.0


@pytest.mark.parametrize("distance", [0.01, 0.05, 0.1, 0.2])
def test_the_tail_of_a_ks_distance_is_the_limiting_one(distance: float) -> None:
    n, m = 5_000, 400
    expected = stats.kstwobign.sf(distance * math.sqrt(n * m / (n + m)))
    assert kolmogorov_tail(distance, n, m) == pytest.approx(expected, abs=1e-9)


def test_the_chance_level_of_ks_has_one_percent_beyond_it() -> None:
    assert kolmogorov_tail(kolmogorov_level(20_000, 700), 20_000, 700) == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize(("before", "now"), [((3, 50_000), (4, 200)), ((900, 30_000), (60, 1_000)), ((0, 100), (5, 9))])
def test_a_rise_is_judged_by_fishers_exact_test(before: tuple[int, int], now: tuple[int, int]) -> None:
    table = [[now[0], now[1] - now[0]], [before[0], before[1] - before[0]]]
    assert rise_tail(Hits(*before), Hits(*now)) == pytest.approx(stats.fisher_exact(table, "greater")[1], rel=1e-6)


def test_no_hit_is_no_rise_and_all_hits_everywhere_neither() -> None:
    assert rise_tail(Hits(5, 100), Hits(0, 10)) == 1.0
    assert rise_tail(Hits(100, 100), Hits(10, 10)) == 1.0


@pytest.mark.parametrize(
    ("hits", "of", "rate"), [(4, 200, 0.001), (30, 1_000, 0.02), (5_100, 10_000, 0.5), (7, 7, 0.3)]
)
def test_a_share_beyond_a_rate_has_the_binomial_tail(hits: int, of: int, rate: float) -> None:
    assert beyond_tail(Hits(hits, of), rate) == pytest.approx(stats.binom.sf(hits - 1, of, rate), rel=1e-6)


@pytest.mark.parametrize(("rate", "n"), [(0.001, 500), (0.01, 200), (0.02, 1_000), (0.2, 200), (0.5, 20_000)])
def test_the_chance_level_of_a_share_has_at_most_about_one_percent_beyond_it(rate: float, n: int) -> None:
    level = rise_level(rate, n)
    assert stats.binom.sf(math.floor(level * n), n, rate) <= 0.015
    assert stats.binom.sf(math.floor(level * n) - 3 - 0.3 * math.sqrt(n * rate), n, rate) > 0.01


def test_power_is_half_at_the_level_and_grows_with_the_rows() -> None:
    assert rise_power(0.1, 0.1, 50) == pytest.approx(0.5)
    assert rise_power(0.1, 0.05, 50) < rise_power(0.1, 0.05, 500)


def test_many_p_values_are_adjusted_as_scipy_does() -> None:
    ps = np.random.default_rng(4).random(40) ** 3
    assert adjusted(ps.tolist()) == pytest.approx(stats.false_discovery_control(ps))
    assert adjusted([]) == ()
