"""A training while S3 throttles and fails, and on a disk that is full: one version, or one clear error and nothing."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lifecycle.errors import ServiceError
from tasks import clients, ledger, registry
from tasks.step import directly
from tests.train.conftest import Shop, Steps
from tests.train.test_kill_points import one_of_each
from tests.wire import Trouble, rough

BAD = [Trouble.THROTTLED, Trouble.FAILED, Trouble.CUT, Trouble.UNANSWERED]
SMALL = 20_000  # bytes, less than any model has


def storm(number: int) -> Trouble:
    """Let every ninth request meet trouble, each kind in its turn."""
    return BAD[number // 9 % len(BAD)] if number % 9 == 0 else Trouble.NONE


@pytest.mark.faults  # second tries take their time
def test_a_training_makes_one_version_although_every_ninth_request_goes_wrong(shop: Shop) -> None:
    shop.publish(0)
    with rough(storm) as wire:
        told = shop.train().events
    assert wire.troubled() == set(BAD)
    one_of_each(shop, 1)
    assert ledger.check(shop.bucket, "shop").holds
    assert shop.train().events == told


@pytest.mark.faults
def test_without_a_second_try_the_same_weather_is_an_error_and_the_next_training_ends_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(0)
    monkeypatch.setattr(clients, "_ATTEMPTS", 1)
    with rough(storm) as wire:
        with pytest.raises(ServiceError):
            shop.train()
        wire.weather = lambda _: Trouble.NONE
        shop.train()
    one_of_each(shop, 1)


class Cramped(Steps):
    """Registers the model on a disk with hardly any space."""

    def __call__(self, name: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if name != "register model":
            return super().__call__(name, work, *args, **kwargs)
        with no_file_larger(SMALL):
            return directly(name, work, *args, **kwargs)


@contextmanager
def no_file_larger(size: int) -> Iterator[None]:
    """Have the kernel refuse to let a file grow beyond `size`, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_clear_error_and_nothing_is_registered(shop: Shop) -> None:
    shop.publish(0)
    with pytest.raises(ServiceError, match=r"The disk is full.*MB are free.*run it again"):
        shop.train(Cramped())
    assert (registry.versions("shop"), ledger.entries(shop.bucket, "shop")) == ((), ())
    shop.train()
    one_of_each(shop, 1)
