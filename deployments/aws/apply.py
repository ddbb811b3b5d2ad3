"""Brings an account, or the cloud on this machine, to the stack: `python -m deployments.aws.apply --help`.

The bucket comes first, then the code in it, then the functions that run the code. Every step is repeatable; a second
run changes nothing. Where it goes is `AWS_ENDPOINT_URL`'s business alone. It does not deploy flows to Prefect.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from deployments.aws import change_sets
from deployments.aws.change_sets import Kind, Template, Waiting
from deployments.package import Code, package
from lifecycle.errors import TropismError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TEMPLATE = Path(__file__).with_name("stack.yaml")
ZIPPED = {"BridgeCodeKey": "bridge", "GuardCodeKey": "guard", "PredictCodeKey": "predict"}
"""Parameter that holds the key, and the function whose code it is."""
_FAILED_FOR_GOOD = ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED")
"""States a stack only leaves by being deleted; the bucket is retained."""


@dataclass(frozen=True)
class Applied:
    """What the stack is now. `changed`: whether this call changed it; `keys`: the code that runs, by parameter."""

    changed: bool
    keys: Mapping[str, str]
    outputs: Mapping[str, str]


def apply(stack: str, parameters: Mapping[str, str], *, python: Path | None, waiting: Waiting) -> Applied:
    """Bring the stack to the template, the parameters and the code of this checkout.

    `python` is the interpreter of this machine that runs the zip functions; without it they need AWS's own runtime.
    Raises ServiceError with CloudFormation's reason, UsageError without a BucketName.
    """
    if "BucketName" not in parameters:
        raise UsageError("The stack needs a bucket's name.", resolution="Pass --parameter BucketName=…")
    cloudformation = boto3.session.Session().client("cloudformation")
    s3 = boto3.session.Session().client("s3")
    bucket = parameters["BucketName"]
    body = TEMPLATE.read_text()
    codes = {key: package(function, python=python) for key, function in ZIPPED.items()}
    wanted = {**parameters, **{key: code.key for key, code in codes.items()}}
    changed = False
    if change_sets.status(cloudformation, stack) in _FAILED_FOR_GOOD:
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
    if change_sets.status(cloudformation, stack) is None:
        kind: Kind = "IMPORT" if _exists(s3, bucket) else "CREATE"
        first = _adoption(bucket) if kind == "IMPORT" else Template(body, parameters)
        changed = change_sets.change(cloudformation, stack, kind, first, waiting)
    change_sets.settle(cloudformation, stack, waiting)
    for code in codes.values():
        upload(s3, bucket, code)
    changed |= change_sets.change(cloudformation, stack, "UPDATE", Template(body, wanted), waiting)
    keys = {key: code.key for key, code in codes.items()}
    return Applied(changed, keys, change_sets.outputs(cloudformation, stack))


def upload(s3: S3Client, bucket: str, code: Code) -> bool:
    """Put a zip where its digest says and tell whether it was missing; a second call finds it there."""
    try:
        s3.head_object(Bucket=bucket, Key=code.key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:  # noqa: PLR2004 - HTTP's "not found"
            raise
    else:
        return False
    s3.put_object(Bucket=bucket, Key=code.key, Body=code.body, ChecksumAlgorithm="SHA256")
    return True


def _exists(s3: S3Client, bucket: str) -> bool:
    return any(found.get("Name") == bucket for found in s3.list_buckets()["Buckets"])


def _adoption(bucket: str) -> Template:
    """Return the template that takes a bucket which outlived its stack into a new one, and nothing else."""
    resource = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": bucket}}
    return Template(
        body=json.dumps({"Resources": {"Bucket": resource}}),
        parameters={},
        imports=[
            {
                "ResourceType": "AWS::S3::Bucket",
                "LogicalResourceId": "Bucket",
                "ResourceIdentifier": {"BucketName": bucket},
            }
        ],
    )


def main(arguments: list[str]) -> int:
    """Apply and write the result as one line of JSON to standard output; errors go to standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.aws.apply", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--stack", default="tropism", help="name of the CloudFormation stack")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="a template's parameter")
    parser.add_argument("--python", type=Path, help="run the zip functions in this interpreter (a laptop's cloud)")
    parser.add_argument("--poll", type=float, default=Waiting.every, help="seconds between two looks at the stack")
    given = parser.parse_args(arguments)
    try:
        parameters = dict(pair.split("=", 1) for pair in given.parameter)
    except ValueError:
        parser.error("--parameter takes NAME=VALUE")
    try:
        applied = apply(given.stack, parameters, python=given.python, waiting=Waiting(every=given.poll))
    except TropismError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(asdict(applied)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
