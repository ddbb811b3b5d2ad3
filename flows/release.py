"""Release: give the traffic to a challenger that passed the promotion gate, all at once.

Control record, ledger, alias, the endpoint's own answer, model alias, event: in this order, each step repeatable.
Killed anywhere, the next run or the sweep finishes it. Only this flow moves a champion forward.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from prefect import flow
from prefect.runtime import flow_run
from pydantic import ValidationError

from flows.following import Work, append_decision, follow
from flows.rollback import move_traffic, take_back
from lifecycle import smoke
from lifecycle.bundle import MANIFEST, Bundle
from lifecycle.challenge import Challenge
from lifecycle.control import Actor, Contender, promote, promotion_key
from lifecycle.eligibility import Candidate, Refused, is_behind, may_release
from lifecycle.errors import BundleError, ConflictError, ReleaseError, TropismError
from lifecycle.events import RetrainRequested
from lifecycle.manifest import Release
from tasks import control, endpoint, events, function_versions, ledger, moulds, registry
from tasks.clients import settings
from tasks.control import Held
from tasks.packages import description_of, pack
from tasks.registry import ModelVersion
from tasks.step import as_task, note


@dataclass(frozen=True)
class Released:
    """What a release did. `behind`: the event was late or repeated, and something newer has happened."""

    product: str
    model_version: str
    state: Literal["promoted", "unchanged", "behind"]
    function_version: str | None
    reason: str
    pending: tuple[str, ...] = ()


@flow(name="release")
def release(product: str, model_version: str, retry_of: str | None = None) -> Released:
    """Give the traffic to a model. A second run for the same model finishes or finds nothing left to do."""
    actor = f"release/{flow_run.get_id() or 'unknown'}"
    cause = f"retry of {retry_of}" if retry_of else "model.challenged"
    return carry_out(Work(as_task, settings(), product, Actor(actor, datetime.now(UTC), cause)), model_version)


def carry_out(work: Work, model_version: str) -> Released:
    """Release a model, or finish its release where it was left.

    Raises:
        ReleaseError: when it may not be released, or the endpoint does not answer as it; what served serves again.
        BundleError: when its bundle is missing or altered. Nothing was moved.
        ConflictError: when another release won. Nothing was moved.

    """
    held = work.step("read control record", control.read, work.bucket, work.product)
    model = work.step("read model version", registry.version_of, work.product, model_version)
    candidate = candidate_of(model)
    before = ledger.find(work.bucket, work.product, promotion_key(model_version)) is not None
    refused = may_release(held.record, candidate, promoted_before=before)
    if refused is not None:
        return _refused(work, held, candidate, refused)
    if held.record.champion is None or held.record.champion.model_version != model_version:
        held = _decide(work, held, candidate, _publish(work, candidate))
    elif held.record.release is None:
        return _outcome(work, held, "unchanged", "It serves already.")
    return finish(work, held)


def finish(work: Work, held: Held) -> Released:
    """Make everything follow the record's champion. The endpoint must answer as it, or what served serves again."""
    champion = held.record.champion
    if champion is None or champion.function_version is None:
        followed = follow(work, held)
        return _outcome(work, followed.held, "unchanged", "Nothing serves.", followed.pending)
    entry = append_decision(work, held.record)
    try:
        move_traffic(work, champion.function_version)
        _require_model(work, champion)
    except ConflictError:
        raise
    except TropismError as error:
        take_back(work, held, f"The endpoint did not answer as model {champion.model_version}: {error.detail}")
        raise
    followed = follow(work, held, entry)
    note("release.promoted", product=work.product, model=champion.model_version, pending=followed.pending)
    return _outcome(work, followed.held, "promoted", champion.reason, followed.pending)


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


def _publish(work: Work, candidate: Candidate) -> str:
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


def _decide(work: Work, held: Held, candidate: Candidate, function_version: str) -> Held:
    """Make the model the champion in the control record. Raises ConflictError when somebody else was first."""
    contender = Contender(
        model_version=candidate.model_version,
        bundle=candidate.bundle,
        function_version=function_version,
        mlflow_run=candidate.mlflow_run,
        since=work.by.now,
        reason=candidate.reason,
    )
    move = promote(held.record, contender, work.by)
    if move.verdict == "refused":
        raise ReleaseError(f"Model {candidate.model_version} of {work.product} was not released.", detail=move.reason)
    try:
        return work.step("change champion", control.write, work.bucket, held, move)
    except ConflictError:
        now = control.read(work.bucket, work.product)
        if now.record.champion is None or now.record.champion.model_version != candidate.model_version:
            raise
        return now  # another run of the same release was faster


def _refused(work: Work, held: Held, candidate: Candidate, refused: Refused) -> Released:
    note("release.refused", product=work.product, model=candidate.model_version, code=refused.code)
    if is_behind(refused):
        return Released(work.product, candidate.model_version, "behind", None, refused.reason)
    if refused.code == "stale_comparison":
        serving = held.record.champion.model_version if held.record.champion else "none"
        request_id = f"{candidate.model_version}/{serving}"
        event = RetrainRequested(product=work.product, cause=refused.code, request_id=request_id)
        work.step("ask for a new comparison", events.send, event)
    raise ReleaseError(
        f"Model {candidate.model_version} of {work.product} was not released.",
        detail=refused.reason,
        resolution=f"What serves goes on serving; look with `tropism status {work.product}`.",
    )


def _require_product(work: Work, bundle: Bundle) -> None:
    if bundle.contract.product != work.product:
        raise BundleError(
            f"The bundle is of another product: {bundle.contract.product}, expected {work.product}.",
            resolution="What serves goes on serving.",
        )


def _require_model(work: Work, champion: Contender) -> None:
    found = endpoint.serving(work.settings, work.product)
    if found is None or found.model_version != champion.model_version:
        raise ReleaseError(
            f"The endpoint of {work.product} does not answer as model {champion.model_version}.",
            detail=f"It answers as model {found.model_version if found else 'none'}.",
        )


def _outcome(
    work: Work,
    held: Held,
    state: Literal["promoted", "unchanged", "behind"],
    reason: str,
    pending: tuple[str, ...] = (),
) -> Released:
    champion = held.record.champion
    return Released(
        product=work.product,
        model_version=champion.model_version if champion else "none",
        state=state,
        function_version=champion.function_version if champion else None,
        reason=reason,
        pending=pending,
    )
