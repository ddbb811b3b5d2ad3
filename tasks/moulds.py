"""A product's predict function, made from the mould: same role, runtime, handler, layers, limits and environment.

The stack deploys one mould, `<prefix>-predict`; products come and go without touching the stack. It knows no
alias and no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from botocore.exceptions import ClientError

from lifecycle.errors import ServiceError
from lifecycle.settings import Settings
from lifecycle.startup import contradictions
from tasks.clients import lambda_client, s3
from tasks.function_versions import code_key, wait_until_updated
from tasks.packages import Package, pack
from tasks.warmth import startup_of

_DOWNLOAD_SECONDS = 60.0
Made = TypeVar("Made")


@dataclass(frozen=True)
class Shape:
    """What a function shares with its mould; a change of the mould reaches the next published version."""

    role: str
    runtime: str
    handler: str
    memory_mb: int
    timeout_s: int
    architecture: str
    layers: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    snap_start: bool = False

    def arguments(self) -> dict[str, Any]:
        """Return the shape as Lambda's arguments, without the architecture, which belongs to the code."""
        return {
            "Role": self.role,
            "Runtime": self.runtime,
            "Handler": self.handler,
            "MemorySize": self.memory_mb,
            "Timeout": self.timeout_s,
            "Layers": list(self.layers),
            "Environment": {"Variables": dict(self.environment)},
            "SnapStart": {"ApplyOn": "PublishedVersions" if self.snap_start else "None"},
        }


def ensure_function(settings: Settings, product: str) -> str:
    """Make sure the product has its function, shaped like the mould as it is now; return the name.

    A second call changes nothing. Two callers at once: one creates, both go on. Raises ServiceError when there is no
    mould, or it asks for what AWS does not give.
    """
    function = settings.predict_function(product)
    wanted, found = _shape(mould_name(settings)), _shape(function)
    if wanted is None:
        raise ServiceError(
            f"There is no function {mould_name(settings)} to make {function} from.",
            resolution="Deploy the stack first; on a laptop that is `tropism up`.",
        )
    _require_possible(mould_name(settings))
    if found is None:
        unless_exists(lambda: _create(settings, product, function, wanted))
    elif found != wanted:
        lambda_client().update_function_configuration(FunctionName=function, **wanted.arguments())
    wait_until_updated(function)
    return function


def mould_name(settings: Settings) -> str:
    """Name the function every product's function is made from."""
    return f"{settings.function_prefix}-predict"


def bare_package(settings: Settings) -> Package:
    """Return the mould's code without a bundle: it answers 503 and says why."""
    return pack(mould_code(settings), None, None)


def mould_code(settings: Settings) -> bytes:
    """Download the mould's code, a zip. Raises ServiceError when it cannot be had."""
    location = lambda_client().get_function(FunctionName=mould_name(settings))["Code"]["Location"]
    try:
        return httpx.get(location, timeout=_DOWNLOAD_SECONDS, follow_redirects=True).raise_for_status().content
    except httpx.HTTPError as error:
        raise ServiceError(f"The code of {mould_name(settings)} cannot be downloaded.", detail=str(error)) from error


def unless_exists(make: Callable[[], Made]) -> Made | None:
    """Make something; None when somebody else just made it."""
    try:
        return make()
    except lambda_client().exceptions.ResourceConflictException:
        return None


def _create(settings: Settings, product: str, function: str, shape: Shape) -> None:
    package = bare_package(settings)
    key = code_key(function, package.sha256)
    s3().put_object(Bucket=settings.bucket, Key=key, Body=package.body, ChecksumAlgorithm="SHA256")
    architecture: Any = shape.architecture
    lambda_client().create_function(
        FunctionName=function,
        Code={"S3Bucket": settings.bucket, "S3Key": key},
        Architectures=[architecture],
        Tags={"tropism:product": product},
        **shape.arguments(),
    )


def _shape(function: str) -> Shape | None:
    try:
        found = lambda_client().get_function_configuration(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return Shape(
        role=found["Role"],
        runtime=found.get("Runtime", ""),
        handler=found.get("Handler", ""),
        memory_mb=found["MemorySize"],
        timeout_s=found["Timeout"],
        architecture=(found.get("Architectures") or ["x86_64"])[0],
        layers=tuple(layer["Arn"] for layer in found.get("Layers", [])),
        environment=tuple(sorted(found.get("Environment", {}).get("Variables", {}).items())),
        snap_start=found.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
    )


def _require_possible(mould: str) -> None:
    """Refuse a mould that contradicts itself; the emulator, and a person with a console, would let it be made."""
    found = contradictions(startup_of(mould))
    if found:
        raise ServiceError(
            f"Nothing can be made from {mould}.",
            detail=" ".join(found),
            resolution="Deploy the stack with other values of PredictSnapStart and PredictProvisionedConcurrency.",
        )
