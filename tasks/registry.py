"""The model registry: the versions of a product's model in MLflow, and the bundles behind them.

A version is created once per training and never changed. The alias `champion` is a projection of the control
record: only a release moves it. Runs, parameters and metrics are `tasks/tracking.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle import bundle
from lifecycle.bundle import Bundle
from lifecycle.errors import BundleError, ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow opens `models:/<product>/<version>` here; the bundle is a folder of its own below, so that it stays exact.
MODEL_FOLDER, BUNDLE_FOLDER = "model", "model/bundle"
TRAIN_KEY, VERDICT, DIGEST, DECISION = "tropism.train_key", "tropism.verdict", "tropism.bundle", "tropism.decision"
SNAPSHOT, CAUSE = "tropism.snapshot", "tropism.cause"


@dataclass(frozen=True)
class Registered:
    """A registered model, opened: its version and its bundle."""

    version: str
    bundle: Bundle


@dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model. `bundle` is the bundle's digest, `decision` JSON text of the verdict."""

    product: str
    version: str
    mlflow_run: str
    bundle: str
    verdict: str
    decision: str
    train_key: str


def mlflow_client() -> MlflowClient:
    """Return a client of the store in MLFLOW_TRACKING_URI. Raises ServiceError when there is none.

    MLflow's telemetry is switched off and unpickling refused before it is imported; DO_NOT_TRACK would do neither.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise ServiceError(
            "There is no model registry.",
            detail="MLFLOW_TRACKING_URI is not set, and MLflow would silently write into the working folder.",
            resolution="Start the services with `tropism up`, or set it to the store's address.",
        )
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    from mlflow import MlflowClient  # noqa: PLC0415  # two seconds of imports

    return MlflowClient()


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn MLflow's errors into ours: `what` completes the sentence "MLflow could not ..."."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        yield
    except MlflowException as error:
        raise ServiceError(
            f"MLflow could not {what}.",
            detail=f"{error.error_code}: {str(error).splitlines()[0]}",
            resolution="See what is down with `tropism doctor`; doing the same again is safe.",
        ) from error


def find_version(product: str, mlflow_run: str) -> ModelVersion | None:
    """Return the version made from a run, or None. One run never makes two."""
    client = mlflow_client()
    with translated(f"list the versions of {product}"):
        found = client.search_model_versions(f"name='{product}' and run_id='{mlflow_run}'", max_results=1)
    return _version(found[0]) if found else None


def version_of(product: str, version: str) -> ModelVersion:
    """Return one version. Raises ServiceError when it does not exist or MLflow does not answer."""
    client = mlflow_client()
    with translated(f"find version {version} of {product}"):
        return _version(client.get_model_version(product, version))


def versions(product: str) -> tuple[ModelVersion, ...]:
    """Return every version of a product's model, the newest first; none when nothing was ever registered."""
    client = mlflow_client()
    with translated(f"list the versions of {product}"):
        found = client.search_model_versions(f"name='{product}'", order_by=["version_number DESC"])
    return tuple(_version(one) for one in found)


def register(product: str, mlflow_run: str, tags: Mapping[str, str], description: str) -> ModelVersion:
    """Create the version of a run, tags and all, in one step: the commit point of a training.

    A second call for the same run returns the version that is there. Only the holder of the turn to train
    may call it: MLflow itself would create two for two callers.
    """
    if (known := find_version(product, mlflow_run)) is not None:
        return known
    client = mlflow_client()
    with translated(f"register a version of {product}"):
        _ensure_model(client, product)
        run = client.get_run(mlflow_run)
        made = client.create_model_version(
            product,
            f"{run.info.artifact_uri}/{MODEL_FOLDER}",
            run_id=mlflow_run,
            tags=dict(tags),
            description=description,
            await_creation_for=0,
        )
    return _version(made)


def set_model_alias(product: str, model_alias: str, version: str) -> None:
    """Point an alias at a version; a second call changes nothing. Last writer wins, so never a lock."""
    client = mlflow_client()
    with translated(f"point {product}@{model_alias} at version {version}"):
        client.set_registered_model_alias(product, model_alias, version)


def delete_model_alias(product: str, model_alias: str) -> None:
    """Remove an alias; one that is not there is no error."""
    client = mlflow_client()
    with translated(f"remove {product}@{model_alias}"):
        client.delete_registered_model_alias(product, model_alias)


def model_aliases(product: str) -> dict[str, str]:
    """Return every alias of a product's model with its version; empty when nothing was ever registered."""
    client = mlflow_client()
    with translated(f"read the aliases of {product}"):
        found = client.search_registered_models(f"name='{product}'", max_results=1)
    return {alias: str(version) for one in found for alias, version in one.aliases.items()}


def fetch_bundle(product: str, version: str, folder: Path) -> Bundle:
    """Download the bundle of a version below `folder` and return it, verified.

    Raises BundleError when it is not the one that was registered, ServiceError when it cannot be fetched.
    """
    found = version_of(product, version)
    client = mlflow_client()
    folder.mkdir(parents=True, exist_ok=True)
    with translated(f"fetch the bundle of version {version} of {product}"):
        there = client.download_artifacts(found.mlflow_run, BUNDLE_FOLDER, str(folder))
    loaded = bundle.load(Path(there))
    if loaded.digest != found.bundle:
        raise BundleError(
            f"The bundle of version {version} of {product} is not the one that was registered.",
            detail=f"Found {loaded.digest[:12]}, expected {found.bundle[:12]}.",
            resolution="The bucket keeps every object version: restore the registered one.",
        )
    return loaded


def _ensure_model(client: MlflowClient, product: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.create_registered_model(product, description=f"Models of the product {product}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version(found: Any) -> ModelVersion:  # noqa: ANN401  # MLflow publishes no types
    """Read MLflow's entity; its version is a number over SQL and text over HTTP."""
    tags = found.tags
    return ModelVersion(
        product=found.name,
        version=str(found.version),
        mlflow_run=found.run_id or "",
        bundle=tags.get(DIGEST, ""),
        verdict=tags.get(VERDICT, ""),
        decision=tags.get(DECISION, ""),
        train_key=tags.get(TRAIN_KEY, ""),
    )
