"""AWS throttles, fails and forgets to answer while a model is released: it is released once, and everything agrees."""

from __future__ import annotations

import pytest

from flows import release
from lifecycle.errors import TropismError
from tasks import clients
from tests.release.conftest import House, Listener, Made, register, work
from tests.release.test_release import FIRST, SECOND, everything, serving
from tests.wire import Trouble, rough

pytestmark = [
    pytest.mark.faults,  # second tries take their time
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
BAD = [Trouble.THROTTLED, Trouble.FAILED, Trouble.CUT, Trouble.UNANSWERED]


def storm(number: int) -> Trouble:
    """Let every fifth request meet trouble, each kind in its turn."""
    return BAD[number // 5 % len(BAD)] if number % 5 == 0 else Trouble.NONE


def test_a_release_is_carried_out_once_although_every_fifth_request_goes_wrong(
    house: House, bundles: Made, listener: Listener
) -> None:
    for version, champion in (("1", None), ("2", "1")):
        register(house, bundles(int(version), house.product), champion=champion)
        with rough(storm) as wire:
            assert release.carry_out(work(house), version).state == "promoted"
        assert wire.troubled() == set(BAD)
    assert everything(house) == serving("2", "1", FIRST, SECOND)
    assert listener.names() == ["release.promoted", "release.promoted"]


def test_without_a_second_try_it_is_an_error_and_the_next_look_ends_it(
    house: House, bundles: Made, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(house, bundles(1, house.product), champion=None)
    with monkeypatch.context() as patch, rough(storm):
        patch.setattr(clients, "_ATTEMPTS", 1)
        with pytest.raises(TropismError):
            release.carry_out(work(house), "1")
    assert release.carry_out(work(house), "1").state == "promoted"
    assert everything(house) == serving("1", None, FIRST)
    assert listener.names() == ["release.promoted"]
