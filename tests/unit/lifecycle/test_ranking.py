"""Drift ranked by what it does to the answers."""

import numpy as np

from lifecycle.drift import shifts
from lifecycle.measurement import Measurement, judge
from lifecycle.monitoring import DriftLimits
from lifecycle.ranking import Contribution, rank
from tests.unit.lifecycle.worlds import Changed, draw, reference, window

KNOWN = reference()


def moved(changed: Changed) -> tuple[Measurement, ...]:
    seen = window(KNOWN, draw(np.random.default_rng(3), 4_000, changed))
    return judge(shifts(KNOWN, seen, DriftLimits()).samples, 0.01)


def test_the_column_that_matters_comes_before_the_one_that_moved_further() -> None:
    found = rank(moved(Changed(amount=0.8, income=1.0, unused=3.0)))
    assert [one.column for one in found] == ["amount", "income"]
    assert found[0].shift < found[1].shift


def test_contributions_speak_before_importance_does() -> None:
    seen = moved(Changed(amount=0.8, income=0.8))
    given = {"amount": Contribution(0.50, 0.52), "income": Contribution(0.30, 0.10)}
    found = rank(seen, given)
    assert [(one.column, round(one.effect, 2)) for one in found] == [("income", 0.2), ("amount", 0.02)]


def test_without_drift_there_is_nothing_to_rank() -> None:
    assert rank(moved(Changed())) == ()


def test_an_effect_reads_as_words() -> None:
    (first, *_) = rank(moved(Changed(amount=0.8)))
    assert str(first).startswith("amount (ks, psi at ")
