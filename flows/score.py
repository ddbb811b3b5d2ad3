"""Score many rows at once with the model that serves: validated batches, or any file in the bucket.

The numbers are those the endpoint would answer. Nothing is announced and nothing follows: scores lie under `scores/`,
each batch's with a manifest that says which model made them. Run again, what is scored already is left as it is.
"""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from lifecycle.batch import shown
from lifecycle.delivery import LandedObject
from lifecycle.errors import BatchError, UsageError
from lifecycle.scoring import ScoresManifest
from lifecycle.settings import Settings
from tasks import landing, scores, scoring
from tasks.clients import settings
from tasks.scoring import Model
from tasks.step import Step, as_task, note


@flow(name="score")
def score(
    product: str, batch_id: str | None = None, key: str | None = None, retry_of: str | None = None
) -> State[tuple[ScoresManifest, ...]]:
    """Score a validated batch, a file in the bucket, or, with neither, every batch without scores of the champion."""
    if batch_id is not None and key is not None:
        raise UsageError("A batch and a key were given.", detail="A run scores one or the other.")
    note("score.begun", product=product, batch=batch_id, key=key, retry_of=retry_of)
    if key is not None:
        done: tuple[ScoresManifest, ...] = (score_object(as_task, settings(), product, key),)
    else:
        done = score_batches(as_task, settings(), product, () if batch_id is None else (batch_id,))
    return Completed(message=told(done), data=done)


def score_batches(
    step: Step, where: Settings, product: str, batch_ids: tuple[str, ...] = ()
) -> tuple[ScoresManifest, ...]:
    """Score validated batches, by default all that the champion has not scored, and return their manifests."""
    model = step("open champion", scoring.champion, where, product)
    wanted = batch_ids or step("find batches", scores.unscored, where.bucket, product, model.model_version)
    return tuple(_noted(step("score batch", scoring.score_batch, model, batch_id)) for batch_id in wanted)


def score_object(step: Step, where: Settings, product: str, key: str) -> ScoresManifest:
    """Score a file that lies anywhere in the bucket, as it is now; its scores lie under its bytes' sha256."""
    model = step("open champion", scoring.champion, where, product)
    found = step("find object", landing.find_object, where.bucket, product, key, None)
    return _noted(step("score file", _score_file, model, found))


def told(done: tuple[ScoresManifest, ...]) -> str:
    """Say what came of it in one sentence."""
    if not done:
        return "Every validated batch is scored already."
    rows = sum(one.rows.scored for one in done)
    refused = sum(one.rows.refused for one in done)
    names = ", ".join(shown(one.batch_id) for one in done)
    return f"{rows:,} rows of {names} scored by model {done[0].model_version}; {refused:,} refused."


def _score_file(model: Model, found: LandedObject) -> ScoresManifest:
    content = None if found.gone else landing.fetch(found, model.product.limits.max_bytes)
    if content is None:
        raise BatchError(f"There is nothing at s3://{found.bucket}/{found.key}.")
    if content.data is None:
        raise BatchError(
            f"s3://{found.bucket}/{found.key} is too large to be scored.",
            detail=f"It has {content.size:,} bytes; {model.product.limits.max_bytes:,} are allowed.",
        )
    of = scores.Named(content.batch_id, found.key, found.object_version)
    return scoring.score_bytes(model, of, content.data)


def _noted(found: ScoresManifest) -> ScoresManifest:
    note(
        "batch.scored",
        product=found.product,
        batch=found.batch_id,
        model=found.model_version,
        rows=found.rows.scored,
        refused=found.rows.refused,
    )
    return found
