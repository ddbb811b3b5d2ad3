"""What a product's work used: functions, tasks, storage, logs, read from whoever counts them, and priced.

| stage | counted by |
|---|---|
| predict | the function's own metrics, times its memory |
| ingest, train, release, monitor, score | Prefect's run times, times the function's memory or the task's size |
| storage, log | S3's listing, every version; the metrics of the log group and the delivery stream |

Who does not answer leaves a gap with its reason, never a zero. A run about all products counts for each alike. The
rules are `lifecycle/cost.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lifecycle import spec
from lifecycle.cost import Bill, Usage, bill
from lifecycle.errors import ServiceError
from lifecycle.log_part import hour_of, parts_prefix
from lifecycle.settings import Settings
from tasks import objects, run_times, stored, summaries
from tasks.clients import ecs, lambda_client
from tasks.metrics import Metric, total
from tasks.run_times import Worked
from tasks.step import note

T = TypeVar("T")

# Which flow is whose stage; what is not here, the sweep above all, works for every product and is told as a gap.
STAGES: Mapping[str, str] = {
    "ingest": "ingest",
    "train": "train",
    "tune": "train",
    "release": "release",
    "rollback": "release",
    "monitor": "monitor",
    "respond": "monitor",
    "score": "score",
}
_STARTING = "starting of processes"
_MEBIBYTES = 1024  # of a gigabyte, as AWS bills memory
_CPU_UNITS = 1024  # of a vCPU
_MANY = 10_000


@dataclass(frozen=True)
class Sizes:
    """Memory of run-flow in GB, vCPUs and memory in GB of the task; None: AWS did not say."""

    function: float | None
    vcpus: float | None
    memory: float | None


def measure_cost(settings: Settings, product: str, since: datetime, now: datetime) -> Bill:
    """Return what a product's work cost from `since` to `now`. Reads only. Raises ValueError when no time passed."""
    predicted = _predictions(settings.bucket, product, since, now)
    used = (*_flows(settings, product, since, now), _predict(settings, product, since, now))
    kept = (_storage(settings, product, since, now), _log(settings, product, since, now))
    return bill((*used, *kept), now - since, predicted, laptop=settings.aws_endpoint_url is not None)


def _predict(settings: Settings, product: str, since: datetime, now: datetime) -> Usage:
    name = settings.predict_function(product)
    requests = _count("AWS/Lambda", "Invocations", "FunctionName", name, since, now)
    milliseconds = _count("AWS/Lambda", "Duration", "FunctionName", name, since, now)
    memory = _asked(lambda: _memory(name))
    gaps = [_STARTING]
    if _asked(lambda: _provisioned(name)) != 0:
        gaps.append("environments kept ready")
    known = None if milliseconds is None else _times(milliseconds / 1_000, memory)
    return Usage(stage="predict", requests=requests, gb_seconds=known, gaps=tuple(gaps))


def _flows(settings: Settings, product: str, since: datetime, now: datetime) -> Sequence[Usage]:
    """Return what the flows of each stage used; run by hand in somebody's own process, a flow uses nothing of AWS."""
    found = _asked(lambda: run_times.worked(settings.prefect_api_url, tuple(STAGES), since, now))
    stages = tuple(dict.fromkeys(STAGES.values()))
    if found is None:
        none = dict.fromkeys(("gb_seconds", "requests", "vcpu_seconds", "memory_gb_seconds"), None)
        return [Usage(stage=stage, gaps=("Prefect does not answer",), **none) for stage in stages]
    sizes = Sizes(
        _asked(lambda: _memory(f"{settings.function_prefix}-run-flow")),
        *(_asked(lambda: _task(settings)) or (None, None)),
    )
    products = max(1, len(spec.names(settings.products)))
    mine = [(run, 1.0 if run.product == product else 1 / products) for run in found if run.product in (product, None)]
    return [_stage(stage, [one for one in mine if STAGES[one[0].flow] == stage], sizes) for stage in stages]


