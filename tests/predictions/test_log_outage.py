"""The log goes away while an endpoint answers, and comes back: nobody notices, and nothing is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.manifest import Release
from tasks import endpoint, function_versions, packages
from tests.conftest import Aws
from tests.predictions.outage import Endpoint, body_of, judge, through
from tests.release.conftest import House, built, code, write_bundle

RELEASED = "2026-03-01T00:00:00+00:00"


@pytest.fixture
def house(aws: Aws) -> Iterator[House]:
    with built(aws) as made:
        yield made


@pytest.fixture
def asked(house: House, tmp_path: Path) -> Endpoint:
    """An endpoint with two models that really answer."""
    function = endpoint.ensure_endpoint(house.settings, "flights")
    numbers = []
    for seed in (1, 2):
        write_bundle(tmp_path / str(seed), seed, "flights")
        package = packages.pack(code(), tmp_path / str(seed), Release(str(seed), RELEASED))
        numbers.append(function_versions.publish(house.bucket, function, package).number)
    return Endpoint(house.settings, "flights", numbers[0], numbers[1], body_of({"distance": 700.0}))


def test_as_many_records_as_answers_although_the_stream_was_gone_for_a_third_of_them(asked: Endpoint) -> None:
    outcome = through(asked, wanted=300, threads=3)
    judge(outcome, wanted=300)
    assert {one.model_version for one in outcome.records} == {"1", "2"}
    scored = [one for one in outcome.records if one.status == 200]
    assert {one.features for one in scored} == {((700.0,),)}
    assert len({(one.model_version, one.scores) for one in scored}) == 2
