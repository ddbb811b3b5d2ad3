"""Make a function version of a model that passed the gate, proven in its own runtime. Not a flow; moves no traffic."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import ValidationError

from flows.following import Work
from lifecycle import smoke
from lifecycle.bundle import MANIFEST, Bundle
from lifecycle.challenge import Challenge
from lifecycle.eligibility import Candidate
from lifecycle.errors import BundleError, ReleaseError
from lifecycle.manifest import Release
from tasks import endpoint, function_versions, moulds, registry
from tasks.packages import description_of, pack
from tasks.registry import ModelVersion
from tasks.step import note


def candidate_of(model: ModelVersion) -> Candidate:
    """Read what the release needs off a registered model. Raises ReleaseError when its decision cannot be read."""
    try:
        challenge = Challenge.model_validate_json(model.decision)
    except ValidationError as error:
        raise ReleaseError(
            f"Model {model.version} of {model.product} says nothing about how it was judged.",
            detail="Its decision is missing or cannot be read, so it cannot be released.",
            resolution="Ask for a training; its model will be judged again.",
        ) from error
    return Candidate(
        model_version=model.version,
        bundle=model.bundle,
        mlflow_run=model.mlflow_run,
        verdict=challenge.verdict if challenge.verdict == model.verdict else f"{model.verdict}/{challenge.verdict}",
        champion=challenge.champion,
        reason=challenge.summary(model.version),
    )


def publish(work: Work, candidate: Candidate) -> str:
    """Make a function version of the model that has proven itself; return its number. Moves nothing."""
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        bundle = work.step("fetch bundle", registry.fetch_bundle, work.product, candidate.model_version, folder)
        _require_product(work, bundle)
        work.step("ensure endpoint", endpoint.ensure_endpoint, work.settings, work.product)
        where = next(folder.rglob(MANIFEST)).parent
        package = pack(moulds.mould_code(work.settings), where, _release(work, candidate, bundle.digest))
        made = work.step("publish version", function_versions.publish, work.bucket, work.function, package)
    request = smoke.request(bundle.contract)
    work.step(
        "ask for predictions",
        function_versions.require_smoke,
        work.function,
        made.number,
        candidate.model_version,
        request,
    )
    note("version.published", product=work.product, model=candidate.model_version, function_version=made.number)
    return made.number


def _release(work: Work, candidate: Candidate, digest: str) -> Release:
    """Say what is published and when; published before, the same is said again, so that the bytes are the same."""
    known = function_versions.find(work.function, description_of(digest))
    if known is not None:
        try:
            said = function_versions.bundle_of(work.bucket, work.function, known.number).release
        except BundleError:
            said = None
        if said is not None and said.model_version == candidate.model_version:
            return said
    return Release(candidate.model_version, work.by.now.isoformat())


def _require_product(work: Work, bundle: Bundle) -> None:
    if bundle.contract.product != work.product:
        raise BundleError(
            f"The bundle is of another product: {bundle.contract.product}, expected {work.product}.",
            resolution="What serves goes on serving.",
        )
