"""Units keep their arm, arms get their share, and what a change of the arms does is as documented."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.assignment import arm_at, assign, digest_of
from lifecycle.serving import Arm, Experiment

BUNDLE = "1" * 64
UNITS = [f"user-{n}" for n in range(20_000)]


def experiment(*weights: float, salt: str = "salt") -> Experiment:
    return Experiment("x", salt, tuple(Arm(f"arm{n}", weight, BUNDLE) for n, weight in enumerate(weights)))


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    parts = draw(st.lists(st.integers(1, 100), min_size=2, max_size=6))
    return experiment(*(part / sum(parts) for part in parts), salt=draw(st.text(min_size=1, max_size=20)))


@given(experiments(), st.text(min_size=1, max_size=50))
def test_a_unit_keeps_its_arm_and_its_record_tells_it(made: Experiment, unit: str) -> None:
    assigned = assign(made, unit)
    assert assign(made, unit) == assigned
    assert arm_at(made, assigned.unit) == assigned.arm
    assert assigned.arm in made.arms
    assert unit not in assigned.unit or len(unit) <= 4


@given(experiments())
def test_every_arm_gets_its_share_within_chance(made: Experiment) -> None:
    units = UNITS[:4000]
    counts = Counter(assign(made, unit).arm.name for unit in units)
    for arm in made.arms:
        spread = math.sqrt(len(units) * arm.weight * (1 - arm.weight))
        assert abs(counts[arm.name] - len(units) * arm.weight) < 6 * spread + 1


def test_the_assignment_is_this_one_on_every_machine() -> None:
    made = experiment(0.5, 0.3, 0.2)
    assert digest_of("salt", "user-7") == "89e301566e778d09acb5c771ae98effd"
    assert [assign(made, f"user-{n}").arm.name for n in range(6)] == ["arm0", "arm1", "arm2", "arm2", "arm1", "arm0"]


def test_salt_and_unit_cannot_be_confused() -> None:
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of("a", ":b") != digest_of("a:", "b")


def test_another_salt_assigns_anew() -> None:
    one, other = experiment(0.5, 0.5), experiment(0.5, 0.5, salt="other")
    same = sum(assign(one, unit).arm.name == assign(other, unit).arm.name for unit in UNITS)
    assert abs(same - len(UNITS) / 2) < 5 * math.sqrt(len(UNITS) / 4)


def moves(before: Experiment, after: Experiment) -> Counter[tuple[str, str]]:
    pairs = ((assign(before, unit).arm.name, assign(after, unit).arm.name) for unit in UNITS)
    return Counter(pair for pair in pairs if pair[0] != pair[1])


def test_an_arm_added_with_all_others_shrunk_moves_units_between_old_arms() -> None:
    """Why a running experiment is never changed: a tenth of the units would have been in both old arms."""
    found = moves(experiment(0.5, 0.5), experiment(0.4, 0.4, 0.2))
    assert set(found) == {("arm0", "arm1"), ("arm1", "arm2")}
    assert abs(found["arm0", "arm1"] - 0.1 * len(UNITS)) < 5 * math.sqrt(len(UNITS) * 0.09)


def test_an_arm_added_at_the_cost_of_the_last_moves_units_to_the_new_arm_only() -> None:
    assert set(moves(experiment(0.5, 0.5), experiment(0.5, 0.3, 0.2))) == {("arm1", "arm2")}


def test_weights_that_do_not_quite_sum_to_one_leave_nobody_without_an_arm() -> None:
    made = experiment(*[1 / 3] * 3)
    assert arm_at(made, "f" * 32).name == "arm2"
    assert arm_at(made, "0" * 32).name == "arm0"
