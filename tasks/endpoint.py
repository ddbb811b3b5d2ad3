"""A product's endpoint: the alias that decides which function version answers, its URL, and what it answers.

The alias is moved with a revision, so two movers never overwrite each other unseen. What may take traffic is
decided elsewhere; what does answer is asked of the endpoint itself.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from lifecycle.alias import AliasState, alias_state
from lifecycle.errors import ConflictError, ReleaseError, ServiceError
from lifecycle.settings import Settings
from tasks import delivery_streams
from tasks.clients import lambda_client
from tasks.function_versions import publish
from tasks.moulds import bare_package, ensure_function, unless_exists

ALIAS = "live"
_ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.25
_IN_A_ROW = 3  # an alias reaches Lambda's front ends one after another: one new answer alone proves little


@dataclass(frozen=True)
class Serving:
    """What the endpoint itself answers; `model_version` is None while it carries no model."""

    url: str
    status: int
    model_version: str | None
    function_version: str | None


def ensure_endpoint(settings: Settings, product: str) -> str:
    """Make sure the product has its function, alias and URL; return the function's name.

    A second call changes nothing. Before the first release the alias points to a version without a bundle,
    which answers 503 and says why.
    """
    function = ensure_function(settings, product)
    delivery_streams.ensure(settings, product)  # before anybody can ask: every request is recorded
    if alias(function) is None:
        bare = publish(settings.bucket, function, bare_package(settings))
        unless_exists(
            lambda: lambda_client().create_alias(FunctionName=function, Name=ALIAS, FunctionVersion=bare.number)
        )
    if public_url(function) is None:
        auth: Any = "NONE" if settings.aws_endpoint_url else "AWS_IAM"  # in an account nobody gets in unsigned
        unless_exists(
            lambda: lambda_client().create_function_url_config(FunctionName=function, Qualifier=ALIAS, AuthType=auth)
        )
    return function


def alias(function: str) -> AliasState | None:
    """Return where the alias points, or None when there is no function or no alias."""
    try:
        found = lambda_client().get_alias(FunctionName=function, Name=ALIAS)
    except lambda_client().exceptions.ResourceNotFoundException:
        return None
    return alias_state(found)


def move_alias(function: str, to: str, *, seen: AliasState | None = None) -> AliasState:
    """Send every request to one version and return the state before.

    Pointing there already, nothing is changed. With `seen`, the alias must still be as it was seen. Raises
    ConflictError when somebody moved it meanwhile, ReleaseError when there is no alias.
    """
    before = seen or alias(function)
    if before is None:
        raise ReleaseError(f"{function} has no alias {ALIAS!r}.", resolution="Run the release again; it makes one.")
    if before.function_version == to and not before.extra:
        return before
    try:
        lambda_client().update_alias(
            FunctionName=function,
            Name=ALIAS,
            FunctionVersion=to,
            RoutingConfig={"AdditionalVersionWeights": {}},
            RevisionId=before.revision,
        )
    except lambda_client().exceptions.PreconditionFailedException as error:
        now = alias(function)
        if now is not None and now.function_version == to and not now.extra:
            return before
        raise ConflictError(
            f"Somebody else moved the alias of {function} first; it was not moved to version {to}.",
            detail=f"It points to version {now.function_version if now else 'none'}, read: {before.function_version}.",
        ) from error
    return before


def serving(settings: Settings, product: str) -> Serving | None:
    """Ask the endpoint over HTTP what answers; None when the product has no endpoint yet."""
    public = public_url(settings.predict_function(product))
    if public is None:
        return None
    url = f"{reachable(settings, public)}version"
    try:
        answer = httpx.get(url, headers=signed("GET", url), timeout=_ANSWER_SECONDS, verify=_trusted())
    except httpx.HTTPError as error:
        raise ServiceError(f"The endpoint of {product} does not answer at {url}.", detail=str(error)) from error
    model_version = answer.headers.get("x-model-version")
    return Serving(
        url=url.removesuffix("version"),
        status=answer.status_code,
        model_version=None if model_version in (None, "none") else model_version,
        function_version=answer.headers.get("x-function-version"),
    )


def await_answer(settings: Settings, product: str, function_version: str, *, seconds: float) -> Serving:
    """Ask until the endpoint answers as one function version, several times in a row.

    Raises ReleaseError when it does not within `seconds`.
    """
    deadline, row = time.monotonic() + seconds, 0
    while True:
        found = serving(settings, product)
        same = found is not None and found.function_version == function_version
        row = row + 1 if same else 0
        if found is not None and row >= _IN_A_ROW:
            return found
        if not same and time.monotonic() > deadline:
            answers = f"function version {found.function_version}, status {found.status}" if found else "nothing"
            raise ReleaseError(
                f"The endpoint of {product} does not answer as function version {function_version}.",
                detail=f"After {seconds:g} s it answers as {answers}.",
                resolution=f"Look with `tropism status {product}`.",
            )
        time.sleep(0.0 if same else _POLL_SECONDS)


def public_url(function: str) -> str | None:
    """Return the address of the alias as AWS names it, or None."""
    try:
        return lambda_client().get_function_url_config(FunctionName=function, Qualifier=ALIAS)["FunctionUrl"]
    except lambda_client().exceptions.ResourceNotFoundException:
        return None


def reachable(settings: Settings, public: str) -> str:
    """Return the form of a function URL that can be reached from here: on a laptop no such host name exists."""
    if settings.aws_endpoint_url is None:
        return public
    identity = (urlsplit(public).hostname or "").partition(".")[0]
    return f"{str(settings.aws_endpoint_url).rstrip('/')}/_aws/lambda-url/{identity}/"


def signed(method: str, url: str, body: bytes = b"") -> dict[str, str]:
    """Return the headers that let this process in where the URL asks for a signature."""
    credentials = _session().get_credentials()
    if credentials is None:
        return {}
    request = AWSRequest(method=method, url=url, data=body)
    SigV4Auth(credentials.get_frozen_credentials(), "lambda", lambda_client().meta.region_name).add_auth(request)
    return dict(request.headers.items())


@lru_cache(maxsize=1)
def _session() -> boto3.session.Session:
    """Return the session whose credentials sign; making one takes a tenth of a second, and it renews them itself."""
    return boto3.session.Session()


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Return whom to trust; reading the certificates takes a fifth of a second, more than most answers."""
    return httpx.create_ssl_context()
