"""Published versions of a product's predict function: publish one, find one, look inside, ask it something.

A version never changes, so nothing here moves traffic; that is `tasks/endpoint.py`. Which old ones may be deleted is
`lifecycle/pruning.py`.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.bundle import Bundle
from lifecycle.errors import BundleError, ConflictError, ReleaseError
from lifecycle.smoke import SmokeVerdict, judge
from tasks.clients import lambda_client, s3
from tasks.packages import FOLDER, Carried, Package, description_of, to_sha256, unpack
from tasks.warmth import await_version

_TRIES = 8
_PAUSE_SECONDS = 0.5
_POLL_SECONDS = 0.2
_UPDATE_SECONDS = 120.0  # a function with layers takes seconds
_RETRY = frozenset({"PreconditionFailedException", "ResourceConflictException", "InvalidParameterValueException"})


@dataclass(frozen=True)
class FunctionVersion:
    """One published version. `description` names the bundle inside, `code_sha256` is Lambda's digest of the zip."""

    number: str
    description: str
    code_sha256: str

    def carries(self, bundle: str) -> bool:
        """Say whether the version was published with this bundle, however it is served."""
        return self.description.split(" ")[0] == description_of(bundle)


@dataclass(frozen=True)
class Configuration:
    """What a function's unpublished state is: the digest of its code, and the revision an update must name."""

    code_sha256: str
    revision: str


def code_key(function: str, sha256: str) -> str:
    """Return the object key of a function's code."""
    return f"code/{function}-{sha256}.zip"