def _stage(stage: str, mine: Sequence[tuple[Worked, float]], sizes: Sizes) -> Usage:
    """Add up one stage's runs, each with its share."""

    def seconds(pool: str) -> float:
        return sum(run.time.total_seconds() * share for run, share in mine if run.pool == pool)

    in_function, in_task = seconds("lambda"), seconds("ecs")
    return Usage(
        stage=stage,
        gb_seconds=_times(in_function, sizes.function),
        requests=sum(share for run, share in mine if run.pool == "lambda"),
        vcpu_seconds=_times(in_task, sizes.vcpus),
        memory_gb_seconds=_times(in_task, sizes.memory),
        gaps=(_STARTING,) if in_function or in_task else (),
    )


def _times(seconds: float, size: float | None) -> float | None:
    """Multiply what was measured by a size; nothing is nothing, whatever the size is."""
    if seconds == 0:
        return 0.0
    return None if size is None else seconds * size


def _storage(settings: Settings, product: str, since: datetime, now: datetime) -> Usage:
    kept = _asked(lambda: stored.average_gb(settings.bucket, stored.prefixes(product), since, now))
    return Usage(stage="storage", stored_gb=kept, gaps=("requests to S3", "sweeps, bridge and guard, which all share"))


def _log(settings: Settings, product: str, since: datetime, now: datetime) -> Usage:
    """Return what the prediction log used: kept, taken in, delivered. No number at all is no measurement."""
    function = settings.predict_function(product)
    stream = f"{settings.function_prefix}-predictions-{product}"
    kept = _asked(lambda: stored.average_gb(settings.bucket, (stored.log_prefix(product),), since, now))
    taken = _count("AWS/Logs", "IncomingBytes", "LogGroupName", f"/aws/lambda/{function}", since, now, empty=None)
    sent = _count("AWS/Firehose", "IncomingBytes", "DeliveryStreamName", stream, since, now, empty=None)
    return Usage(
        stage="log",
        stored_gb=kept,
        logged_gb=None if taken is None else taken / stored.GIGABYTE,
        delivered_gb=None if sent is None else sent / stored.GIGABYTE,
    )


def _predictions(bucket: str, product: str, since: datetime, now: datetime) -> int | None:
    """Count the rows answered, by the sums of the prediction log; None when nobody summed it up."""

    def count() -> int | None:
        known = objects.keys(bucket, parts_prefix(product), limit=_MANY)
        if not known:
            return None
        parts = summaries.Parts(bucket, product).newest_first(since, now)
        return sum(one.sketch.rows for part in parts for one in part.sketches if one.hour >= hour_of(since))

    return _asked(count)


def _count(
    namespace: str,
    name: str,
    dimension: str,
    of: str,
    since: datetime,
    until: datetime,
    *,
    empty: float | None = 0.0,
) -> float | None:
    """Return a metric's sum; `empty` when there is no point of it, None when CloudWatch does not answer."""
    found = _asked(lambda: (total(Metric(namespace, name, {dimension: of}), since, until),))
    if found is None:
        return None
    return empty if found[0] is None else found[0]


def _memory(function: str) -> float:
    return lambda_client().get_function_configuration(FunctionName=function)["MemorySize"] / _MEBIBYTES


def _provisioned(function: str) -> int:
    pages = lambda_client().get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=function)
    return sum(len(page["ProvisionedConcurrencyConfigs"]) for page in pages)


def _task(settings: Settings) -> tuple[float, float]:
    """Return vCPUs and gigabytes of the task that trains."""
    family = f"{settings.function_prefix}-flows"
    found = ecs().describe_task_definition(taskDefinition=family)["taskDefinition"]
    return int(found["cpu"]) / _CPU_UNITS, int(found["memory"]) / _MEBIBYTES


def _asked(ask: Callable[[], T]) -> T | None:
    """Return an answer, or None with a line in the log: what is not known is a gap, not the end."""
    try:
        return ask()
    except (ClientError, BotoCoreError, ServiceError) as error:
        note("usage.unknown", level=logging.WARNING, error=str(error)[:300])
        return None
