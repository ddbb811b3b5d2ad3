"""What makes a function version answer quickly from its first request: SnapStart's snapshot, provisioned concurrency.

Both belong to a published version, never to the alias: a version is ready before it takes any traffic, and what was
kept ready for another one is given back when it takes none any more. How many environments there are to be is a tag
of the mould, or one of the product's own function while its traffic asks for more. What excludes what is
`lifecycle/startup.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from lifecycle.errors import ReleaseError
from lifecycle.settings import Settings
from lifecycle.startup import Startup
from tasks.clients import lambda_client

TAG = "tropism:provisioned-concurrency"
RAISED = "tropism:raised-concurrency"
_POLL_SECONDS = 0.5
_READY_SECONDS = 600.0  # AWS takes a minute or two for either, more for many environments


def startup_of(function: str) -> Startup:
    """Read how a function is to start, from its configuration and its tags."""
    found = lambda_client().get_function(FunctionName=function)
    configuration = found["Configuration"]
    return Startup(
        snap_start=configuration.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        provisioned=_number(function, TAG, found.get("Tags", {})),
        runtime=configuration.get("Runtime", ""),
        storage_mb=configuration.get("EphemeralStorage", {}).get("Size", 512),
    )


def await_version(function: str, number: str) -> None:
    """Wait until a published version can be asked: its snapshot is made when it is published.

    Raises ReleaseError when it failed, with Lambda's reason, or takes too long.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        found = lambda_client().get_function_configuration(FunctionName=function, Qualifier=number)
        state = found.get("State", "Active")
        if state == "Active":
            return
        if state != "Pending" or time.monotonic() > deadline:
            raise ReleaseError(
                f"Version {number} of {function} cannot be asked.",
                detail=f"It is {state}: {found.get('StateReason', 'no reason given')}",
                resolution="What serves goes on serving.",
            )
        time.sleep(_POLL_SECONDS)


def warm(settings: Settings, product: str, number: str) -> int:
    """Keep as many environments of a version ready as there are to be, and wait until they are; return how many.

    Ready already, nothing is changed. Raises ReleaseError when Lambda cannot keep so many ready.
    """
    function, wanted = settings.predict_function(product), wanted_of(settings, product)
    if wanted == 0:
        return 0
    _request(function, number, wanted)
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        found = lambda_client().get_provisioned_concurrency_config(FunctionName=function, Qualifier=number)
        if found["Status"] == "READY":
            return wanted
        if found["Status"] == "FAILED" or time.monotonic() > deadline:
            raise ReleaseError(
                f"Lambda does not keep {wanted} environments of version {number} of {function} ready.",
                detail=f"{found['Status']}: {found.get('StatusReason', 'no reason given')}",
                resolution="Lower PredictProvisionedConcurrency, or ask AWS for more concurrency. What serves stays.",
            )
        time.sleep(_POLL_SECONDS)


def settle(settings: Settings, product: str, keep: frozenset[str]) -> None:
    """Keep environments ready for these versions alone: what others had is given back, what lacks is asked for.

    Waits for nothing, because it follows traffic that has moved. A second call changes nothing.
    """
    function, wanted = settings.predict_function(product), wanted_of(settings, product)
    for number in sorted(keep) if wanted else ():
        _request(function, number, wanted)
    for number in requested(settings, product):
        if number not in keep or not wanted:
            lambda_client().delete_provisioned_concurrency_config(FunctionName=function, Qualifier=number)


def wanted_of(settings: Settings, product: str) -> int:
    """Return how many environments of each version there are to be: what the mould says, or more for this product."""
    function = settings.predict_function(product)
    raised = _number(function, RAISED, lambda_client().get_function(FunctionName=function).get("Tags", {}))
    return max(startup_of(mould_of(settings)).provisioned, raised)


def mould_of(settings: Settings) -> str:
    """Name the function whose configuration every product's has."""
    return f"{settings.function_prefix}-predict"


def want(settings: Settings, product: str, number: int) -> None:
    """Say how many environments of a product's versions there are to be; 0: as the mould says. `settle` makes it so.

    A second call changes nothing.
    """
    function = settings.predict_function(product)
    arn = lambda_client().get_function_configuration(FunctionName=function)["FunctionArn"]
    lambda_client().tag_resource(Resource=arn, Tags={RAISED: str(number)})


def requested(settings: Settings, product: str) -> dict[str, tuple[int, str]]:
    """Return what was asked for and how it stands, by version: IN_PROGRESS, READY or FAILED."""
    function = settings.predict_function(product)
    pages = lambda_client().get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=function)
    return {
        found["FunctionArn"].rpartition(":")[2]: (
            found["RequestedProvisionedConcurrentExecutions"],
            str(found["Status"]),
        )
        for page in pages
        for found in page["ProvisionedConcurrencyConfigs"]
    }


def _number(function: str, tag: str, tags: Mapping[str, str]) -> int:
    said = tags.get(tag, "0")
    if not said.isdecimal():
        raise ReleaseError(
            f"The tag {tag} of {function} is {said!r}, expected a whole number.",
            resolution="Deploy the stack again; its parameter PredictProvisionedConcurrency sets it.",
        )
    return int(said)


def _request(function: str, number: str, wanted: int) -> None:
    """Ask for environments unless as many were asked for already: asking again would begin anew."""
    try:
        found = lambda_client().get_provisioned_concurrency_config(FunctionName=function, Qualifier=number)
        if found["RequestedProvisionedConcurrentExecutions"] == wanted and found["Status"] != "FAILED":
            return
    except lambda_client().exceptions.ProvisionedConcurrencyConfigNotFoundException:
        pass
    lambda_client().put_provisioned_concurrency_config(
        FunctionName=function, Qualifier=number, ProvisionedConcurrentExecutions=wanted
    )
