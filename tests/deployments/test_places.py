"""The pools' places are read from what the stack made, in a running emulator."""

from typing import Any

import boto3
import pytest

from deployments.places import read
from lifecycle.errors import ServiceError
from lifecycle.settings import Settings


def settings(prefix: str) -> Settings:
    return Settings.model_validate({"bucket": "lake", "TROPISM_FUNCTION_PREFIX": prefix, "function_prefix": prefix})


@pytest.fixture
def task_definition(aws: Any) -> str:
    """Register what the stack would, under a prefix of its own."""
    client = boto3.session.Session().client("ecs", endpoint_url=aws.endpoint)
    client.register_task_definition(
        family="places-flows",
        cpu="2048",
        memory="8192",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        executionRoleArn="arn:aws:iam::000000000000:role/execution",
        taskRoleArn="arn:aws:iam::000000000000:role/task",
        containerDefinitions=[
            {
                "name": "prefect",
                "image": "registry/flows@sha256:1",
                "environment": [
                    {"name": "TROPISM_BUCKET", "value": "lake"},
                    {"name": "PREFECT_API_URL", "value": "http://prefect/api"},
                ],
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/places-flows"}},
            }
        ],
    )
    return "places"


def test_image_roles_and_size_are_those_of_the_task_definition(
    task_definition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROPISM_SUBNETS", "subnet-a, subnet-b")

    found = read(settings(task_definition))

    assert found.functions.function_name == "places-run-flow"
    assert found.tasks.image == "registry/flows@sha256:1"
    assert (found.tasks.cluster, found.tasks.family) == ("places", "places-run-flow")
    assert found.tasks.execution_role_arn == "arn:aws:iam::000000000000:role/execution"
    assert found.tasks.task_role_arn == "arn:aws:iam::000000000000:role/task"
    assert (found.tasks.cpu, found.tasks.memory) == (2048, 8192)
    assert (found.tasks.subnets, found.tasks.assign_public_ip) == (("subnet-a", "subnet-b"), False)
    assert found.tasks.env == {"TROPISM_BUCKET": "lake"}
    assert found.tasks.log_group == "/ecs/places-flows"


def test_without_a_chosen_network_it_is_the_default_one_with_a_public_address(task_definition: str) -> None:
    found = read(settings(task_definition))

    assert found.tasks.subnets
    assert found.tasks.assign_public_ip


@pytest.mark.usefixtures("aws")
def test_without_a_stack_it_says_which_task_definition_is_missing() -> None:
    with pytest.raises(ServiceError, match="There is no task definition 'nowhere-flows'"):
        read(settings("nowhere"))
