"""Losses of two models on labelled rows: by hand, whatever the order, and with spans that make them bets."""

import math
from typing import Any

import numpy as np
import pytest

from lifecycle.contract import Task
from lifecycle.label_book import Book, Told, keys_of, settle
from lifecycle.paired_labels import MARGIN, Ruler, ruler_of, weigh
from lifecycle.pairs import PROBABILITIES, Pairs, Span
from lifecycle.profiles import Numbers
from lifecycle.sequential import PairedBets

BINARY = ruler_of(Task("binary", ("0", "1")), Numbers(edges=(), counts=(4,), missing=0))


def book(labels: dict[str, Any]) -> Book:
    values = list(labels.values())
    kind = object if any(isinstance(one, str) for one in values) else float
    times = np.arange(len(values)).astype("datetime64[us]")
    return settle(Told(keys_of(labels), np.array(values, dtype=kind), times, times))


def pairs(own: Any, shadow: Any, first: int = 0) -> Pairs:
    return Pairs(tuple(f"r-{first + n}" for n in range(len(own))), np.asarray(own, float), np.asarray(shadow, float))


def test_every_pair_with_a_label_is_bet_on_once_in_any_order_and_the_others_are_not() -> None:
    assert Ruler(("0", "1"), PROBABILITIES) == BINARY
    parts = [pairs([0.9, 0.2], [0.5, 0.2]), pairs([0.1, 0.7], [0.4, 0.6], first=2)]
    told = book({"r-0": 0.0, "r-2": 1.0, "r-3": 1.0, "stranger-0": 1.0})
    by_hand = [0.81 - 0.25, 0.81 - 0.36, 0.09 - 0.16]
    expected = PairedBets(margin=MARGIN).after(np.array(by_hand))
    for order in (parts, parts[::-1]):
        found = weigh(BINARY, told, order)
        assert (found.pairs, found.log_e) == (3, pytest.approx(expected.log_e, abs=1e-12))


def test_a_worse_model_is_found_and_an_equal_one_is_not() -> None:
    random = np.random.default_rng(5)
    truth = (random.random(4000) < 0.3).astype(float)
    good, bad = np.full(4000, 0.3), np.full(4000, 0.6)
    told = book({f"r-{n}": label for n, label in enumerate(truth.tolist())})
    assert BINARY is not None
    assert weigh(BINARY, told, [pairs(bad, good)]).log_e > math.log(800)
    assert weigh(BINARY, told, [pairs(good, bad)]).log_e < 0
    assert weigh(BINARY, told, [pairs(good, good)]).log_e <= 0


def test_classes_are_told_as_texts_and_one_the_model_does_not_know_says_nothing() -> None:
    ruler = ruler_of(Task("multiclass", ("a", "b", "c")), Numbers(edges=(), counts=(4,), missing=0))
    assert ruler is not None
    own, shadow = [[0.7, 0.2, 0.1]] * 2, [[0.0, 1.0, 0.0]] * 2
    found = weigh(ruler, book({"r-0": "b", "r-1": "d"}), [pairs(own, shadow)])
    expected = ruler.start().after(np.array([(0.49 + 0.64 + 0.01) / 2]))
    assert (found.pairs, found.log_e) == (1, pytest.approx(expected.log_e, abs=1e-12))


def test_numbers_count_within_a_span_around_the_champions_scores() -> None:
    ruler = ruler_of(Task("regression"), Numbers(edges=(10.0, 20.0, 30.0), counts=(1,) * 4, missing=0))
    assert ruler == Ruler((), Span(-10.0, 50.0))
    assert ruler.start() == PairedBets(margin=MARGIN * 3600, bound=3600.0)
    found = weigh(ruler, book({"r-0": 1e9}), [pairs([10.0], [40.0])])
    assert found == ruler.start().after(np.array([40.0**2 - 10.0**2]))
    assert ruler_of(Task("regression"), Numbers(edges=(5.0,), counts=(1, 1), missing=0)) is None
