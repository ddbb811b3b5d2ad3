"""Train: fit a challenger on everything validated, judge it against the champion, register and announce it.

The order only. One training of a product runs at a time; a batch that arrives meanwhile is trained on before
the turn is given back. Traffic is never moved here: that is `flows/release.py`.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.trying import Trial, fitted_anew, once_more
from lifecycle import training
from lifecycle.batch import Reason
from lifecycle.claim import Busy
from lifecycle.errors import TrainingError
from lifecycle.freezing import FROZEN
from lifecycle.grounds import Ground
from lifecycle.labels import Labels, read_labels
from lifecycle.settings import Settings
from lifecycle.spec import Product
from lifecycle.training import Keys, Split, Undecidable
from tasks import control, responding
from tasks.challenges import Settled, append_to_ledger, find_settled, record_undecidable, register_model
from tasks.claim import leave_turn, leave_wish, renew_turn, take_turn
from tasks.clients import settings
from tasks.evaluation import Judged, find_leaks, judge, load_champion
from tasks.events import send
from tasks.features import ProductFiles, fit_features, judge_features, read_product
from tasks.job import Job, Outcome
from tasks.lineage import code_version
from tasks.scorecards import scorecard_page, show_scorecard
from tasks.snapshot import Frame, group_keys, read_frame, take_snapshot
from tasks.step import Step, as_task, note
from tasks.tracking import Run, open_run
from tasks.training import Data, choose


@flow(name="train")
def train(product: str, cause: str = "batch.validated", retry_of: str | None = None) -> State[str]:
    """Train a challenger for a product, or say who is training already, or that the product is frozen.

    A second run on the same data tells the same decision again and changes nothing. `cause`: what made it
    happen. `retry_of`: the dead flow run that this one replaces.
    """
    where, owner = settings(), flow_run.get_id() or "no flow run"
    stop = as_task("see whether it is frozen", control.stopped, where.bucket, product)
    if stop is not None:
        as_task("leave a wish", leave_wish, where.bucket, product, owner)
        note("train.put_off", product=product, cause=cause, code=stop.code)
        return Completed(name=FROZEN, message=f"Nothing is trained; it is asked for again after the freeze. {stop}")
    turn = as_task("take the turn", take_turn, where.bucket, product, owner, retry_of)
    if isinstance(turn, Busy):
        since = f"{turn.turn.since:%Y-%m-%d %H:%M:%S} UTC"
        told = f"Flow run {turn.turn.owner} trains {product} since {since}, and will see this data too."
        return Completed(name="Skipped", message=told)
    again = True
    try:
        while again:
            told = challenge(where, product, cause, owner)
            # Wished for during a freeze that began meanwhile: the wish stays, the sweep asks again after it.
            stop = control.stopped(where.bucket, product)
            again = leave_turn(where.bucket, product, owner, finished=stop is None)
    finally:
        if again:
            leave_turn(where.bucket, product, owner, finished=False)
    return Completed(message=told)


def challenge(where: Settings, product: str, cause: str, owner: str, step: Step = as_task) -> str:
    """Train once on the snapshot as it is now, record and announce what came of it; return it in one paragraph."""
    files = step("read product", read_product, where.products, product)
    snapshot = step("take snapshot", take_snapshot, where.bucket, product)
    if not snapshot.batches:
        raise TrainingError(
            f"There is nothing to train {product} on.",
            detail="No batch is validated.",
            resolution=f"Bring data: `tropism drop {product} FILE --wait`.",
        )
    note("snapshot.taken", product=product, digest=snapshot.digest, batches=len(snapshot.batches), rows=snapshot.rows)
    cause = step("see what it answers", responding.why_trained, where.bucket, product, cause)
    job = Job(files, snapshot, code_version(), owner, cause)
    run = step("open MLflow run", open_run, product, where.bucket, job.train_key, f"train-{snapshot.digest[:12]}")
    settled = step("look for an earlier decision", find_settled, product, run)
    judged = None
    if settled is None:
        settled, judged = train_once(where, run, job, step)
    step("append to ledger", append_to_ledger, where.bucket, settled, cause)
    step("announce", send, settled.challenge.event(settled.model_version))
    page = scorecard_page(settled.challenge, settled.model_version, judged)
    step("show scorecard", show_scorecard, settled.challenge, settled.model_version, page)
    note("challenge.settled", product=product, version=settled.model_version, verdict=settled.challenge.verdict)
    return settled.challenge.summary(settled.model_version)


def train_once(where: Settings, run: Run, job: Job, step: Step) -> tuple[Settled, Judged | None]:
    """Split, fit, judge and register; without a model when the rows cannot decide anything."""
    bucket, product = where.bucket, job.files.product
    frame = step("read rows", read_frame, bucket, job.snapshot, job.files.read, product.grain, repeats=product.repeats)
    renew_turn(bucket, product.name, job.flow_run)
    prepared = prepare(where.expectations, job.files, frame, step)
    if isinstance(prepared, Undecidable):
        return step("record undecidable", record_undecidable, bucket, run, job, prepared), None
    data, split = prepared
    leaks = step("look for leaks", find_leaks, product, data, split)
    trial = Trial(bucket, product, frame.columns, data, split, job.flow_run)
    champion = step("load champion", load_champion, bucket, product.name)
    fitted = (*fitted_anew(trial, step), *once_more(trial, champion, step))
    chosen = choose(product.evaluation.metric, fitted)
    judged = step("judge", judge, product, frame.columns, data, split, chosen, champion, leaks)
    renew_turn(bucket, product.name, job.flow_run)
    outcome = Outcome(frame, split, data, fitted, chosen, champion, judged)
    return step("register model", register_model, bucket, run, job, outcome), judged


def prepare(expectations: Path, files: ProductFiles, frame: Frame, step: Step) -> tuple[Data, Split] | Undecidable:
    """Label and split the rows, fit the features on the training part, and let the features' own suite judge them."""
    product = files.product
    labels = read_labels(product.task, product.target, frame.columns[product.target.column])
    weights = None if product.weight is None else frame.columns[product.weight]
    groups = None if product.group is None else group_keys(frame, product.group)
    labels = labels if weights is None else labels.where(weights > 0)
    split = split_rows(product, frame, labels, groups)
    if isinstance(split, Undecidable):
        return split
    labels = labels.known_by(split.train)
    prepared = step("fit features", fit_features, files, frame.columns, split.train, labels, groups)
    found = step("judge features", judge_features, expectations, product.name, prepared)
    if found is not None and found.verdict == "quarantine_batch":
        refused = Reason(Ground.FEATURES_REFUSED, None, f"{len(found.reasons)} failed expectations", "none critical")
        return Undecidable((refused, *found.reasons))
    if found is not None and found.verdict == "quarantine_rows":
        split = training.recheck(product.training, product.task, split.without(found.rows), labels.values, groups)
    if isinstance(split, Undecidable):
        return split
    known = (labels.values, prepared.features, labels.classes, labels.known)
    return Data(prepared.matrix, *known, weights, groups), split


def split_rows(product: Product, frame: Frame, labels: Labels, groups: Keys | None = None) -> Split | Undecidable:
    """Split by event time, or by the rows' own content where the product has no time column; groups stay whole."""
    if product.time is None:
        return training.split_by_content(product.training, product.task, frame.keys, labels.values, groups)
    return training.split(product.training, product.task, frame.columns[product.time], labels.values, groups)
