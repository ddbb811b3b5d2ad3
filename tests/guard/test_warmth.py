"""Environments kept ready for a version before it takes traffic, and given back after; snapshots where they may be."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lifecycle.errors import ReleaseError, ServiceError
from lifecycle.settings import Settings
from tasks import moulds, warmth
from tests.conftest import Aws
from tests.guard.conftest import ANSWER, House
from tests.localcloud.small_functions import Clients, function


@pytest.fixture(scope="module")
def made(aws: Aws, clients: Clients) -> House:
    """A mould, and a product with three versions."""
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": f"w{uuid.uuid4().hex[:8]}"})
    function(clients, ANSWER, name=f"{settings.function_prefix}-predict")
    function(clients, ANSWER, ANSWER + "# 2\n", ANSWER + "# 3\n", name=settings.predict_function("flights"))
    return House(settings, clients, "flights", "")


@pytest.fixture
def house(made: House) -> Iterator[House]:
    yield made
    tell(made, None)
    for number in ("1", "2", "3"):
        made.clients("lambda").delete_provisioned_concurrency_config(FunctionName=made.function, Qualifier=number)


def tell(house: House, count: str | None) -> None:
    """Say on the mould how many environments are wanted."""
    mould = f"{house.settings.function_prefix}-predict"
    arn = house.clients("lambda").get_function_configuration(FunctionName=mould)["FunctionArn"]
    if count is None:
        house.clients("lambda").untag_resource(Resource=arn, TagKeys=[warmth.TAG])
    else:
        house.clients("lambda").tag_resource(Resource=arn, Tags={warmth.TAG: count})


def kept(house: House) -> dict[str, tuple[int, str]]:
    found = house.clients("lambda").list_provisioned_concurrency_configs(FunctionName=house.function)
    return {
        one["FunctionArn"].rpartition(":")[2]: (one["RequestedProvisionedConcurrentExecutions"], one["Status"])
        for one in found["ProvisionedConcurrencyConfigs"]
    }


def test_a_version_is_ready_before_anybody_goes_on(house: House) -> None:
    tell(house, "2")
    started = time.monotonic()
    assert warmth.warm(house.settings, house.product, "2") == 2
    assert time.monotonic() - started >= 0.5  # it was not ready when it was asked for
    assert kept(house) == {"2": (2, "READY")}


def test_asked_again_it_does_not_begin_anew_and_another_number_does(house: House) -> None:
    tell(house, "2")
    warmth.warm(house.settings, house.product, "2")
    started = time.monotonic()
    warmth.warm(house.settings, house.product, "2")
    assert time.monotonic() - started < 0.5
    tell(house, "3")
    warmth.warm(house.settings, house.product, "2")
    assert kept(house) == {"2": (3, "READY")}


def test_without_the_wish_nothing_is_kept_and_what_was_is_given_back(house: House) -> None:
    assert warmth.warm(house.settings, house.product, "2") == 0
    assert kept(house) == {}
    tell(house, "2")
    warmth.warm(house.settings, house.product, "2")
    tell(house, "0")
    warmth.settle(house.settings, house.product, frozenset({"2"}))
    assert kept(house) == {}


def test_what_takes_no_traffic_any_more_gives_its_environments_back(house: House) -> None:
    tell(house, "2")
    for number in ("1", "2"):
        warmth.warm(house.settings, house.product, number)
    warmth.settle(house.settings, house.product, frozenset({"2", "3"}))
    assert set(kept(house)) == {"2", "3"}  # 3 is asked for and not waited for
    warmth.settle(house.settings, house.product, frozenset({"2", "3"}))
    assert set(kept(house)) == {"2", "3"}


def test_a_tag_that_is_no_number_is_refused(house: House) -> None:
    tell(house, "some")
    with pytest.raises(ReleaseError, match="is 'some', expected a whole number"):
        warmth.warm(house.settings, house.product, "2")


def test_the_emulator_takes_no_wish_that_aws_refuses(house: House) -> None:
    with pytest.raises(ClientError, match="unpublished function versions"):
        house.clients("lambda").put_provisioned_concurrency_config(
            FunctionName=house.function, Qualifier="$LATEST", ProvisionedConcurrentExecutions=1
        )
    assert kept(house) == {}


def mould_of(clients: Clients, settings: Settings, **more: Any) -> None:
    """Make a mould by hand, past the template's rules."""
    clients("lambda").create_function(
        FunctionName=f"{settings.function_prefix}-predict",
        Runtime="python3.12",
        Handler="hello.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        **more,
    )


def test_a_mould_that_contradicts_itself_makes_nothing(aws: Aws, clients: Clients) -> None:
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": f"x{uuid.uuid4().hex[:8]}"})
    mould_of(clients, settings, SnapStart={"ApplyOn": "PublishedVersions"}, Tags={warmth.TAG: "2"})
    with pytest.raises(ServiceError, match="exclude each other"):
        moulds.ensure_function(settings, "flights")


def test_snapstart_goes_from_the_mould_to_the_product_and_a_version_is_awaited(aws: Aws, clients: Clients) -> None:
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": f"x{uuid.uuid4().hex[:8]}"})
    mould_of(clients, settings, SnapStart={"ApplyOn": "PublishedVersions"})
    made = moulds.ensure_function(settings, "flights")
    assert warmth.startup_of(made).snap_start
    number = clients("lambda").publish_version(FunctionName=made)["Version"]
    with pytest.raises(ReleaseError, match="cannot be asked"):  # its code is empty: the snapshot fails as on AWS
        warmth.await_version(made, number)
    clients("lambda").update_function_configuration(
        FunctionName=f"{settings.function_prefix}-predict", SnapStart={"ApplyOn": "None"}
    )
    moulds.ensure_function(settings, "flights")
    assert not warmth.startup_of(made).snap_start
