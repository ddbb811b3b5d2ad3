"""Lambda's two calls that a submission needs, with AWS's errors translated once, here.

Retries are botocore's own. They may deliver one request twice, as Lambda itself may: whoever executes the
request claims the run first. The only module here that imports boto3; the worker imports it when it starts.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from worker.configuration import Target
from worker.errors import (
    FunctionNotFoundError,
    FunctionThrottledError,
    FunctionTooSmallError,
    InvocationRefusedError,
    LambdaPoolError,
    PayloadTooLargeError,
)

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# botocore's standard mode waits at most 1 + 2 + 4 + 8 s between five attempts, half of it on average: long
# enough for a burst to pass, short enough for a run to be reported within half a minute.
ATTEMPTS = 5
CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 20  # seconds; an asynchronous invocation answers within milliseconds


class Functions:
    """Lambda as the ambient environment reaches it: region, endpoint and credentials are boto3's to find."""

    @cached_property
    def _lambda(self) -> LambdaClient:
        config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
        )
        return boto3.session.Session().client("lambda", config=config)

    def invoke(self, target: Target, body: str) -> str:
        """Hand a request over and return AWS's request id. A second call asks for a second execution.

        Raises:
            LambdaPoolError: one of its kinds, when Lambda did not accept the request.

        """
        try:
            answer = self._lambda.invoke(
                FunctionName=target.name,
                Qualifier=target.qualifier or "$LATEST",
                InvocationType="Event",
                Payload=body.encode(),
            )
        except ClientError as error:
            raise self._translated(error, target) from error
        except BotoCoreError as error:
            raise _unreachable(error, target) from error
        return answer["ResponseMetadata"]["RequestId"]

    def require(self, target: Target, *, memory: int | None, timeout: int | None) -> None:
        """Refuse a run that needs more than the function has, in MB and seconds. Changes nothing.

        Raises:
            FunctionTooSmallError: with what was asked and what there is.
            LambdaPoolError: when the function cannot be looked at.

        """
        if memory is None and timeout is None:
            return
        try:
            found = self._lambda.get_function_configuration(
                FunctionName=target.name, Qualifier=target.qualifier or "$LATEST"
            )
        except ClientError as error:
            raise self._translated(error, target) from error
        except BotoCoreError as error:
            raise _unreachable(error, target) from error
        _compare(target, "memory", "MB", "--memory-size", memory, found["MemorySize"])
        _compare(target, "timeout", "s", "--timeout", timeout, found["Timeout"])

    def _translated(self, error: ClientError, target: Target) -> LambdaPoolError:
        region = self._lambda.meta.region_name
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "ResourceNotFoundException":
            return FunctionNotFoundError(
                f"Lambda has no function {target} in {region}. Look at what there is with `aws lambda "
                f"list-functions --region {region}`, then create it or correct the job variables "
                "`function_name` and `qualifier`."
            )
        if code in {"TooManyRequestsException", "ThrottlingException", "EC2ThrottledException"}:
            return FunctionThrottledError(
                f"Lambda refused function {target} {ATTEMPTS} times within its limits: {message} Lower the pool's "
                f"concurrency, or raise the function's: `aws lambda get-function-concurrency --function-name "
                f"{target.name}` shows it."
            )
        if code == "RequestTooLargeException":
            return PayloadTooLargeError(f"Lambda refused the payload for function {target} as too large: {message}")
        return InvocationRefusedError(f"Lambda refused function {target} with {code}: {message}")


def _compare(target: Target, what: str, unit: str, option: str, asked: int | None, found: int) -> None:
    if asked is not None and asked > found:
        raise FunctionTooSmallError(
            f"Function {target} has a {what} of {found} {unit}; this run asks for {asked} {unit}. Lower the job "
            f"variable `{what}`, or raise the function: `aws lambda update-function-configuration "
            f"--function-name {target.name} {option} {asked}`."
        )


def _unreachable(error: Exception, target: Target) -> InvocationRefusedError:
    return InvocationRefusedError(
        f"Lambda could not be asked for function {target}: {error} The worker's environment gives region, "
        "endpoint and credentials; `aws sts get-caller-identity` there shows what it has."
    )
