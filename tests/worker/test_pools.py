"""The pools on a real server, and what the ECS pool's template asks of AWS."""

import asyncio
import logging
from typing import Any
from uuid import UUID, uuid4

import boto3
import httpx
import pytest
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.states import Pending, Running, Scheduled
from prefect_aws.workers.ecs_worker import ECSJobConfiguration, ECSWorker

from deployments.pools import Change, EcsPool, LambdaPool, PoolChange, ecs_template, ensure_pools
from lifecycle.errors import ServiceError

pytestmark = pytest.mark.localcloud
ROLE = "arn:aws:iam::000000000000:role/tasks"
FUNCTION = LambdaPool("tropism-run-flow")
TASKS = EcsPool(
    cluster="pools",
    image="000000000000.dkr.ecr.us-east-1.amazonaws.com/flows:1",
    execution_role_arn=ROLE,
    task_role_arn=ROLE,
    subnets=("subnet-1", "subnet-2"),
    security_groups=("sg-1",),
    log_group="/tropism/tasks",
    memory=8192,
)


@pytest.fixture
def client(prefect: Any) -> Any:
    for pool in prefect.client.read_work_pools():
        if pool.name in {"lambda", "ecs"}:
            prefect.client.delete_work_pool(pool.name)
    return prefect.client


def test_the_first_call_creates_both_pools_and_the_second_changes_nothing(client: Any) -> None:
    assert ensure_pools(client, FUNCTION, TASKS) == (
        PoolChange("lambda", Change.CREATED),
        PoolChange("ecs", Change.CREATED),
    )
    before = [client.read_work_pool(name) for name in ("lambda", "ecs")]
    assert ensure_pools(client, FUNCTION, TASKS) == (
        PoolChange("lambda", Change.UNCHANGED),
        PoolChange("ecs", Change.UNCHANGED),
    )
    assert [client.read_work_pool(name) for name in ("lambda", "ecs")] == before
    assert [(pool.type, pool.name) for pool in before] == [("lambda", "lambda"), ("ecs", "ecs")]


def test_a_new_value_updates_only_its_pool_and_a_pause_is_kept(client: Any) -> None:
    ensure_pools(client, FUNCTION, TASKS)
    client.update_work_pool("lambda", WorkPoolUpdate(is_paused=True))
    changes = ensure_pools(client, LambdaPool("tropism-run-flow", "live"), TASKS)
    assert [change.change for change in changes] == [Change.UPDATED, Change.UNCHANGED]
    pool = client.read_work_pool("lambda")
    assert pool.base_job_template["variables"]["properties"]["qualifier"]["default"] == "live"
    assert pool.is_paused


def test_a_sweep_never_waits_for_a_place_that_a_dead_run_holds(client: Any, prefect: Any) -> None:
    ensure_pools(client, FUNCTION, TASKS)
    client.update_work_pool("lambda", WorkPoolUpdate(concurrency_limit=1))  # as it was limited once
    limited = LambdaPool("tropism-run-flow", at_once=1)
    assert [change.change for change in ensure_pools(client, limited, TASKS)] == [Change.UPDATED, Change.UNCHANGED]
    assert [change.change for change in ensure_pools(client, limited, TASKS)] == [Change.UNCHANGED] * 2
    runs = [made(client, queue) for queue in ("default", "default", "sweeps")]
    client.set_flow_run_state(runs[0], Pending())
    client.set_flow_run_state(runs[0], Running())
    answer = httpx.post(f"{prefect.url}/work_pools/lambda/get_scheduled_flow_runs", json={}).raise_for_status()
    assert [one["flow_run"]["id"] for one in answer.json()] == [str(runs[2])]


def made(client: Any, queue: str) -> UUID:
    """Make a run that waits in a queue."""
    flow = client.create_flow_from_name("any")
    options = {"work_pool_name": "lambda", "work_queue_name": queue, "parameter_openapi_schema": {"type": "object"}}
    deployment = client.create_deployment(flow, name=uuid4().hex, **options)
    run: UUID = client.create_flow_run_from_deployment(deployment, state=Scheduled()).id
    return run


def test_a_pool_of_another_type_is_refused_with_the_command_to_run(client: Any) -> None:
    client.create_work_pool(WorkPoolCreate(name="lambda", type="process"))
    with pytest.raises(ServiceError, match=r"Its type is 'process', expected 'lambda'.*`prefect work-pool delete"):
        ensure_pools(client, FUNCTION, TASKS)


def test_an_ecs_run_asks_for_one_task_with_the_claiming_command_and_never_for_the_network(
    prefect: Any, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")  # asking it would fail
    ecs = boto3.session.Session().client("ecs", endpoint_url=aws.endpoint)
    ecs.create_cluster(clusterName=TASKS.cluster)
    run = prefect.submitted("completes")

    async def configured() -> ECSJobConfiguration:
        configuration = await ECSJobConfiguration.from_template_and_values(ecs_template(TASKS), {"cpu": 2048})
        configuration.prepare_for_flow_run(run)
        return configuration

    worker = ECSWorker(work_pool_name="ecs")
    arn, _ = worker._prepare_and_create_task(logging.getLogger("test"), ecs, asyncio.run(configured()), run)
    (task,) = ecs.describe_tasks(cluster=TASKS.cluster, tasks=[arn])["tasks"]
    definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    (container,) = task["overrides"]["containerOverrides"]
    (described,) = definition["containerDefinitions"]
    assert container["command"] == ["python", "-m", "functions.run_flow.task"]
    assert {"name": "PREFECT__FLOW_RUN_ID", "value": str(run.id)} in container["environment"]
    assert (task["overrides"]["cpu"], task["overrides"]["memory"]) == ("2048", "8192")
    assert (definition["family"], definition["networkMode"], described["image"]) == (
        "tropism-run-flow",
        "awsvpc",
        TASKS.image,
    )
    assert described["logConfiguration"]["options"]["awslogs-group"] == "/tropism/tasks"
    assert definition["executionRoleArn"] == ROLE
    assert task["overrides"]["taskRoleArn"] == ROLE
