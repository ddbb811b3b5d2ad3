import numpy as np
import pytest
from scipy.stats import chi2

from lifecycle.shift import chi_square_quantile, shift


@pytest.mark.parametrize("degrees", [1, 2, 4, 9, 19, 49, 254])
@pytest.mark.parametrize(("probability", "within"), [(0.9, 0.04), (0.99, 0.01), (0.999, 0.04)])
def test_the_quantile_is_scipys_within_a_few_percent(probability: float, within: float, degrees: int) -> None:
    assert chi_square_quantile(probability, degrees) == pytest.approx(chi2.ppf(probability, degrees), rel=within)


def test_the_published_value_of_three_bins() -> None:
    found = shift([5_000_000, 3_000_000, 2_000_000], [2_000_000, 3_000_000, 5_000_000])
    assert found is not None
    assert found.psi == pytest.approx(0.549774, abs=1e-6)


@pytest.mark.parametrize(("n", "expected"), [(100, 0.21), (250, 0.083), (500, 0.044), (1000, 0.022)])
def test_the_chance_level_against_a_large_arm_is_the_simulated_one(n: int, expected: float) -> None:
    found = shift([10**8] * 10, [n // 10] * 10)
    assert found is not None
    assert found.chance == pytest.approx(expected, rel=0.06)


def test_samples_of_one_distribution_exceed_the_chance_level_once_in_a_hundred() -> None:
    random, shares = np.random.default_rng(3), [0.1] * 10
    beyond = 0
    for _ in range(1_000):
        found = shift(random.multinomial(4_000, shares).tolist(), random.multinomial(300, shares).tolist())
        assert found is not None
        beyond += found.beyond(0.0)
    assert 2 <= beyond <= 25


def test_the_limit_is_never_below_the_chance_level() -> None:
    found = shift([40, 60], [6, 4])
    assert found is not None
    assert 0.1 < found.psi < found.chance
    assert not found.beyond(0.1)


def test_bins_that_both_arms_left_empty_do_not_count() -> None:
    assert shift([50, 0, 50, 0], [10, 0, 20, 0]) == shift([50, 50], [10, 20])


def test_one_common_bin_is_no_shift() -> None:
    found = shift([0, 100], [0, 10])
    assert found is not None
    assert (found.psi, found.chance, found.beyond(0.0)) == (0.0, 0.0, False)


@pytest.mark.parametrize(("champion", "challenger"), [([0, 0], [1, 2]), ([1, 2], [0, 0]), ([], [])])
def test_an_arm_without_scores_cannot_be_compared(champion: list[int], challenger: list[int]) -> None:
    assert shift(champion, challenger) is None


def test_other_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="2 bins of scores against 3"):
        shift([1, 2], [1, 2, 3])
