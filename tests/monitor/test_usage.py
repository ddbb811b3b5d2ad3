"""What is measured of a product's work: a function that really runs, runs on a real Prefect server, objects in S3."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Completed, Running

from lifecycle.cost import Bill, Usage
from lifecycle.settings import Settings
from tasks import stored
from tasks.runs import OURS
from tasks.usage import measure_cost
from tests.conftest import Aws
from tests.localcloud.small_functions import function

if TYPE_CHECKING:
    from tests.orchestrator import Prefect

NAP = "import time\ndef handler(event, context):\n    time.sleep(0.1)\n    return {}\n"
BEFORE = datetime.now(UTC) - timedelta(minutes=5)
HOURS = timedelta(hours=10)


@dataclass(frozen=True)
class House:
    """Two products; the address of Prefect is the discard port, where nothing listens."""

    settings: Settings
    aws: Aws

    def measure(self) -> Bill:
        return measure_cost(self.settings, "parcels", BEFORE, datetime.now(UTC) + timedelta(minutes=1))


@pytest.fixture
def house(aws: Aws, tmp_path: Path) -> House:
    for name in ("parcels", "letters"):
        (tmp_path / "products" / name).mkdir(parents=True)
        (tmp_path / "products" / name / "product.yaml").write_text("name: of no interest\n")
    prefix = f"u{uuid.uuid4().hex[:8]}"
    return House(
        Settings.model_validate(
            {
                "bucket": aws.bucket(),
                "function_prefix": prefix,
                "root": tmp_path,
                "AWS_ENDPOINT_URL": aws.endpoint,
                "PREFECT_API_URL": "http://127.0.0.1:9/api",
            }
        ),
        aws,
    )


def of(found: Bill, stage: str) -> Usage:
    return next(one for one in found.usage if one.stage == stage)


def test_the_function_is_measured_by_its_own_metrics_times_its_memory(house: House) -> None:
    name = house.settings.predict_function("parcels")
    client = boto3.session.Session().client("lambda")
    function(lambda _: client, NAP, name=name)
    for _ in range(3):
        client.invoke(FunctionName=name, Payload=b"{}")
    memory = client.get_function_configuration(FunctionName=name)["MemorySize"] / 1024
    client.close()
    used = of(house.measure(), "predict")

    assert used.requests == 3
    assert used.gb_seconds is not None
    assert 0.3 * memory <= used.gb_seconds < 60 * memory
    assert used.unmeasured == ("starting of processes",)


def test_who_does_not_answer_leaves_a_gap_and_no_zero(house: House) -> None:
    found = house.measure()

    assert [of(found, name).gb_seconds for name in ("ingest", "train", "release", "monitor")] == [None] * 4
    assert "train: vcpu seconds" in found.unknown
    assert "train: Prefect does not answer" in found.unknown
    assert {"log: logged gb", "log: delivered gb", "storage: requests to S3", "predictions"} <= set(found.unknown)
    assert (of(found, "predict").requests, found.predictions, found.laptop) == (0, None, True)


def run(prefect: Prefect, flow: str, pool: str | None, product: str | None) -> float:
    """Make a run that was running for a moment; return the seconds, as Prefect counts them."""
    client, parameters = prefect.client, {"product": product}
    if pool is None:
        made = client.create_flow_run(_flow(flow), parameters=parameters, tags=[OURS], state=Running())
    else:
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        schema: dict[str, Any] = {"type": "object", "properties": {}}
        deployment = client.create_deployment(
            client.create_flow_from_name(flow),
            name=uuid.uuid4().hex,
            work_pool_name=pool,
            parameter_openapi_schema=schema,
            enforce_parameter_schema=False,
        )
        made = client.create_flow_run_from_deployment(deployment, parameters=parameters, tags=[OURS], state=Running())
    time.sleep(0.2)
    client.set_flow_run_state(made.id, Completed(), force=True)
    return client.read_flow_run(made.id).total_run_time.total_seconds()


def _flow(name: str) -> Any:
    from prefect import flow  # noqa: PLC0415

    @flow(name=name)
    def made(product: str | None) -> None: ...

    return made


def test_flows_count_by_their_run_times_and_a_run_for_all_products_counts_for_each_alike(
    house: House, prefect: Prefect
) -> None:
    ecs, lambdas = boto3.session.Session().client("ecs"), boto3.session.Session().client("lambda")
    prefix = house.settings.function_prefix
    ecs.register_task_definition(
        family=f"{prefix}-flows", cpu="2048", memory="8192", containerDefinitions=[{"name": "x", "image": "x"}]
    )
    function(lambda _: lambdas, NAP, name=f"{prefix}-run-flow")
    memory = lambdas.get_function_configuration(FunctionName=f"{prefix}-run-flow")["MemorySize"] / 1024
    ecs.close()
    lambdas.close()
    house = replace(house, settings=house.settings.model_copy(update={"prefect_api_url": prefect.url}))
    before = house.measure()  # the server is shared
    ingest = run(prefect, "ingest", "lambda", "parcels")
    run(prefect, "ingest", "lambda", "letters")
    run(prefect, "ingest", None, "parcels")
    train = run(prefect, "train", "ecs", "parcels")
    watch = run(prefect, "monitor", "lambda", None)
    found = house.measure()

    def more(stage: str, name: str) -> float:
        return float(getattr(of(found, stage), name)) - float(getattr(of(before, stage), name))

    assert min(ingest, train, watch) >= 0.2
    assert more("ingest", "gb_seconds") == pytest.approx(ingest * memory)
    assert more("ingest", "requests") == pytest.approx(1)
    assert more("train", "vcpu_seconds") == pytest.approx(2 * train)
    assert more("train", "memory_gb_seconds") == pytest.approx(8 * train)
    assert more("monitor", "gb_seconds") == pytest.approx(watch * memory / 2)
    assert more("monitor", "requests") == pytest.approx(0.5)


def test_every_version_is_kept_for_as_long_as_it_was_there(house: House) -> None:
    bucket, now = house.settings.bucket, datetime.now(UTC)
    for body in (b"x" * 1024, b"y" * 2048):
        house.aws.s3.put_object(Bucket=bucket, Key="validated/parcels/b/data.parquet", Body=body)
    house.aws.s3.put_object(Bucket=bucket, Key="validated/letters/b/data.parquet", Body=b"z" * 4096)
    house.aws.s3.put_object(Bucket=bucket, Key="control/parcels.json", Body=b"c" * 1024)

    kept = stored.average_gb(bucket, stored.prefixes("parcels"), now, now + HOURS)
    assert kept == pytest.approx(4096 / 1024**3, rel=0.01)
    halfway = stored.average_gb(bucket, stored.prefixes("parcels"), now - HOURS, now + HOURS)
    assert halfway == pytest.approx(kept / 2, rel=0.01)
    assert stored.average_gb(bucket, stored.prefixes("parcels"), now - 2 * HOURS, now - HOURS) == 0
