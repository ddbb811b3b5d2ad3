"""The clients of AWS and the settings, from the ambient environment; one client per service, process and endpoint.

It configures retries and time limits once. It wraps no call: where the calls go (an account, or the cloud on
this machine) is `AWS_ENDPOINT_URL`'s business alone.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from lifecycle.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

_ATTEMPTS = 5  # botocore's standard mode: 5 attempts with jitter stay under ten seconds in all
_CONNECT_SECONDS, _READ_SECONDS = 5, 60
_BUILDING = threading.Lock()  # building a client from boto3's default session is not safe across threads; using it is


def settings() -> Settings:
    """Read where things are. Call it once at an entry point and pass the value on."""
    return Settings()


def s3() -> S3Client:
    """Return the client of S3."""
    client: S3Client = _client("s3")
    return client


def lambda_client() -> LambdaClient:
    """Return the client of Lambda."""
    client: LambdaClient = _client("lambda")
    return client


def ecs() -> ECSClient:
    """Return the client of ECS."""
    client: ECSClient = _client("ecs")
    return client


def logs() -> CloudWatchLogsClient:
    """Return the client of CloudWatch Logs."""
    client: CloudWatchLogsClient = _client("logs")
    return client


def cloudwatch() -> Any:  # noqa: ANN401  # its stubs are not among the locked ones
    """Return the client of CloudWatch."""
    return _client("cloudwatch")


def sns() -> Any:  # noqa: ANN401  # its stubs are not among the locked ones
    """Return the client of SNS."""
    return _client("sns")


def firehose() -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
    """Return the client of Firehose."""
    return _client("firehose")


def _client(service: str) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
    with _BUILDING:
        return _build(service, os.environ.get("AWS_ENDPOINT_URL"))


@lru_cache(maxsize=16)
def _build(service: str, _endpoint: str | None) -> Any:  # noqa: ANN401
    """Build a client; the endpoint is only part of the key, boto3 reads it itself."""
    limits = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        user_agent_extra="tropism",
    )
    return boto3.session.Session().client(service, config=limits)  # type: ignore[call-overload]
