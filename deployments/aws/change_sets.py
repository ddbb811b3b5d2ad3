"""CloudFormation through change sets: what a template would change is computed first, and nothing is done twice.

It knows no resource of ours. A stack that cannot be changed at all is an error with CloudFormation's own reason.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from lifecycle.errors import ServiceError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import CreateChangeSetInputTypeDef, ResourceToImportTypeDef

Kind = Literal["CREATE", "UPDATE", "IMPORT"]
_ABSENT = ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Waiting:
    """How often and how long CloudFormation is asked, in seconds."""

    every: float = 2.0
    most: float = 1800.0


@dataclass(frozen=True)
class Template:
    """A template and what fills it."""

    body: str
    parameters: Mapping[str, str]
    imports: Sequence[ResourceToImportTypeDef] = ()


def status(cloudformation: CloudFormationClient, stack: str) -> str | None:
    """Return the stack's status, or None when there is none."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # how CloudFormation says "does not exist"
            return None
        raise
    return None if found in _ABSENT else found


def outputs(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Return what the stack tells about itself."""
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in found}


def change(cloudformation: CloudFormationClient, stack: str, kind: Kind, template: Template, waiting: Waiting) -> bool:
    """Bring the stack to the template and tell whether anything changed; a second call changes nothing.

    Raises ServiceError with the first failed resource and its reason.
    """
    name = f"tropism-{uuid.uuid4().hex[:12]}"
    request: CreateChangeSetInputTypeDef = {
        "StackName": stack,
        "ChangeSetName": name,
        "ChangeSetType": kind,
        "TemplateBody": template.body,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in template.parameters.items()],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    if template.imports:
        request["ResourcesToImport"] = list(template.imports)
    try:
        cloudformation.create_change_set(**request)
    except ClientError as error:
        raise ServiceError(
            f"The stack {stack} cannot become what the template says.", detail=error.response["Error"]["Message"]
        ) from error
    if not _ready(cloudformation, stack, name, waiting):
        return False
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
    settle(cloudformation, stack, waiting)
    return True


def settle(cloudformation: CloudFormationClient, stack: str, waiting: Waiting) -> None:
    """Wait until the stack is complete. Raises ServiceError when it failed, was rolled back, or takes too long."""
    deadline = time.monotonic() + waiting.most
    while (found := status(cloudformation, stack) or "absent").endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise ServiceError(
                f"The stack {stack} did not settle.", detail=f"It is {found} after {waiting.most:.0f} s."
            )
        time.sleep(waiting.every)
    if found not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
        raise ServiceError(
            f"The stack {stack} could not be changed.", detail=f"It is {found}: {_reason(cloudformation, stack)}"
        )


def _ready(cloudformation: CloudFormationClient, stack: str, name: str, waiting: Waiting) -> bool:
    """Wait until the change set can be executed; False when it holds no change."""
    deadline = time.monotonic() + waiting.most
    while True:
        found = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        reason = found.get("StatusReason", "")
        if found["Status"] == "FAILED" and any(words in reason for words in _NO_CHANGES):
            cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
            return False
        if found["Status"] == "FAILED" or time.monotonic() > deadline:
            raise ServiceError(
                f"The stack {stack} cannot become what the template says.", detail=f"{found['Status']}: {reason}"
            )
        time.sleep(waiting.every)


def _reason(cloudformation: CloudFormationClient, stack: str) -> str:
    """Return the first failure of the last change."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event.get("ResourceStatus", "").endswith("_FAILED")]
    if not failed:
        return "CloudFormation names no resource that failed."
    first = failed[-1]
    return f"{first.get('LogicalResourceId')}: {first.get('ResourceStatusReason', 'no reason given')}"
