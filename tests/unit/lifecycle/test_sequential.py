"""Published values to six decimals, and exact expectations under the null by enumerating every outcome."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.sequential import ArmEvents, PairedBets, Trials, exceeds_log_e, multinomial_log_e, rate_ratio_log_e


def test_a_uniform_prior_gives_the_bayes_factor_of_115_in_200() -> None:
    assert math.exp(-multinomial_log_e([115, 85], [0.5, 0.5], [1, 1])) == pytest.approx(1.1971, abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "shares", "prior", "expected"),
    [
        ([60, 40], [0.5, 0.5], [1, 1], -0.090965),
        ([10, 10], [0.5, 0.5], None, -0.091577),
        ([60, 40], [0.5, 0.5], None, 0.658892),
        ([1000, 1100], [0.5, 0.5], None, 0.726637),
        ([20, 80], [0.05, 0.95], None, 7.738705),
        ([334, 333, 250], [1 / 3, 1 / 3, 1 / 3], None, 4.754614),
    ],
)
def test_multinomial_counts(counts: list[int], shares: list[float], prior: list[float] | None, expected: float) -> None:
    assert multinomial_log_e(counts, shares, prior) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(0.05, 3, 7)], 2.268816),
        ([(0.05, 3, 7), (0.25, 10, 10)], 4.194256),
        ([(0.05, 0, 20)], -1.281940),
        ([], 0.0),
    ],
)
def test_rate_ratios(steps: list[tuple[float, int, int]], expected: float) -> None:
    assert rate_ratio_log_e(ArmEvents(*step) for step in steps) == pytest.approx(expected, abs=5e-7)


def test_paired_bets_are_the_mean_of_their_stakes() -> None:
    bets = (0.02, 0.05, 0.1, 0.2, 0.4)
    assert PairedBets().after(np.array([1.0])).log_e == pytest.approx(math.log(1 + sum(bets) / 5), abs=1e-12)
    two = PairedBets(margin=0.25, bound=4.0).after(np.array([2.25, -0.75]))
    mean = sum((1 + bet / 4.25 * 2) * (1 - bet / 4.25) for bet in bets) / 5
    assert (two.pairs, two.log_e) == (2, pytest.approx(math.log(mean), abs=1e-12))


def test_the_mean_multinomial_e_value_under_the_null_is_one() -> None:
    n, share = 12, 0.05
    mean = sum(
        math.comb(n, k)
        * share**k
        * (1 - share) ** (n - k)
        * math.exp(multinomial_log_e([k, n - k], [share, 1 - share]))
        for k in range(n + 1)
    )
    assert mean == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("ratio", "expected"), [(1.1, 1.0), (1.0, 0.99), (0.5, 0.95)])
def test_the_mean_rate_ratio_e_value_is_one_at_the_margin_and_below_one_under_it(ratio: float, expected: float) -> None:
    weight, n = 0.25, 10
    share = weight * ratio / (weight * ratio + 1 - weight)
    mean = sum(
        math.comb(n, k)
        * share**k
        * (1 - share) ** (n - k)
        * math.exp(rate_ratio_log_e([ArmEvents(weight, k, n - k)], 1.1))
        for k in range(n + 1)
    )
    assert mean == pytest.approx(1, abs=1e-9) if expected == 1 else mean < expected


def test_the_mean_of_paired_bets_under_the_null_is_one() -> None:
    outcomes = [PairedBets().after(np.array(signs)).log_e for signs in itertools.product([-1.0, 1.0], repeat=8)]
    assert float(np.mean(np.exp(outcomes))) == pytest.approx(1, abs=1e-9)


def test_a_hit_more_is_more_evidence_and_a_miss_more_is_less() -> None:
    start = exceeds_log_e([Trials(5, 95, 0.05)])
    assert exceeds_log_e([Trials(5, 96, 0.05)]) < start < exceeds_log_e([Trials(6, 95, 0.05)])


counts = st.integers(0, 10_000)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0.01, 0.99), counts, counts), max_size=6), st.randoms())
def test_the_order_of_steps_changes_nothing(steps: list[tuple[float, int, int]], random: Any) -> None:
    events = [ArmEvents(*step) for step in steps]
    shuffled = list(events)
    random.shuffle(shuffled)
    assert rate_ratio_log_e(shuffled, 1.1) == rate_ratio_log_e(events, 1.1)


@settings(max_examples=40)
@given(st.lists(st.floats(-1, 1), max_size=20), st.integers(0, 20))
def test_pairs_may_come_in_any_portions(differences: list[float], cut: int) -> None:
    whole = PairedBets(margin=0.002).after(np.array(differences))
    parts = PairedBets(margin=0.002).after(np.array(differences[cut:])).after(np.array(differences[:cut]))
    assert (parts.pairs, parts.log_e) == (whole.pairs, pytest.approx(whole.log_e, abs=1e-9))


@pytest.mark.parametrize("difference", [1.01, -1.01, math.nan, math.inf])
def test_a_difference_beyond_the_bound_or_missing_is_refused(difference: float) -> None:
    with pytest.raises(ValueError, match="missing or beyond 1"):
        PairedBets().after(np.array([0.1, difference]))


@pytest.mark.parametrize(("numbers", "shares"), [([1], [0.5, 0.5]), ([1, 2], [0.0, 1.0]), ([1, 2], [0.5, 0.6])])
def test_shares_that_are_none_are_refused(numbers: list[int], shares: list[float]) -> None:
    with pytest.raises(ValueError, match="positive shares summing to 1"):
        multinomial_log_e(numbers, shares)


def test_looking_at_every_tick_raises_no_more_false_alarms_than_alpha() -> None:
    random, alarms, weight = np.random.default_rng(7), 0, 0.05
    for _ in range(200):
        reached = random.binomial(250, weight, 40)
        ours, theirs = np.cumsum(random.binomial(reached, 0.02)), np.cumsum(random.binomial(250 - reached, 0.02))
        worst = max(rate_ratio_log_e([ArmEvents(weight, int(a), int(b))]) for a, b in zip(ours, theirs, strict=True))
        alarms += worst >= math.log(1 / 0.01)
    assert alarms <= 2
