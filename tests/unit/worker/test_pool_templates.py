import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prefect_aws.workers.ecs_worker import ECSJobConfiguration

from deployments.pools import EcsPool, LambdaPool, ecs_template, lambda_template
from worker import LambdaWorker

TEMPLATES = Path(__file__).parents[3] / "deployments" / "work_pools"
ROLE = "arn:aws:iam::123456789012:role/tasks"
ECS = EcsPool(
    cluster="tropism",
    image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/tropism@sha256:0",
    execution_role_arn=ROLE,
    task_role_arn=ROLE,
    subnets=("subnet-1", "subnet-2"),
    log_group="/tropism/tasks",
)


def placeholders(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {name for item in value.values() for name in placeholders(item)}
    if isinstance(value, list):
        return {name for item in value for name in placeholders(item)}
    if isinstance(value, str) and value.startswith("{{ "):
        return {value.removeprefix("{{ ").removesuffix(" }}")}
    return set()


def test_the_lambda_template_is_the_workers_own() -> None:
    assert json.loads((TEMPLATES / "lambda.json").read_text()) == LambdaWorker.get_default_base_job_template()


def test_values_of_the_environment_become_defaults() -> None:
    properties = lambda_template(LambdaPool("tropism-run-flow", "live"))["variables"]["properties"]
    assert (properties["function_name"]["default"], properties["qualifier"]["default"]) == ("tropism-run-flow", "live")


@pytest.mark.parametrize("template", [lambda_template(LambdaPool("f")), ecs_template(ECS)], ids=["lambda", "ecs"])
def test_every_placeholder_has_a_variable_and_every_variable_a_placeholder(template: Any) -> None:
    assert placeholders(template["job_configuration"]) == set(template["variables"]["properties"])


def test_the_ecs_template_configures_nothing_the_worker_does_not_know() -> None:
    assert set(ecs_template(ECS)["job_configuration"]) <= set(ECSJobConfiguration.json_template())


def test_the_ecs_defaults_satisfy_their_own_schema() -> None:
    variables = ecs_template(ECS)["variables"]
    defaults = {
        name: schema["default"] for name, schema in variables["properties"].items() if schema.get("default") is not None
    }
    jsonschema.validate(defaults, variables)
    assert set(variables["required"]) <= set(defaults)
