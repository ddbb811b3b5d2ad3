"""Weights of an alias on the emulator: what no alias can be is refused here, and what is in effect is seen."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lifecycle.alias import AliasState
from lifecycle.errors import ConflictError, ReleaseError
from tasks import endpoint, function_versions, traffic
from tasks.traffic import Split, asks, split_of
from tests.conftest import Aws
from tests.release.conftest import House, Made, built
from tests.release.test_endpoint import package


@dataclass(frozen=True)
class Pair:
    """A function with two published versions that answer."""

    house: House
    function: str
    one: str
    two: str

    @property
    def seen(self) -> AliasState:
        found = endpoint.alias(self.function)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def pair(aws: Aws, bundles: Made) -> Iterator[Pair]:
    with built(aws) as house:
        function = endpoint.ensure_endpoint(house.settings, house.product)
        numbers = [
            function_versions.publish(house.bucket, function, package(bundles(seed), str(seed))).number
            for seed in (1, 2)
        ]
        endpoint.move_alias(function, numbers[0])
        yield Pair(house, function, *numbers)


def test_a_split_is_set_read_back_and_in_effect_and_setting_it_again_changes_nothing(pair: Pair) -> None:
    wanted = split_of(pair.one, pair.two, 0.3)
    state = traffic.set_weights(pair.function, wanted, seen=pair.seen)
    assert (state.function_version, dict(state.extra)) == (pair.one, {pair.two: 0.3})
    assert traffic.set_weights(pair.function, wanted, seen=state).revision == state.revision
    found = traffic.await_share(pair.house.settings, pair.house.product, pair.two, 0.3, seconds=5)
    assert (found.function_version, found.model_version) == (pair.two, "2")
    alone = traffic.set_weights(pair.function, split_of(pair.one, pair.two, 1.0), seen=state)
    assert (alone.function_version, dict(alone.extra)) == (pair.two, {})
    traffic.set_weights(pair.function, split_of(pair.one, pair.two, 0.0), seen=alone)
    assert pair.seen.function_version == pair.one


@pytest.mark.parametrize(
    ("base", "extra", "found"),
    [
        ("one", {"two": 0.0}, "weight 0.0"),
        ("one", {"two": 1.0}, "weight 1.0"),
        ("one", {"two": 1.5}, "weight 1.5"),
        ("one", {"two": -0.1}, "weight -0.1"),
        ("one", {"two": float("nan")}, "weight nan"),
        ("one", {"one": 0.5}, "2 versions"),
        ("one", {"two": 0.2, "$LATEST": 0.2}, "3 versions"),
        ("$LATEST", {}, "LATEST"),
        ("one", {"$LATEST": 0.5}, "LATEST"),
        ("one", {"99": 0.5}, "version 99"),
        ("99", {}, "version 99"),
    ],
)
def test_what_no_alias_can_be_is_refused_and_nothing_moves(
    pair: Pair, base: str, extra: dict[str, float], found: str
) -> None:
    names = {"one": pair.one, "two": pair.two}
    before = pair.seen
    wanted = Split(names.get(base, base), {names.get(version, version): weight for version, weight in extra.items()})
    with pytest.raises(ReleaseError, match=found):
        traffic.set_weights(pair.function, wanted, seen=before)
    assert pair.seen == before


def test_an_alias_moved_since_it_was_seen_is_a_conflict_unless_it_is_as_wanted(pair: Pair) -> None:
    stale = pair.seen
    moved = traffic.set_weights(pair.function, split_of(pair.one, pair.two, 0.2), seen=stale)
    with pytest.raises(ConflictError, match=f"points to version {pair.one}, with 20% to version {pair.two}"):
        traffic.set_weights(pair.function, split_of(pair.one, pair.two, 0.5), seen=stale)
    assert pair.seen == moved
    assert traffic.set_weights(pair.function, split_of(pair.one, pair.two, 0.2), seen=stale) == moved
    endpoint.move_alias(pair.function, pair.one)


def test_a_version_without_requests_is_not_waited_for_for_ever(pair: Pair) -> None:
    with pytest.raises(ReleaseError, match=r"has 50% of the requests and answered none of \d+ within 0.3 s"):
        traffic.await_share(pair.house.settings, pair.house.product, pair.two, 0.5, seconds=0.3)


@pytest.mark.parametrize(("weight", "number"), [(1.0, 1), (0.5, 20), (0.1, 132), (0.05, 270), (0.01, 1375)])
def test_a_challenger_that_answers_is_missed_once_in_a_million(weight: float, number: int) -> None:
    assert asks(weight) == number
    assert (1 - weight) ** number <= 1e-6
