# ruff: noqa: SLF001 - a patch wraps another package's private functions, and their types are its own
"""Provisioned concurrency as AWS gives it: listed, not at once, and never where it cannot be.

ministack has it ready the moment it is asked for, takes it for `$LATEST`, for nothing at all and beside SnapStart, and
cannot list it. No environment is really kept ready: what is emulated is what one may ask for and how long it takes.
https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import lambda_svc

from localcloud.patches.registry import Patch

Answer = tuple[int, dict[str, str], bytes]

_READY_SECONDS = 1.0
"""AWS takes a minute or two."""


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="provisioned concurrency",
        lack="provisioned concurrency is ready at once, is taken for anything, and cannot be listed",
        needed=lambda: "IN_PROGRESS" not in inspect.getsource(lambda_svc._put_provisioned_concurrency),
        apply=_apply,
    )


def _apply() -> None:
    lambda_svc._put_provisioned_concurrency = _checked(lambda_svc._put_provisioned_concurrency)
    lambda_svc._get_provisioned_concurrency = _listing(lambda_svc._get_provisioned_concurrency)


def _checked(original: Callable[..., Answer]) -> Callable[..., Answer]:
    @functools.wraps(original)
    def put(function: str, qualifier: str, data: dict[str, Any]) -> Answer:
        if why := refusal(function, qualifier, data):
            answer: Answer = error_response_json("InvalidParameterValueException", why, 400)
            return answer
        answer = original(function, qualifier, data)
        if (asked := _configs(function).get(qualifier)) is None or answer[0] >= 400:  # noqa: PLR2004 - HTTP's errors
            return answer
        asked.update(Status="IN_PROGRESS", AllocatedProvisionedConcurrentExecutions=0)
        asked.update(AvailableProvisionedConcurrentExecutions=0)
        began: Answer = json_response(asked, 202)
        return began

    return put


def refusal(function: str, qualifier: str, data: dict[str, Any]) -> str | None:
    """Return what AWS says to a wish it does not grant, or None."""
    record = lambda_svc._functions.get(function) or {}
    if qualifier in ("", "$LATEST"):
        return "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    if data.get("ProvisionedConcurrentExecutions", 0) < 1:
        return "ProvisionedConcurrentExecutions must be at least 1."
    version = (record.get("versions") or {}).get(qualifier) or {}
    if (version.get("config", {}).get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions":
        return "Provisioned Concurrency is not supported for functions that are configured with SnapStart."
    return None


def _listing(original: Callable[..., Answer]) -> Callable[..., Answer]:
    """Without a qualifier it is the list that is asked for."""

    @functools.wraps(original)
    def got(function: str, qualifier: str) -> Answer:
        for config in _configs(function).values():
            _grow(config)
        if qualifier or function not in lambda_svc._functions:
            return original(function, qualifier)
        arn = lambda_svc._func_arn(function)
        listed = [{"FunctionArn": f"{arn}:{key}", **config} for key, config in _configs(function).items()]
        answer: Answer = json_response({"ProvisionedConcurrencyConfigs": listed})
        return answer

    return got


def _configs(function: str) -> dict[str, dict[str, Any]]:
    return dict((lambda_svc._functions.get(function) or {}).get("provisioned_concurrency") or {})


def _grow(config: dict[str, Any]) -> None:
    asked = datetime.fromisoformat(config["LastModified"].replace("+0000", "+00:00"))
    if config["Status"] == "IN_PROGRESS" and (datetime.now(UTC) - asked).total_seconds() >= _READY_SECONDS:
        requested = config["RequestedProvisionedConcurrentExecutions"]
        config.update(Status="READY", AllocatedProvisionedConcurrentExecutions=requested)
        config.update(AvailableProvisionedConcurrentExecutions=requested)
