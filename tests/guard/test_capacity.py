"""Capacity, where functions really run: traffic comes, environments are asked for, and given back."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lifecycle import spec
from lifecycle.capacity import CapacityPolicy
from lifecycle.settings import Settings
from lifecycle.spec import Product
from tasks import capacity, warmth
from tests.conftest import Aws
from tests.guard.conftest import ANSWER, House
from tests.guard.test_warmth import kept, tell
from tests.localcloud.small_functions import Clients, function

NAP = "import time\ndef handler(event, context):\n    time.sleep(0.5)\n    return {}\n"
BIKE = spec.load(Path(__file__).parents[2] / "products", "bike")


@pytest.fixture(scope="module")
def made(aws: Aws, clients: Clients) -> House:
    """A mould, and a product with two versions that take half a second, of which one serves."""
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": f"c{uuid.uuid4().hex[:8]}"})
    function(clients, ANSWER, name=f"{settings.function_prefix}-predict")
    function(clients, NAP, NAP + "# 2\n", name=settings.predict_function("bike"))
    clients("sns").create_topic(Name=f"{settings.function_prefix}-alarms")
    house = House(settings, clients, "bike", "")
    house.write_record(champion="1")
    return house


@pytest.fixture
def house(made: House) -> Iterator[House]:
    yield made
    tell(made, None)
    warmth.want(made.settings, "bike", 0)
    warmth.settle(made.settings, "bike", frozenset())


def product(**policy: Any) -> Product:
    """A spike is what a test can make: a second's work in a minute."""
    found = CapacityPolicy(**{"most": 3, "spike": 0.01, "headroom": 10.0, **policy})
    return BIKE.model_copy(update={"capacity": found})


def ready(house: House) -> dict[str, int]:
    return {version: count for version, (count, _) in kept(house).items()}


def ask(house: House, times: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in range(times):
            pool.submit(house.clients("lambda").invoke, FunctionName=house.function, Qualifier="1", Payload=b"{}")


def test_traffic_raises_what_is_kept_ready_and_calm_lowers_it_again(house: House) -> None:
    now = datetime.now(UTC)
    calm = capacity.adapt(house.settings, product(), now - timedelta(hours=3))
    assert (calm.verdict, kept(house)) == ("keep", {})

    ask(house, 12)
    raised = capacity.adapt(house.settings, product(most=1), datetime.now(UTC))
    assert (raised.verdict, raised.wanted, ready(house)) == (
        "raise",
        1,
        {"1": 1},
    )
    again = capacity.adapt(house.settings, product(most=1), datetime.now(UTC))
    assert (again.verdict, again.wanted) == ("keep", 1)

    still = capacity.adapt(house.settings, product(most=1), now + timedelta(minutes=30))
    assert (still.verdict, ready(house)["1"]) == ("keep", 1)
    lowered = capacity.adapt(house.settings, product(most=1), now + timedelta(hours=3))
    assert (lowered.verdict, lowered.wanted, kept(house)) == ("lower", 0, {})


def test_what_the_stack_keeps_ready_stays_and_a_release_asks_for_what_traffic_raised(house: House) -> None:
    tell(house, "1")
    ask(house, 30)
    raised = capacity.adapt(house.settings, product(), datetime.now(UTC))
    assert (raised.verdict, raised.wanted > 1) == ("raise", True)
    assert warmth.warm(house.settings, "bike", "2") == raised.wanted
    lowered = capacity.adapt(house.settings, product(), datetime.now(UTC) + timedelta(hours=3))
    assert (lowered.verdict, ready(house)) == ("lower", {"1": 1})


def firing(house: House) -> tuple[str, float] | None:
    """The state and the threshold, in requests at once, of the alarm about the product's traffic."""
    found = house.clients("cloudwatch").describe_alarms(AlarmNames=[f"{house.function}-traffic"])["MetricAlarms"]
    return (found[0]["StateValue"], found[0]["Threshold"] / 60_000) if found else None


def test_an_alarm_calls_for_a_look_as_soon_as_more_is_asked_than_is_kept_ready(house: House) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    capacity.adapt(house.settings, product(spike=0.02), long_ago)
    (state, threshold) = firing(house) or ("", 0.0)
    assert threshold == 0.02
    ask(house, 12)  # six seconds' work
    deadline = time.monotonic() + 20
    while state != "ALARM" and time.monotonic() < deadline:
        time.sleep(0.2)
        (state, _) = firing(house) or ("", 0.0)
    assert state == "ALARM"
    raised = capacity.adapt(house.settings, product(spike=0.02, most=40), datetime.now(UTC))
    assert raised.verdict == "raise"
    (_, higher) = firing(house) or ("", 0.0)
    assert higher == pytest.approx(max(0.02, raised.wanted / 10.0))
    capacity.adapt(house.settings, product(spike=0.02, most=raised.wanted), datetime.now(UTC))
    assert firing(house) is None  # all that is allowed is kept ready


def test_a_run_that_died_before_asking_is_finished_by_the_next_one(house: House) -> None:
    ask(house, 12)
    warmth.want(house.settings, "bike", 1)  # written, and nothing asked for
    found = capacity.adapt(house.settings, product(most=1), datetime.now(UTC))
    assert (found.verdict, ready(house)) == ("keep", {"1": 1})


def test_a_function_that_is_not_there_fails_nothing(house: House) -> None:
    nowhere = house.settings.model_copy(update={"function_prefix": "nowhere"})
    found = capacity.adapt(nowhere, product(), datetime.now(UTC))
    assert (found.verdict, "Function not found" in found.reason) == ("cannot_judge", True)


def test_a_mould_with_snapshots_excludes_it(aws: Aws, clients: Clients) -> None:
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": f"x{uuid.uuid4().hex[:8]}"})
    for name in (f"{settings.function_prefix}-predict", settings.predict_function("bike")):
        clients("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="hello.handler",
            Role="arn:aws:iam::000000000000:role/any",
            Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
            SnapStart={"ApplyOn": "PublishedVersions"},
        )
    found = capacity.adapt(settings, product(), datetime.now(UTC))
    assert (found.verdict, found.reason) == ("excluded", "SnapStart and provisioned concurrency exclude each other.")
    assert warmth.requested(settings, "bike") == {}


def test_switched_off_nothing_is_asked_for(house: House) -> None:
    ask(house, 4)
    found = capacity.adapt(house.settings, product(most=0), datetime.now(UTC))
    assert (found.verdict, kept(house), firing(house)) == ("off", {}, None)
    with pytest.raises(ClientError):
        house.clients("lambda").get_provisioned_concurrency_config(FunctionName=house.function, Qualifier="1")
