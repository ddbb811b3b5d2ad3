"""A product whose function has small versions that really answer, crash or sleep, behind a weighted alias."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from functions.guard import effects
from lifecycle.control import Contender, ControlRecord
from lifecycle.settings import Settings
from tests.conftest import Aws
from tests.localcloud.small_functions import Clients, function

ANSWER = "def handler(event, context):\n    return {'statusCode': 200, 'body': context.function_version}\n"
CRASH = "def handler(event, context):\n    raise ValueError('broken')\n"


@dataclass(frozen=True)
class House:
    """Version 1 answers, version 2 crashes, version 3 answers; the alias points to 1."""

    settings: Settings
    clients: Clients
    product: str
    queue: str

    @property
    def function(self) -> str:
        return self.settings.predict_function(self.product)

    @property
    def bucket(self) -> str:
        return self.settings.bucket

    def route(self, main: str, **extra: float) -> None:
        """Point the alias to one version, and give another one its share: `v2=0.25`."""
        weights = {name.removeprefix("v"): share for name, share in extra.items()}
        self.clients("lambda").update_alias(
            FunctionName=self.function,
            Name="live",
            FunctionVersion=main,
            RoutingConfig={"AdditionalVersionWeights": weights},
        )

    def routed(self) -> tuple[str, dict[str, float]]:
        found = self.clients("lambda").get_alias(FunctionName=self.function, Name="live")
        return found["FunctionVersion"], found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})

    def write_record(self, *, champion: str | None = None, challenger: str | None = None, weight: float = 0.0) -> None:
        """Write the control record as a release does; model versions are ten times the function's."""
        record = ControlRecord(
            product=self.product,
            revision=3,
            champion=contender(champion),
            challenger=contender(challenger),
            weight=weight,
        )
        body = record.model_dump_json().encode()
        self.clients("s3").put_object(Bucket=self.bucket, Key=f"control/{self.product}.json", Body=body)


def contender(function_version: str | None) -> Contender | None:
    if function_version is None:
        return None
    return Contender(
        model_version=f"{function_version}0",
        bundle="a" * 64,
        function_version=function_version,
        mlflow_run="run",
        since=datetime(2026, 3, 1, tzinfo=UTC),
        reason="better",
    )


@pytest.fixture(scope="module")
def clients(aws: Aws) -> Iterator[Clients]:
    made: dict[str, Any] = {"s3": aws.s3}

    def client(name: str) -> Any:
        if name not in made:
            made[name] = boto3.session.Session().client(name)
        return made[name]

    yield client
    for name, one in made.items():
        if name != "s3":
            one.close()


@pytest.fixture(scope="module")
def built(aws: Aws, clients: Clients) -> House:
    """Make the function, its alias, the topic and the queue once."""
    prefix, product = f"g{uuid.uuid4().hex[:8]}", "flights"
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": prefix})
    name = function(clients, ANSWER, CRASH, ANSWER + "# 3\n", name=settings.predict_function(product))
    clients("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    clients("sns").create_topic(Name=f"{prefix}-alarms")
    queue = clients("sqs").create_queue(QueueName=f"{prefix}-events")["QueueUrl"]
    return House(settings, clients, product, queue)


@pytest.fixture
def house(built: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The same, as if nothing had happened yet, and the guard's environment for it."""
    built.route("1")
    for item in built.clients("s3").list_objects_v2(Bucket=built.bucket).get("Contents", []):
        built.clients("s3").delete_object(Bucket=built.bucket, Key=item["Key"])
    built.clients("sqs").purge_queue(QueueUrl=built.queue)
    monkeypatch.setenv("TROPISM_BUCKET", built.bucket)
    monkeypatch.setenv("TROPISM_FUNCTION_PREFIX", built.settings.function_prefix)
    monkeypatch.setenv("TROPISM_EVENTS_QUEUE_URL", built.queue)
    effects._client.cache_clear()
    return built
