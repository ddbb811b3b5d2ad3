"""One MLflow run per training: found again by its key, filled with parameters, metrics, lineage and artifacts.

Everything is written so that a second call leaves the same run: metrics carry the run's own start as their time,
artifacts have fixed names. What the numbers mean is the rules' business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lifecycle.bundle import MODEL
from lifecycle.snapshot import Snapshot
from tasks.registry import BUNDLE_FOLDER, MODEL_FOLDER, TRAIN_KEY, mlflow_client, translated

# MLflow's own limits.
_PARAMS_PER_CALL, _DIGEST_CHARACTERS = 100, 36


@dataclass(frozen=True)
class Run:
    """One MLflow run. `started_ms`: milliseconds since 1970, the time of all its metrics."""

    run_id: str
    train_key: str
    experiment_id: str
    artifact_uri: str
    started_ms: int
    finished: bool


@dataclass(frozen=True)
class Record:
    """What a run says: `metrics` may hold only finite numbers, `tags` only text."""

    parameters: Mapping[str, str | int | float | bool]
    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict)


def open_run(product: str, bucket: str, train_key: str, name: str) -> Run:
    """Return the run of a training, made when there is none: at most one per key.

    Only the holder of the turn to train may call it.
    """
    client = mlflow_client()
    with translated(f"open a run of {product}"):
        experiment = _experiment(product, bucket)
        found = client.search_runs([experiment], f"tags.`{TRAIN_KEY}` = '{train_key}'", max_results=1)
        run = found[0] if found else client.create_run(experiment, tags={TRAIN_KEY: train_key}, run_name=name)
    return Run(
        run_id=run.info.run_id,
        train_key=train_key,
        experiment_id=run.info.experiment_id,
        artifact_uri=run.info.artifact_uri,
        started_ms=int(run.info.start_time),
        finished=run.info.status == "FINISHED",
    )


def log_record(run: Run, record: Record) -> None:
    """Write parameters, metrics and tags. A second call with the same record changes nothing."""
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

    client = mlflow_client()
    metrics = [Metric(key, value, run.started_ms, 0) for key, value in record.metrics.items()]
    params = [Param(key, str(value)) for key, value in record.parameters.items()]
    tags = [RunTag(key, value) for key, value in record.tags.items()]
    with translated(f"write to run {run.run_id}"):
        client.log_batch(run.run_id, metrics=metrics, params=params[:_PARAMS_PER_CALL], tags=tags)
        for start in range(_PARAMS_PER_CALL, len(params), _PARAMS_PER_CALL):
            client.log_batch(run.run_id, params=params[start : start + _PARAMS_PER_CALL])


def log_snapshot(run: Run, bucket: str, snapshot: Snapshot) -> None:
    """Write the snapshot as the run's input. A second call changes nothing.

    Its digest is ours, over all bytes: the one MLflow computes stops at row 10,000.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415

    source = {"uri": f"s3://{bucket}/validated/{snapshot.product}/"}
    dataset = Dataset(
        name=f"{snapshot.product}-snapshot",
        digest=snapshot.digest[:_DIGEST_CHARACTERS],
        source_type="s3",
        source=json.dumps(source),
        profile=json.dumps({"num_rows": snapshot.rows, "num_batches": len(snapshot.batches)}),
    )
    tags = [InputTag("mlflow.data.context", "training"), InputTag("sha256", snapshot.digest)]
    client = mlflow_client()
    with translated(f"write the inputs of run {run.run_id}"):
        client.log_inputs(run.run_id, [DatasetInput(dataset, tags)])


def upload(run: Run, folder: Path) -> None:
    """Upload a folder as the run's artifacts; a second call writes the same objects again."""
    client = mlflow_client()
    with translated(f"store the artifacts of run {run.run_id}"):
        client.log_artifacts(run.run_id, str(folder))


def read_tag(run: Run, name: str) -> str | None:
    """Return a tag of a run, or None when it was never written."""
    client = mlflow_client()
    with translated(f"read run {run.run_id}"):
        value = client.get_run(run.run_id).data.tags.get(name)
    return None if value is None else str(value)


def write_mlmodel(folder: Path, run: Run, xgboost_version: str) -> None:
    """Write the file that lets `mlflow.xgboost.load_model("models:/<product>/<version>")` open the bundle's model.

    What it opens takes the feature matrix; raw columns go through the bundle. No pickle is involved.
    """
    from mlflow.models import Model  # noqa: PLC0415

    started = datetime.fromtimestamp(run.started_ms / 1000, UTC).replace(tzinfo=None)
    model = Model(artifact_path=MODEL_FOLDER, run_id=run.run_id, utc_time_created=started, model_uuid=run.run_id)
    model.add_flavor(
        "xgboost",
        xgb_version=xgboost_version,
        data=f"{BUNDLE_FOLDER.removeprefix(MODEL_FOLDER + '/')}/{MODEL}",
        model_class="xgboost.core.Booster",
        model_format="ubj",
        code=None,
    )
    model.save(str(folder / MODEL_FOLDER / "MLmodel"))
    (folder / MODEL_FOLDER / "requirements.txt").write_text(f"xgboost=={xgboost_version}\n", encoding="utf-8")


def finish_run(run: Run) -> None:
    """Mark a run as finished; a second call changes nothing."""
    if run.finished:
        return
    client = mlflow_client()
    with translated(f"finish run {run.run_id}"):
        client.set_terminated(run.run_id, "FINISHED")


def _experiment(product: str, bucket: str) -> str:
    """Return the id of the product's experiment, made with its artifacts in the product's folder of the bucket."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    client = mlflow_client()
    if (known := client.get_experiment_by_name(product)) is not None:
        return str(known.experiment_id)
    try:
        return str(client.create_experiment(product, artifact_location=f"s3://{bucket}/mlflow/{product}"))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return str(client.get_experiment_by_name(product).experiment_id)
