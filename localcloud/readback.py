"""Whether the stack is really in the emulator: every resource that work depends on is asked for by name.

The stack's own status is not evidence: an emulator that was killed may remember the stack and not its queues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.address import LocalCloud

_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_SERVICES = ("cloudformation", "ecs", "events", "lambda", "s3", "sns", "sqs")
Clients = Mapping[str, Any]


def missing(cloud: LocalCloud) -> tuple[str, ...]:
    """Return what is not there or not as the template says; empty when all is well."""
    with ExitStack() as stack:
        clients = {name: stack.enter_context(closing(_client(cloud, name))) for name in _SERVICES}
        return tuple(name for name, holds in _checks(cloud, clients) if not _asked(holds))


def _client(cloud: LocalCloud, service: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    known = cloud.aws_environment()
    session = boto3.session.Session(
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        region_name=known["AWS_DEFAULT_REGION"],
    )
    config = Config(retries={"total_max_attempts": 2})
    return session.client(service, endpoint_url=cloud.aws_endpoint_url, config=config)  # type: ignore[call-overload]


def _asked(holds: Callable[[], object]) -> bool:
    try:
        return bool(holds())
    except (ClientError, IndexError, KeyError):
        return False


def _checks(cloud: LocalCloud, clients: Clients) -> Iterator[tuple[str, Callable[[], object]]]:
    prefix, bucket = cloud.function_prefix, cloud.bucket
    yield "stack", partial(_stack, clients, prefix)
    yield "bucket versioning", partial(_versioned, clients, bucket)
    yield "bucket notifications", partial(_notifies, clients, bucket)
    for queue in (f"{prefix}-events", f"{prefix}-events-dead", "prefect-ecs-tasks-events"):
        yield f"queue {queue}", partial(clients["sqs"].get_queue_url, QueueName=queue)
    for rule in ("object-landed", "task-stopped", "task-changed"):
        yield f"rule {rule}", partial(_targets, clients, f"{prefix}-{rule}")
    for function in ("bridge", "guard", "run-flow", "predict"):
        yield f"function {function}", partial(clients["lambda"].get_function, FunctionName=f"{prefix}-{function}")
    yield "event source mapping", partial(_mapped, clients, f"{prefix}-bridge")
    yield "guard's subscription", partial(_subscribed, clients, f"{prefix}-guard")
    yield "cluster", partial(_cluster, clients, prefix)
    yield "task definition", partial(clients["ecs"].describe_task_definition, taskDefinition=f"{prefix}-flows")


def _stack(clients: Clients, name: str) -> bool:
    found = clients["cloudformation"].describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    return found in _COMPLETE


def _versioned(clients: Clients, bucket: str) -> bool:
    return bool(clients["s3"].get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled")


def _notifies(clients: Clients, bucket: str) -> bool:
    return "EventBridgeConfiguration" in clients["s3"].get_bucket_notification_configuration(Bucket=bucket)


def _targets(clients: Clients, rule: str) -> bool:
    return bool(clients["events"].list_targets_by_rule(Rule=rule)["Targets"])


def _mapped(clients: Clients, function: str) -> bool:
    found = clients["lambda"].list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    return any(mapping["State"] == "Enabled" for mapping in found)


def _subscribed(clients: Clients, function: str) -> bool:
    found = clients["sns"].list_subscriptions()["Subscriptions"]
    return any(subscription["Endpoint"].endswith(f":{function}") for subscription in found)


def _cluster(clients: Clients, name: str) -> bool:
    return bool(clients["ecs"].describe_clusters(clusters=[name])["clusters"][0]["status"] == "ACTIVE")
