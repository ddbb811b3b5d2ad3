"""An experiment's effects: its record in S3, the package that carries every arm, and what the log and the labels say.

Who gets which arm is decided inside the function; whether an arm is better, in `lifecycle/experiment.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from pydantic import ValidationError

from lifecycle.assignment import assign
from lifecycle.errors import ConflictError, ServiceError
from lifecycle.experiment import Observed
from lifecycle.experiment_plan import ArmPlan, ExperimentPlan, ExperimentRecord, record_key
from lifecycle.exposure import Exposures, Label
from lifecycle.serving import ARMS, LoggedFeatures, Serving
from tasks import objects, predictions
from tasks.function_versions import require_smoke
from tasks.packages import Carried, Extras, Package, pack
from tasks.step import note

_MOST_FILES = 1_000_000


@dataclass(frozen=True)
class Held:
    """A record as it was read; without one, nothing was ever tried."""

    record: ExperimentRecord | None
    etag: str | None


def read(bucket: str, product: str) -> Held:
    """Read the record of a product's last experiment. Raises ServiceError when what is stored is none."""
    found = objects.read(bucket, record_key(product))
    if found is None:
        return Held(None, None)
    try:
        return Held(ExperimentRecord.model_validate_json(found.body), found.etag)
    except ValidationError as error:
        raise ServiceError(
            f"s3://{bucket}/{record_key(product)} is no record of an experiment.",
            detail=str(error.errors()[0]["msg"]),
            resolution="The bucket keeps every version: restore the last good one.",
        ) from error


def write(bucket: str, held: Held, record: ExperimentRecord) -> Held:
    """Write a record in place of the one read; the same one again writes nothing.

    Raises ConflictError when somebody else changed it since it was read.
    """
    if held.record == record:
        return held
    key, body = record_key(record.product), record.model_dump_json().encode()
    etag = objects.create(bucket, key, body) if held.etag is None else objects.replace(bucket, key, body, held.etag)
    if etag is None:
        raise ConflictError(
            f"Somebody else works on an experiment of {record.product}; nothing was changed here.",
            resolution=f"Look with `tropism experiment status {record.product}`, then decide again.",
        )
    return Held(record, etag)


def package(code: bytes, plan: ExperimentPlan, carried: Mapping[str, Carried], features: LoggedFeatures) -> Package:
    """Put every arm into one package. `carried`: the bundle of each arm by its name. Raises BundleError."""
    first = carried[plan.champion.name]
    beside = {f"{ARMS}/{arm.name}": carried[arm.name] for arm in plan.arms[1:]}
    serving = Serving(features, experiment=plan.experiment())
    return pack(code, first.folder, first.release, Extras(serving, beside))


def prove(function: str, number: str, plan: ExperimentPlan, request: Mapping[str, object]) -> None:
    """Ask a version for predictions as a unit of every arm, and as nobody. Raises ReleaseError for one that fails.

    `request` is what the champion's callers send, so an arm that needs more than they do is found here.
    """
    require_smoke(function, number, plan.champion.model_version, request)
    params = request.get("params")
    for arm in plan.arms:
        asked = {**(params if isinstance(params, dict) else {}), "unit": unit_of(plan, arm)}
        require_smoke(function, number, arm.model_version, {**request, "params": asked})


def unit_of(plan: ExperimentPlan, arm: ArmPlan) -> str:
    """Return a unit, not anybody's, that gets an arm."""
    experiment = plan.experiment()
    units = (f"smoke-{number}" for number in count())
    return next(unit for unit in units if assign(experiment, unit).arm.name == arm.name)


def observe(bucket: str, record: ExperimentRecord, until: datetime) -> Observed:
    """Read who was exposed and which labels came. Holds one entry per unit; the log and the labels are streamed."""
    exposures = Exposures(record.plan, record.function_version or "none")
    for one in predictions.answered(bucket, record.product, record.planned_at, until):
        exposures.add(one)
    return exposures.observed(labels(bucket, record.product))


def labels(bucket: str, product: str) -> Iterator[Label]:
    """Yield every label told of a product's predictions: lines of `{"prediction_id", "label", "label_at"}`."""
    strange = 0
    for key in objects.keys(bucket, f"labels/{product}/", limit=_MOST_FILES):
        for line in predictions.lines(bucket, key):
            found = _label(line)
            strange += found is None
            if found is not None:
                yield found
    if strange:
        note("labels.unreadable", product=product, lines=strange)


def _label(line: bytes) -> Label | None:
    """Read one line; a value that is no number is told as None, a line that names no prediction is none."""
    try:
        told = json.loads(line)
        identity, value, at = told["prediction_id"], told["label"], datetime.fromisoformat(told["label_at"])
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(identity, str):
        return None
    number = float(value) if isinstance(value, int | float) else None
    return Label(identity, number, at if at.tzinfo is not None else at.replace(tzinfo=UTC))
