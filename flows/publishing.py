"""Make a function version of a model that passed the gate, proven in its own runtime. Not a flow; moves no traffic."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import ValidationError

from flows.following import Work
from lifecycle import smoke
from lifecycle.bundle import MANIFEST, Bundle
from lifecycle.challenge import Challenge
from lifecycle.control import Contender
from lifecycle.eligibility import Candidate
from lifecycle.errors import BundleError, ReleaseError
from lifecycle.manifest import Release
from lifecycle.serving import description
from lifecycle.spec import Product
from tasks import endpoint, function_versions, moulds, registry, warmth
from tasks.packages import Carried, extras, pack
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
        score_psi=challenge.judgement.score_psi,
    )


def publish(work: Work, candidate: Candidate, product: Product, champion: Contender | None) -> str:
    """Make a function version of the model that has proven itself; return its number. Moves nothing.

    Args:
        work: Where, and who asks.
        candidate: The model.
        product: Says how its versions serve: what records tell, and whether the champion is scored along.
        champion: What serves now, if anything; it must be intact where it is to be scored along.

    """
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        bundle = work.step("fetch bundle", registry.fetch_bundle, work.product, candidate.model_version, folder / "new")
        _require_product(work, bundle)
        work.step("ensure endpoint", endpoint.ensure_endpoint, work.settings, work.product)
        where = next((folder / "new").rglob(MANIFEST)).parent
        more = extras(product.predictions, _champion(work, product, champion, folder / "champion"))
        said = _release(work, candidate, description(bundle.digest, more.serving))
        package = pack(moulds.mould_code(work.settings), where, said, more)
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
    work.step("warm version", warmth.warm, work.settings, work.product, made.number)
    note("version.published", product=work.product, model=candidate.model_version, function_version=made.number)
    return made.number


def _champion(work: Work, product: Product, champion: Contender | None, folder: Path) -> Carried | None:
    """Fetch what the new version is compared with in its shadow, where the product wants one."""
    if product.predictions.shadow is None or champion is None or champion.function_version is None:
        return None
    fetch = function_versions.fetch
    return work.step("fetch champion", fetch, work.bucket, work.function, champion.function_version, folder)


def _release(work: Work, candidate: Candidate, described: str) -> Release:
    """Say what is published and when; published before, the same is said again, so that the bytes are the same."""
    known = function_versions.find(work.function, described)
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
