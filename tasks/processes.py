"""Ask ECS which flow runs still have a task. Lambda has no such question; its failure records are events.

A task tells which run it carries by the variable that Prefect's ECS worker gave it, so it is found also when the
worker died before it could note the task.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lifecycle.errors import ServiceError
from lifecycle.lost import Process, Run
from tasks.clients import ecs

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef

ECS_POOL = "ecs"
_PAGE = 100  # the most DescribeTasks takes
_FLOW_RUN = "PREFECT__FLOW_RUN_ID"


def processes(runs: Iterable[Run], cluster: str) -> dict[str, Process]:
    """Return what ECS says about the runs of its pool, by flow run; a run that ECS knows nothing of is missing.

    Args:
        runs: The runs to ask about; those of other pools are skipped.
        cluster: The cluster that runs without a noted task are looked for in.

    """
    ours = [run for run in runs if run.pool == ECS_POOL]
    if not ours:
        return {}
    found: dict[str, Process] = {}
    try:
        for run in ours:
            if run.pid is not None and "::" in run.pid:
                place, _, arn = run.pid.partition("::")
                found.update((run.id, _process(task)) for task in _described(place, [arn]))
        for task in _described(cluster, _listed(cluster)):
            carried, process = _carries(task), _process(task)
            if carried is not None and process.alive:
                found[carried] = process
    except ClientError as error:
        told = error.response["Error"]
        raise ServiceError("ECS does not say what became of its tasks.", detail=f"{told.get('Message')}") from error
    return found


def _listed(cluster: str) -> list[str]:
    return ecs().list_tasks(cluster=cluster, desiredStatus="RUNNING", maxResults=_PAGE)["taskArns"]


def _described(cluster: str, arns: list[str]) -> list[TaskTypeDef]:
    return ecs().describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []


def _process(task: TaskTypeDef) -> Process:
    status = task.get("lastStatus", "UNKNOWN")
    if status != "STOPPED":
        return Process(alive=True, reason=f"Its ECS task is {status}.")
    codes = [container.get("exitCode") for container in task.get("containers", [])]
    why = task.get("stoppedReason") or task.get("stopCode") or "no reason given"
    return Process(alive=False, reason=f"its ECS task stopped ({why}, exit codes {codes})")


def _carries(task: TaskTypeDef) -> str | None:
    for override in task.get("overrides", {}).get("containerOverrides", []):
        for variable in override.get("environment", []):
            if variable.get("name") == _FLOW_RUN:
                return variable.get("value")
    return None
