# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""Weighted aliases: ministack stores `AdditionalVersionWeights` and sends all traffic to the first version.

With the patch, Invoke and function URLs draw a version per request by the alias's weight, and weights that AWS
refuses are refused. Event source mappings on an alias still go to the first version.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from localcloud.patches.registry import Patch

Answer = tuple[int, dict[str, str], bytes]


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="weighted aliases",
        lack="an alias with AdditionalVersionWeights sends everything to its first version",
        needed=_needed,
        apply=_apply,
    )


def drawn(alias: dict[str, Any]) -> str | None:
    """Draw the version that answers one request, or None when the alias has no weights."""
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    if not weights:
        return None
    share = random.random()
    for version, weight in weights.items():
        share -= weight
        if share < 0:
            return str(version)
    return str(alias["FunctionVersion"])


def refusal(func_name: str, data: dict[str, Any], current: dict[str, Any] | None) -> Answer | None:
    """Return AWS's answer to weights it refuses, or None."""
    weights = (data.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    function = lambda_svc._functions.get(func_name) or {}
    base = data.get("FunctionVersion", (current or {}).get("FunctionVersion"))
    if len(weights) > 1:
        return _error("InvalidParameterValueException", "Number of items in AdditionalVersionWeights is limited to 1")
    for version, weight in weights.items():
        if not 0.0 <= weight <= 1.0:
            member = f"Value {weight} at 'routingConfig.additionalVersionWeights' failed to satisfy constraint"
            return _error("ValidationException", f"{member}: Member must be between 0.0 and 1.0")
        if "$LATEST" in (version, base):
            message = "$LATEST is not supported for an alias pointing to more than 1 version"
            return _error("InvalidParameterValueException", message)
        if version not in function.get("versions", {}):
            return _error("ResourceNotFoundException", f"Function not found: {func_name}:{version}", 404)
    return None


def _error(code: str, message: str, status: int = 400) -> Answer:
    answer: Answer = lambda_svc.error_response_json(code, message, status)
    return answer


def _needed() -> bool:
    """Ask for a version of an alias whose whole weight lies on the second one, and see the first come back."""
    name = "tropism-patch-probe"
    versions = {number: {"config": {"FunctionName": name, "Version": number}} for number in ("1", "2")}
    alias = {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.0}}}
    record = {"config": {"FunctionName": name}, "versions": versions, "aliases": {"live": alias}}
    lambda_svc._functions[name] = record
    try:
        _, config, _ = lambda_svc._get_func_record_for_ref(f"{name}:live")
        return bool(config["Version"] == "1")
    finally:
        del lambda_svc._functions[name]


def _apply() -> None:
    lambda_svc._create_alias = _checked(lambda_svc._create_alias, lambda func, data: (func, data, None))
    lambda_svc._update_alias = _checked(
        lambda_svc._update_alias,
        lambda func, alias, data: (func, data, (lambda_svc._functions.get(func) or {}).get("aliases", {}).get(alias)),
    )
    lambda_svc._invoke = _routed_invoke(lambda_svc._invoke)
    lambda_svc._get_func_record_for_ref_in_scope = _routed_reference(lambda_svc._get_func_record_for_ref_in_scope)


def _checked(
    original: Callable[..., Answer], read: Callable[..., tuple[str, dict[str, Any], Any]]
) -> Callable[..., Answer]:
    @functools.wraps(original)
    def checked(*args: Any) -> Answer:
        return refusal(*read(*args)) or original(*args)

    return checked


def _routed_invoke(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def routed(
        name: str,
        event: Any,
        headers: dict[str, str],
        path_qualifier: str | None = None,
        query_params: dict[str, Any] | None = None,
    ) -> Any:
        asked = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier")
        asked = asked or lambda_svc._qp_first(headers, "x-amz-qualifier")
        alias = (lambda_svc._functions.get(name) or {}).get("aliases", {}).get(asked)
        version = drawn(alias) if alias else None
        return await original(name, event, headers, version or path_qualifier, query_params)

    return routed


def _routed_reference(original: Callable[..., Any]) -> Callable[..., Any]:
    """Function URLs find their function here."""

    @functools.wraps(original)
    def routed(function_ref: str, *, account_id: str | None = None, region: str | None = None) -> Any:
        name, _, qualifier = function_ref.partition(":")
        function = lambda_svc._functions.get_scoped(account_id, region, name) if account_id and region else None
        alias = (function or {}).get("aliases", {}).get(qualifier)
        version = drawn(alias) if alias else None
        return original(f"{name}:{version}" if version else function_ref, account_id=account_id, region=region)

    return routed