def publish(bucket: str, function: str, package: Package) -> FunctionVersion:
    """Publish a package as a version of the function and return it; published already, the same version is returned.

    Two publishers at once cannot put their code under the other's name: the version is only taken when its code
    is the one sent. Raises ConflictError when others keep changing the function.
    """
    for _ in range(_TRIES):
        known = find(function, package.description, package.code_sha256)
        if known is not None:
            await_version(function, known.number)
            return known
        try:
            _put_code(bucket, function, package)
            made = lambda_client().publish_version(
                FunctionName=function, CodeSha256=package.code_sha256, Description=package.description
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in _RETRY:
                raise
            time.sleep(_PAUSE_SECONDS)
            continue
        if (made["CodeSha256"], made.get("Description", "")) == (package.code_sha256, package.description):
            await_version(function, made["Version"])
            return FunctionVersion(made["Version"], package.description, package.code_sha256)
    raise ConflictError(
        f"No version of {function} could be published: its code kept changing under us.",
        detail=f"Tried {_TRIES} times with code {package.sha256[:12]}.",
        resolution="Run the release again; it goes on where it stopped.",
    )


def find(function: str, description: str, code_sha256: str | None = None) -> FunctionVersion | None:
    """Return the newest published version that carries the description (and the code), or None."""
    found = [
        version
        for version in published(function)
        if version.description == description and code_sha256 in (None, version.code_sha256)
    ]
    return found[-1] if found else None


def published(function: str) -> Iterator[FunctionVersion]:
    """Yield the published versions, oldest first; none when the function does not exist."""
    pages = lambda_client().get_paginator("list_versions_by_function").paginate(FunctionName=function)
    try:
        for page in pages:
            for item in page["Versions"]:
                if item["Version"] != "$LATEST":
                    yield FunctionVersion(item["Version"], item.get("Description", ""), item["CodeSha256"])
    except lambda_client().exceptions.ResourceNotFoundException:
        return


def delete_version(function: str, number: str) -> bool:
    """Delete a published version; False when it is gone already, or an alias sends requests to it and Lambda refuses.

    Its code stays in the bucket. Raises ValueError for anything but a version's number: without one, Lambda would
    delete the function.
    """
    if not number.isdecimal():
        raise ValueError(f"{number!r} is no version of {function}; expected a number")
    try:
        lambda_client().delete_function(FunctionName=function, Qualifier=number)
    except (
        lambda_client().exceptions.ResourceNotFoundException,
        lambda_client().exceptions.ResourceConflictException,
    ):
        return False
    return True


def bundle_of(bucket: str, function: str, number: str) -> Bundle:
    """Return the bundle inside a published version, verified. Raises BundleError when it is missing or altered.

    The code's digest is Lambda's own word; the object under that digest must have it, and so must the bundle.
    """
    with tempfile.TemporaryDirectory(prefix="version-") as name:
        return _opened(bucket, function, number, Path(name))


def fetch(bucket: str, function: str, number: str, folder: Path) -> Carried:
    """Leave the bundle of a published version, verified, in `folder`, to be carried by another one.

    Raises BundleError when it is missing or altered, or was never released.
    """
    found = _opened(bucket, function, number, folder)
    if found.release is None:
        raise BundleError(f"Version {number} of {function} does not say which model it is.")
    return Carried(folder / FOLDER, found.release)


def smoke(function: str, number: str, model_version: str, request: Mapping[str, object]) -> SmokeVerdict:
    """Ask exactly this version for predictions, in its own runtime, and judge what it answers."""
    answer = lambda_client().invoke(FunctionName=function, Qualifier=number, Payload=json.dumps(request).encode())
    with answer["Payload"] as stream:
        text = stream.read()
    body = _object(text)
    if "FunctionError" in answer:
        return SmokeVerdict(passed=False, reason=f"It failed: {str(body.get('errorMessage', text[:300]))[:300]}")
    return judge(body, model_version)


def require_smoke(function: str, number: str, model_version: str, request: Mapping[str, object]) -> SmokeVerdict:
    """Return the passing verdict. Raises ReleaseError with the reason of one that does not pass."""
    verdict = smoke(function, number, model_version, request)
    if not verdict.passed:
        raise ReleaseError(
            f"Version {number} of {function} may not take traffic.",
            detail=verdict.reason,
            resolution="What served before still serves.",
        )
    return verdict


def wait_until_updated(function: str) -> Configuration:
    """Wait until the last change of the function took effect and return what it is. Raises ReleaseError otherwise."""
    deadline = time.monotonic() + _UPDATE_SECONDS
    while True:
        found = lambda_client().get_function_configuration(FunctionName=function)
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if "Failed" in (state, update):
            why = found.get("LastUpdateStatusReason") or found.get("StateReason", "")
            raise ReleaseError(f"The function {function} did not take its change.", detail=why)
        if state != "Pending" and update == "Successful":
            return Configuration(found["CodeSha256"], found["RevisionId"])
        if time.monotonic() > deadline:
            raise ReleaseError(
                f"The function {function} is still changing.",
                detail=f"Waited {_UPDATE_SECONDS:g} s: {state}, {update}.",
            )
        time.sleep(_POLL_SECONDS)


def _put_code(bucket: str, function: str, package: Package) -> None:
    """Make `$LATEST` carry the package. Nothing is changed when it does already."""
    now, key = wait_until_updated(function), code_key(function, package.sha256)
    s3().put_object(
        Bucket=bucket, Key=key, Body=package.body, ContentType="application/zip", ChecksumAlgorithm="SHA256"
    )
    if now.code_sha256 == package.code_sha256:
        return
    lambda_client().update_function_code(FunctionName=function, S3Bucket=bucket, S3Key=key, RevisionId=now.revision)
    wait_until_updated(function)


def _opened(bucket: str, function: str, number: str, folder: Path) -> Bundle:
    where = f"Version {number} of {function}"
    version = next((found for found in published(function) if found.number == number), None)
    if version is None:
        raise BundleError(f"{where} does not exist.", resolution="Name another version with `--to`.")
    key = code_key(function, to_sha256(version.code_sha256))
    try:
        with s3().get_object(Bucket=bucket, Key=key)["Body"] as stream:
            package_bytes = stream.read()
    except s3().exceptions.NoSuchKey as error:
        raise BundleError(f"{where} cannot be checked: s3://{bucket}/{key} is gone.") from error
    found = Package(package_bytes, version.description)
    if found.code_sha256 != version.code_sha256:
        raise BundleError(f"{where} cannot be checked: s3://{bucket}/{key} is not the code it was published from.")
    holds = unpack(package_bytes, folder)
    if version.description != holds.description:
        raise BundleError(f"{where} says {version.description!r} and holds {holds.description!r}.")
    return holds.bundle


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {"error": f"no JSON, {len(text)} bytes"}
    return body if isinstance(body, dict) else {"error": "no JSON object"}
