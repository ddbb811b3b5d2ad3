"""The whole chain in the emulator, from the template: requests, metrics, alarm, topic, guard, alias. No Prefect."""

import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx

from deployments.aws.apply import apply
from deployments.aws.change_sets import Waiting
from lifecycle.release_plan import ReleasePlan
from lifecycle.settings import Settings
from tasks import alarms
from tests.conftest import Aws
from tests.guard.conftest import ANSWER, CRASH, House
from tests.localcloud.small_functions import Clients, function

NOBODY = "http://127.0.0.1:9/api"
"""Nothing listens there: Prefect is down."""
SECONDS = 60


def deployed(clients: Clients) -> House:
    """Make the stack, and a product whose version 2 crashes at every request and has a quarter of them."""
    prefix, product = f"g{uuid.uuid4().hex[:8]}", "flights"
    parameters = {
        "BucketName": f"{prefix}-bucket",
        "FunctionPrefix": prefix,
        "FunctionRuntime": "provided.al2023",
        "RunFlowImageUri": "registry/tropism/run-flow:1",
        "FlowsImageUri": "registry/tropism/flows:1",
        "PrefectApiUrl": NOBODY,
        "TrackingUri": "sqlite:///nowhere.db",
    }
    apply(prefix, parameters, python=Path(sys.executable), waiting=Waiting(every=0.05, most=60))
    settings = Settings.model_validate({"bucket": f"{prefix}-bucket", "function_prefix": prefix})
    name = function(clients, ANSWER, CRASH, name=settings.predict_function(product))
    clients("lambda").create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}},
    )
    clients("lambda").create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    return House(settings, clients, product, clients("sqs").get_queue_url(QueueName=f"{prefix}-events")["QueueUrl"])


def test_a_challenger_that_fails_every_request_is_out_within_seconds_and_the_champion_answers_all(
    clients: Clients, aws: Aws
) -> None:
    house = deployed(clients)
    house.write_record(champion="1", challenger="2", weight=0.25)
    alarms.ensure(house.settings, house.product, "2", ReleasePlan())
    alarms.ensure(house.settings, house.product, "2", ReleasePlan())
    url = clients("lambda").get_function_url_config(FunctionName=house.function, Qualifier="live")["FunctionUrl"]
    address = f"{aws.endpoint}/_aws/lambda-url/{url.removeprefix('https://').partition('.')[0]}/"
    answers: Counter[int] = Counter()
    started = time.monotonic()
    while house.routed()[1] and time.monotonic() - started < SECONDS:
        answers[httpx.get(address).status_code] += 1
    assert house.routed() == ("1", {}), answers
    # Five crashes are the least an alarm is made of; the rest came until it was heard.
    assert answers[502] >= 5
    assert answers[200] > answers[502]
    assert [httpx.get(address).status_code for _ in range(20)] == [200] * 20
    (record,) = await_record(house)
    assert (record.code, record.function_version, record.to) == ("taken_back", "2", "1")
    assert record.alarm == f"{house.function}-v2-errors"
    assert alarms.firing(house.settings, house.product, "2") == (record.alarm,)


def await_record(house: House) -> tuple[alarms.GuardRecord, ...]:
    """The record follows the traffic."""
    deadline = time.monotonic() + SECONDS
    while not (found := alarms.guarded(house.bucket, house.product)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_an_alarm_of_the_version_that_served_before_leaves_the_fix_its_share(clients: Clients, aws: Aws) -> None:
    house = deployed(clients)
    house.write_record(champion="2", challenger="1", weight=0.25)
    house.route("2", v1=0.25)
    alarms.ensure(house.settings, house.product, "2", ReleasePlan())
    url = clients("lambda").get_function_url_config(FunctionName=house.function, Qualifier="live")["FunctionUrl"]
    address = f"{aws.endpoint}/_aws/lambda-url/{url.removeprefix('https://').partition('.')[0]}/"
    deadline = time.monotonic() + SECONDS
    while not alarms.guarded(house.bucket, house.product) and time.monotonic() < deadline:
        httpx.get(address)
    (record,) = alarms.guarded(house.bucket, house.product)
    assert (record.code, record.to) == ("champion", None)
    assert house.routed() == ("2", {"1": 0.25})
