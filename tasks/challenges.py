"""Write down what came of a training: the MLflow run, the registered version, the ledger entry.

Everything is found again by the training's key, so a training killed anywhere and run again ends with one run,
one version and one entry. The version is the commit point: it carries the decision from the moment it exists.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from lifecycle.batch import shown
from lifecycle.challenge import Challenge, HoldoutWindow, Judgement, Recorder, judgement
from lifecycle.manifest import Lineage
from lifecycle.training import Undecidable, instant, keys_digest
from tasks import ledger, registry
from tasks.bundles import contract_of, library_versions, reference_of, training_parameters, write_bundle
from tasks.evaluation import Judged, past_ages, score_psi
from tasks.job import Job, Outcome
from tasks.registry import BUNDLE_FOLDER, CAUSE, DECISION, DIGEST, SNAPSHOT, TRAIN_KEY, VERDICT
from tasks.scorecards import write_plots
from tasks.tracking import Record, Run, finish_run, log_record, log_snapshot, read_tag, upload, write_mlmodel
from tasks.training import gains

_TAG_CHARACTERS = 8000  # MLflow's limit; snapshot.json holds the whole list


@dataclass(frozen=True)
class Settled:
    """A challenge as it is recorded, with the registered version, None when no model was made."""

    challenge: Challenge
    model_version: str | None


def find_settled(product: str, run: Run) -> Settled | None:
    """Return what an earlier run of the same training decided, or None when it never got that far."""
    if (version := registry.find_version(product, run.run_id)) is not None:
        finish_run(run)
        return Settled(Challenge.model_validate_json(version.decision), version.version)
    decision = read_tag(run, DECISION)
    return None if decision is None else Settled(Challenge.model_validate_json(decision), None)


def record_undecidable(bucket: str, run: Run, job: Job, found: Undecidable) -> Settled:
    """Finish the run of a training that could make no model. A second call changes nothing."""
    challenge = Challenge(
        product=job.files.product.name,
        train_key=run.train_key,
        snapshot=job.snapshot.digest,
        batches=job.snapshot.batch_ids,
        mlflow_run=run.run_id,
        verdict="undecidable",
        reasons=found.reasons,
        judgement=Judgement(metric=job.files.product.evaluation.metric),
    )
    log_snapshot(run, bucket, job.snapshot)
    log_record(run, Record({}, {}, {**_tags(job, challenge), DECISION: challenge.model_dump_json()}))
    finish_run(run)
    return Settled(challenge, None)


def register_model(bucket: str, run: Run, job: Job, outcome: Outcome) -> Settled:
    """Store run, artifacts and bundle, then create the version: the commit point. A second call finds it."""
    product = job.files.product
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        digest = _write_model(folder, run, job, outcome)
        challenge = _challenge(run, job, outcome, digest)
        write_plots(folder / "plots", product.task, outcome.judged, gains(outcome.chosen.model))
        _write_json(folder / "decision.json", challenge.model_dump(mode="json"))
        _write_json(folder / "scorecard.json", _scorecards(outcome.judged))
        _write_json(folder / "snapshot.json", asdict(job.snapshot))
        log_record(run, _record(job, outcome, challenge))
        log_snapshot(run, bucket, job.snapshot)
        upload(run, folder)
    tags = {
        TRAIN_KEY: challenge.train_key,
        VERDICT: challenge.verdict,
        DIGEST: digest,
        SNAPSHOT: job.snapshot.digest,
        CAUSE: job.cause,
        DECISION: challenge.model_dump_json(),
    }
    version = registry.register(product.name, run.run_id, tags, challenge.summary(None))
    finish_run(run)
    return Settled(Challenge.model_validate_json(version.decision), version.version)


def append_to_ledger(bucket: str, settled: Settled, cause: str) -> int:
    """Append the challenge to the product's ledger and return its number; a second call returns the same one."""
    by = Recorder(actor="train", cause=cause, now=datetime.now(UTC))
    return ledger.append(bucket, settled.challenge.product, settled.challenge.entry(settled.model_version, by)).seq


def _write_model(folder: Path, run: Run, job: Job, outcome: Outcome) -> str:
    """Write what MLflow opens and the bundle below it; return the bundle's digest."""
    product, frame, chosen = job.files.product, outcome.frame.columns, outcome.chosen
    features = chosen.features_of(outcome.data)
    asked = contract_of(product.name, product.task, features, outcome.data.model_classes)
    manifest = write_bundle(
        folder / BUNDLE_FOLDER,
        asked if chosen.earlier is None else chosen.earlier.bundle.contract,
        features,
        chosen,
        reference_of(features, frame, outcome.split.train, outcome.judged, chosen, hidden=product.sensitive),
        _lineage(run, job, outcome),
    )
    write_mlmodel(folder, run, library_versions()["xgboost"])
    return manifest.digest


