"""Release: give traffic to a challenger that passed the promotion gate, in steps, judged on how it behaves.

One run is one look: it begins a release, or goes on with the one under way, and ends. The first model, and one whose
traffic is too thin to judge where the product goes by the gate alone, gets all at once. Killed anywhere, the next run
or the sweep finishes it. Only this flow moves a champion forward.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from flows import stepping
from flows.finishing import Released, State, finish, outcome
from flows.following import Work, attempt
from flows.publishing import candidate_of, publish
from flows.reporting import show_page
from flows.traffic import end_release
from lifecycle import spec
from lifecycle.control import Actor, Contender, ControlRecord, promotion_key, version_of
from lifecycle.eligibility import Candidate, Ended, Refused, is_behind, may_release, waits_for
from lifecycle.errors import ReleaseError
from lifecycle.events import RetrainRequested
from lifecycle.findings import Finding
from lifecycle.stepping import Ending, taken_back_key
from tasks import control, events, ledger, registry
from tasks.clients import settings
from tasks.control import Held
from tasks.step import as_task, note

# What people look for on the page; a look that leaves everything as it is builds none.
_SHOWN: frozenset[State] = frozenset({"advanced", "promoted", "rolled_back"})


@flow(name="release")
def release(product: str, model_version: str, retry_of: str | None = None) -> Released:
    """Look at a model's release once. A second run for the same model goes on, or finds nothing left to do."""
    actor = f"release/{flow_run.get_id() or 'unknown'}"
    cause = f"retry of {retry_of}" if retry_of else "model.challenged"
    work = Work(as_task, settings(), product, Actor(actor, datetime.now(UTC), cause))
    released = carry_out(work, model_version)
    if released.state in _SHOWN:
        attempt("page", lambda: show_page(work.step, work.settings, product, datetime.now(UTC)))
    return released


def carry_out(work: Work, model_version: str) -> Released:
    """Begin a model's release, or go on where it was left.

    Raises:
        ReleaseError: when it may not be released, or the endpoint does not answer as it; what served serves again.
        BundleError: when its bundle is missing or altered. Nothing was moved.
        ConflictError: when another release won. Nothing was moved.

    """
    held = work.step("read control record", control.read, work.bucket, work.product)
    if held.record.rollout is not None and version_of(held.record.challenger) == model_version:
        return stepping.tick(work, held)
    if _was_taken_back(held.record, model_version):
        return replace(finish(work, held), model_version=model_version, state="rolled_back", weight=0.0)
    model = work.step("read model version", registry.version_of, work.product, model_version)
    candidate = candidate_of(model)
    refused = may_release(held.record, candidate, ended=_ended(work, candidate))
    if refused is not None:
        return _refused(work, held, candidate, refused)
    if version_of(held.record.champion) == model_version:
        unchanged = held.record.release is None
        return outcome(work, held, "unchanged", "It serves already.") if unchanged else finish(work, held)
    return _begin(work, held, candidate)


def _begin(work: Work, held: Held, candidate: Candidate) -> Released:
    """Publish the model and begin its release, unless another one's is under way and does not give way."""
    product = spec.load(work.settings.products, work.product)
    if held.record.rollout is not None:
        wait = waits_for(held.record, candidate)
        if wait is not None:
            note("release.waits", product=work.product, model=candidate.model_version, code=wait.code)
            state: State = "behind" if is_behind(wait) else "waiting"
            return Released(work.product, candidate.model_version, state, None, wait.reason)
        reason = f"Model {candidate.model_version} takes its place, of which nothing was learned."
        held = end_release(work, held, Ending(reason, (Finding.SUPERSEDED,))).held
    contender = Contender(
        model_version=candidate.model_version,
        bundle=candidate.bundle,
        function_version=publish(work, candidate, product, held.record.champion),
        mlflow_run=candidate.mlflow_run,
        since=work.by.now,
        reason=candidate.reason,
    )
    return stepping.start(work, held, contender, product.release.knowing(candidate.score_psi))


def _was_taken_back(record: ControlRecord, model_version: str) -> bool:
    """Say whether the record has just taken this model's release back, and not everything follows it yet."""
    decision, change = record.decision, record.release
    if decision is None or change is None or change.state != "moving":
        return False
    return decision.action == "take_back" and decision.from_ == model_version


def _ended(work: Work, candidate: Candidate) -> Ended | None:
    """Return how a release of this model ended before, or None."""
    keys: dict[Ended, str] = {
        "promoted": promotion_key(candidate.model_version),
        "taken_back": taken_back_key(candidate.model_version, candidate.bundle),
    }
    return next((how for how, key in keys.items() if ledger.find(work.bucket, work.product, key) is not None), None)


def _refused(work: Work, held: Held, candidate: Candidate, refused: Refused) -> Released:
    note("release.refused", product=work.product, model=candidate.model_version, code=refused.code)
    if is_behind(refused) or refused.code in ("experiment_under_way", "frozen"):
        state: State = "behind" if is_behind(refused) else "waiting"
        return Released(work.product, candidate.model_version, state, None, refused.reason)
    if refused.code == "stale_comparison":
        serving = version_of(held.record.champion) or "none"
        request_id = f"{candidate.model_version}/{serving}"
        event = RetrainRequested(product=work.product, cause=refused.code, request_id=request_id)
        work.step("ask for a new comparison", events.send, event)
    raise ReleaseError(
        f"Model {candidate.model_version} of {work.product} was not released.",
        detail=refused.reason,
        resolution=f"What serves goes on serving; look with `tropism status {work.product}`.",
    )
