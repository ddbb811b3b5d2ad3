"""Where the work pools send their runs: read from what the stack made, so that no name is written twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployments.pools import EcsPool, LambdaPool
from lifecycle.errors import ServiceError
from lifecycle.settings import Settings
from tasks.clients import ecs

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskDefinitionTypeDef


class Capacity(BaseSettings):
    """How much may run at once."""

    model_config = SettingsConfigDict(env_prefix="TROPISM_", frozen=True, extra="ignore")

    lambda_runs: int | None = Field(default=None, ge=1, description="Flow runs at a time on the pool `lambda`.")


class Network(BaseSettings):
    """The network of training tasks; the account's default one when nothing is said."""

    model_config = SettingsConfigDict(env_prefix="TROPISM_", frozen=True, extra="ignore")

    subnets: str = Field(default="", description="Subnet ids, separated by commas. Empty: the default VPC's.")
    security_groups: str = Field(default="", description="Security group ids, separated by commas.")
    public_ip: bool = Field(default=False, description="Give tasks a public address. Always so in the default VPC.")
    prefect_auth_secret_arn: str | None = Field(
        default=None, description="Secret that holds `user:password` of Prefect's API, for training tasks."
    )


@dataclass(frozen=True)
class Places:
    """What each of the two pools needs to know."""

    functions: LambdaPool
    tasks: EcsPool


def read(settings: Settings) -> Places:
    """Read the places from the stack's own task definition. Raises ServiceError when the stack is not there."""
    family = f"{settings.function_prefix}-flows"
    client = ecs()
    try:
        definition = client.describe_task_definition(taskDefinition=family)["taskDefinition"]
    except client.exceptions.ClientException as error:
        raise ServiceError(
            f"There is no task definition {family!r}.",
            detail=str(error),
            resolution="Create the stack first: `tropism up` on a laptop, `aws cloudformation deploy` in an account.",
        ) from error
    return Places(
        functions=LambdaPool(f"{settings.function_prefix}-run-flow", at_once=Capacity().lambda_runs),
        tasks=_tasks(settings, definition, Network()),
    )


def _tasks(settings: Settings, definition: TaskDefinitionTypeDef, network: Network) -> EcsPool:
    container = definition["containerDefinitions"][0]
    options = container.get("logConfiguration", {}).get("options", {})
    told = container.get("environment", [])  # the worker adds Prefect's address itself
    chosen = _listed(network.subnets)
    return EcsPool(
        cluster=settings.function_prefix,
        image=container["image"],
        execution_role_arn=definition["executionRoleArn"],
        task_role_arn=definition["taskRoleArn"],
        subnets=chosen or _default_subnets(),
        security_groups=_listed(network.security_groups),
        assign_public_ip=network.public_ip or not chosen,
        log_group=options.get("awslogs-group", f"/ecs/{definition['family']}"),
        # The worker registers its own; under the stack's name it would stand in the way of the next one read here.
        family=f"{settings.function_prefix}-run-flow",
        cpu=int(definition["cpu"]),
        memory=int(definition["memory"]),
        prefect_api_auth_string_secret_arn=network.prefect_auth_secret_arn,
        env={item["name"]: item["value"] for item in told if not item["name"].startswith("PREFECT_")},
    )


def _default_subnets() -> tuple[str, ...]:
    """Return the default VPC's subnets. Raises ServiceError when there are none."""
    import boto3  # noqa: PLC0415  # two seconds that a chosen network never pays

    client: Any = boto3.session.Session().client("ec2")
    found = client.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    if not found:
        raise ServiceError(
            "The account has no default VPC.",
            detail="No subnet is marked default-for-az.",
            resolution="Name the subnets of training tasks: TROPISM_SUBNETS=subnet-…,subnet-….",
        )
    return tuple(sorted(subnet["SubnetId"] for subnet in found))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