def _lineage(run: Run, job: Job, outcome: Outcome) -> Lineage:
    """Return where the model comes from: an earlier champion from its own data, found again by this run."""
    if outcome.chosen.earlier is not None:
        return replace(outcome.chosen.earlier.bundle.manifest.lineage, mlflow_run=run.run_id, flow_run=job.flow_run)
    return Lineage(
        snapshot=job.snapshot.digest,
        batches=job.snapshot.batch_ids,
        rows=outcome.chosen.rows,
        suites=job.snapshot.suites,
        code=job.code.digest,
        mlflow_run=run.run_id,
        flow_run=job.flow_run,
        seed=job.files.product.training.seed,
        tables=job.files.table_digests,
    )


def _challenge(run: Run, job: Job, outcome: Outcome, digest: str) -> Challenge:
    judged, split, metric = outcome.judged, outcome.split, job.files.product.evaluation.metric
    champion = judged.champion.metrics[metric] if judged.champion else None
    return Challenge(
        product=job.files.product.name,
        train_key=run.train_key,
        snapshot=job.snapshot.digest,
        batches=job.snapshot.batch_ids,
        mlflow_run=run.run_id,
        verdict=judged.decision.verdict,
        reasons=judged.decision.reasons,
        judgement=judgement(
            metric, judged.decision, judged.challenger.metrics[metric], champion, score_psi(judged, outcome.champion)
        ),
        champion=outcome.champion.version if outcome.champion else None,
        bundle=digest,
        candidate=outcome.chosen.name,
        again=outcome.chosen.earlier.version if outcome.chosen.earlier else None,
        rows_trained=outcome.chosen.rows,
        holdout=HoldoutWindow(
            after=None if split.holdout_after is None else instant(split.holdout_after),
            until=None if split.holdout_until is None else instant(split.holdout_until),
            rows=len(split.holdout),
            digest=keys_digest(outcome.frame.keys[split.holdout]),
        ),
    )


def _record(job: Job, outcome: Outcome, challenge: Challenge) -> Record:
    """Return what the MLflow run says; numbers that could not be computed are left out, never replaced."""
    judged, split = outcome.judged, outcome.split
    numbers = {
        "rows/fit": len(split.fit),
        "rows/stopping": len(split.stopping),
        "rows/holdout": len(split.holdout),
        "rows/unlabelled": split.unlabelled,
        "rows/undated": split.undated,
        "rows/repeated": outcome.frame.repeated,
        "rows/torn": split.torn,
        **{f"challenger/{name}": value for name, value in judged.challenger.metrics.items()},
        "challenger/calibration_error": judged.challenger.calibration_error,
        **{f"candidate/{one.name}/stopping_score": one.stopping_score for one in outcome.fitted},
        **{f"candidate/{one.name}/rounds": one.rounds for one in outcome.fitted},
    }
    if judged.champion is not None:
        numbers |= {f"champion/{name}": value for name, value in judged.champion.metrics.items()}
        numbers["champion/calibration_error"] = judged.champion.calibration_error
    features = outcome.chosen.features_of(outcome.data)
    numbers |= past_ages(outcome.frame.columns, job.files.product.time, split, features, outcome.champion)
    told = challenge.judgement.model_dump(include={"improvement", "lower", "upper"}, exclude_none=True)
    numbers |= {f"improvement/{name}": value for name, value in told.items()}
    chosen = {"candidate": outcome.chosen.name, **library_versions()}
    finite = {name: float(value) for name, value in numbers.items() if np.isfinite(value)}
    return Record({**training_parameters(job.files.product.training), **chosen}, finite, _tags(job, challenge))


def _tags(job: Job, challenge: Challenge) -> dict[str, str]:
    suites = ",".join(f"{name}:{digest}" for name, digest in sorted(job.snapshot.suites.items()))
    tags = {
        SNAPSHOT: job.snapshot.digest,
        VERDICT: challenge.verdict,
        "tropism.batches": ",".join(shown(batch) for batch in challenge.batches)[:_TAG_CHARACTERS],
        "tropism.suites": suites[:_TAG_CHARACTERS],
        "tropism.product_sha256": job.files.spec_sha256,
        "tropism.code": job.code.digest,
        "tropism.flow_run": job.flow_run,
        CAUSE: job.cause,
        "mlflow.note.content": challenge.summary(None),
    }
    if tables := ",".join(f"{name}:{digest}" for name, digest in job.files.table_digests.items()):
        tags["tropism.tables"] = tables[:_TAG_CHARACTERS]
    return tags | ({"mlflow.source.git.commit": job.code.commit} if job.code.commit else {})


def _scorecards(judged: Judged) -> dict[str, object]:
    cards = {"challenger": judged.challenger, "champion": judged.champion}
    return {name: asdict(card) for name, card in cards.items() if card is not None}


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
