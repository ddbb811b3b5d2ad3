"""`tropism why PRODUCT PREDICTION_ID`: from one answer back to the files, the code and the decisions behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli import output
from cli.traced import Again, Explained, Gate, Origin, Served, SourceObject, TracedPrediction
from lifecycle.errors import BundleError, TropismError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cli.shapes import Json
    from lifecycle.bundle import Bundle
    from lifecycle.ledger import Entry
    from lifecycle.predictions import Prediction
    from lifecycle.settings import Settings
    from tasks.scorer import Explanation, Scorer

# A request's id is Lambda's, a UUID; the row follows it.
_PREDICTION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-(0|[1-9][0-9]{0,8})")


def is_prediction_id(name: str) -> bool:
    """Say whether a name has the form of a prediction id."""
    return _PREDICTION_ID.fullmatch(name) is not None


@dataclass(frozen=True)
class _Found:
    """One prediction in its record, with the model that answered, or why that cannot be opened."""

    record: Prediction
    row: int
    scorer: Scorer | None
    fault: str


def trace(where: Settings, product: str, name: str, at: datetime | None) -> TracedPrediction:
    """Return everything a prediction came from. Raises UsageError when the log does not hold it."""
    from lifecycle.predictions import PredictionId
    from tasks import ledger, predictions

    record = predictions.find(product, name, where.bucket, now=datetime.now(UTC), at=at)
    wanted = PredictionId.parse(name)
    found = _open(where, product, record, wanted.row if wanted else 0)
    entries = ledger.entries(where.bucket, product)
    place = found.row - record.first_row
    return TracedPrediction(
        product=product,
        id=name,
        kind="prediction",
        at=record.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        status=record.status,
        reason=record.reason,
        synthetic=record.synthetic,
        score=record.scores[place] if record.scores else None,
        model_version=record.model_version,
        bundle=record.bundle,
        served=_served(entries, record),
        features=_features(record, place),
        features_sha256=record.features_sha256,
        explanation=_explained(found, place),
        gate=_gate(entries, record),
        origin=_origin(where.bucket, product, found.scorer.bundle) if found.scorer else None,
        rescored=_again(found),
    )


def _open(where: Settings, product: str, record: Prediction, row: int) -> _Found:
    from tasks import rescoring

    try:
        scorer = rescoring.open_version(where.bucket, where.predict_function(product), record)
    except BundleError as error:
        return _Found(record, row, None, str(error))
    return _Found(record, row, scorer, "")


def _again(found: _Found) -> Again:
    from tasks import rescoring

    if found.scorer is None:
        return Again("impossible", None, None, found.fault)
    made = rescoring.rescore(found.scorer, found.record, found.row)
    return Again(made.verdict, made.score, made.difference, made.reason)


def _served(entries: Sequence[Entry], record: Prediction) -> Served:
    from lifecycle.arms import answerer

    by = answerer(entries, record.function_version, record.at)
    return Served(
        function_version=record.function_version,
        arm=by.arm if by else None,
        weight=by.weight if by else None,
        ledger_seq=by.traffic.seq if by else None,
        moving=by.moving if by else False,
        experiment=record.experiment,
        experiment_arm=record.arm,
    )


def _features(record: Prediction, place: int) -> Mapping[str, Json] | None:
    if record.columns is None or record.features is None:
        return None
    return dict(zip(record.columns, record.features[place], strict=True))


def _explained(found: _Found, place: int) -> tuple[Explained, ...]:
    from lifecycle.refusal import ContractError
    from tasks.rescoring import rows_of

    given = rows_of(found.record, place) if found.record.scores else None
    if given is None or found.scorer is None:
        return ()
    try:
        (parts,) = found.scorer.explain(given)
    except ContractError:
        return ()  # re-scoring says so, loudly
    return tuple(_taken_apart(label or None, part) for label, part in parts.items())


def _taken_apart(label: str | None, part: Explanation) -> Explained:
    return Explained(label, part.base, part.contributions)


def _gate(entries: Sequence[Entry], record: Prediction) -> Gate | None:
    wanted = [
        entry for entry in entries if entry.action == "challenge" and entry.evidence.get("bundle") == record.bundle
    ]
    entry = next((one for one in wanted if one.to == record.model_version), wanted[0] if wanted else None)
    if entry is None:
        return None
    return Gate(entry.seq, output.stamp(entry.at), entry.actor, entry.reason, entry.evidence)


def _origin(bucket: str, product: str, bundle: Bundle) -> Origin:
    from tasks import batches

    lineage = bundle.manifest.lineage
    manifests = {batch_id: batches.find_batch(bucket, product, batch_id) for batch_id in lineage.batches}
    return Origin(
        snapshot=lineage.snapshot,
        sources=tuple(
            SourceObject(batch_id, one.key, one.object_version, one.data.sha256, one.rows.validated)
            for batch_id, one in manifests.items()
            if one is not None
        ),
        missing=tuple(batch_id for batch_id, one in manifests.items() if one is None),
        code=lineage.code,
        commit=_commit(lineage.mlflow_run),
        mlflow_run=lineage.mlflow_run,
        flow_run=lineage.flow_run,
    )


def _commit(mlflow_run: str) -> str | None:
    """Ask MLflow for the commit; it alone knows, and need not answer."""
    from tasks.registry import mlflow_client, translated

    if not mlflow_run:
        return None
    try:
        client = mlflow_client()
        with translated(f"read run {mlflow_run}"):
            tags = client.get_run(mlflow_run).data.tags
    except TropismError as error:
        output.warn(f"The commit is not known: {error}")
        return None
    commit: str | None = tags.get("mlflow.source.git.commit")
    return commit
