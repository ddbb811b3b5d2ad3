"""Collect what both models of a release answered: the prediction log, the metrics per version, alarms, labels.

**Each log object counts once.** Objects modified since `counted_until` are read, and those modified shortly before it
as well: what was uploaded then may have become visible since. Which of these were counted is noted in the evidence
(a short digest each), so a new one is counted however late it shows and a known one is only read to recognise its
records when they come again. Counts, cursor and digests are one value: they are written in one compare-and-set of the
control record, so a look that dies or loses takes its counting with it, and the next one counts the same again.

Deciding is `lifecycle/rollout.py`, counting `lifecycle/counting.py`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from botocore.exceptions import BotoCoreError, ClientError

from lifecycle import profiles
from lifecycle.completeness import COMPLETE, LAG, Metrics, Minute, evidence_of
from lifecycle.control import Contender, Rollout
from lifecycle.counting import MINUTE, Frame, fold, is_live
from lifecycle.errors import ReleaseError
from lifecycle.evidence import Evidence
from lifecycle.paired_labels import Ruler, ruler_of
from lifecycle.predictions import Prediction, Repeats, read
from lifecycle.settings import Settings
from tasks import alarms, function_versions, pair_losses, predictions
from tasks.clients import cloudwatch
from tasks.endpoint import ALIAS
from tasks.metrics import Metric, query
from tasks.predictions import LogObject
from tasks.step import note

# An upload takes seconds; until two minutes after its date an object may still turn up.
OVERLAP = timedelta(minutes=2)
_ID_BYTES = 6
_NAMESPACE = "AWS/Lambda"
_COUNTED = ("Invocations", "Errors")


@dataclass(frozen=True)
class Counted:
    """Everything known of a release, and up to when log objects are in it."""

    evidence: Evidence
    counted_until: datetime


def count(
    settings: Settings,
    product: str,
    function: str,
    rollout: Rollout,
    champion: Contender,
    challenger: Contender,
    now: datetime,
) -> Counted:
    """Return the evidence of a release at `now`: what was known, and what came since. It writes nothing.

    Metrics that cannot be read make both arms unknown. Raises ServiceError when the log or the alarms cannot be read,
    BundleError when the champion's bundle cannot.
    """
    theirs, ours = _version(champion), _version(challenger)
    yardstick = _yardstick(settings.bucket, function, theirs)
    pair = (challenger.bundle, champion.bundle)
    frame = Frame(rollout.plan, rollout.windows, ours, theirs, yardstick.edges, pair)
    known = rollout.evidence.tally
    fresh, met, ids = _sorted_out(settings.bucket, product, rollout, set(known.objects), now)
    repeats = Repeats()
    for record in _records(settings.bucket, met):
        repeats.is_new(record)
    tally = fold(frame, _records(settings.bucket, fresh), known, repeats).model_copy(update={"objects": ids})
    metrics = _metrics(function, (theirs, ours), min(window.since for window in rollout.windows), now)
    found = evidence_of(frame, tally, metrics, now, rollout.evidence)
    besides: dict[str, object] = {"alarms": alarms.firing(settings, product, ours)}
    if yardstick.ruler is not None and tally.apart.pairs:
        ruler, bucket = yardstick.ruler, settings.bucket
        besides["labels"] = pair_losses.losses(bucket, product, rollout, frame, ruler, now, overlap=OVERLAP)
    return Counted(found.model_copy(update=besides), now)


def recent_requests(
    settings: Settings, product: str, function: str, now: datetime, *, within: timedelta, enough: int
) -> int | None:
    """Return how many live requests were answered lately, `enough` at most; None when the log cannot tell.

    The log cannot when it holds less than the metrics say was asked of the endpoint. Raises ServiceError when it
    cannot be read.
    """
    since, due = now - within, now - LAG
    live = logged = 0
    for record in predictions.answered(settings.bucket, product, since, now):
        if record.opens and not (record.synthetic and record.direct):
            live += is_live(record)
            logged += record.at < due
        if live >= enough:
            return live
    asked = _metrics(function, (None,), since, now)
    if asked is None:
        return None
    over = [minute for at, minute in asked.get("", {}).items() if at * MINUTE + MINUTE <= due.timestamp()]
    told = logged + sum(minute.errors for minute in over)
    return None if told < COMPLETE * sum(minute.invocations for minute in over) else live


def _sorted_out(
    bucket: str, product: str, rollout: Rollout, known: set[str], now: datetime
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """Return the keys to count, the keys counted before to recognise repeats by, and the ids to note."""
    since = rollout.counted_until - OVERLAP
    fresh: list[str] = []
    met: list[str] = []
    ids: list[str] = []
    for found in predictions.objects(bucket, product, since - predictions.LATE, now):
        if found.modified < since.replace(microsecond=0):  # S3 tells whole seconds
            continue
        identity = _identity(found)
        (met if identity in known else fresh).append(found.key)
        if found.modified >= (now - OVERLAP).replace(microsecond=0):
            ids.append(identity)
    return fresh, met, tuple(ids)


def _identity(found: LogObject) -> str:
    """Name an object shortly; 48 bits tell the few hundred of two minutes apart."""
    return blake2b(found.key.encode(), digest_size=_ID_BYTES).hexdigest()


def _records(bucket: str, keys: Iterable[str]) -> Iterator[Prediction]:
    for key in keys:
        for line in predictions.lines(bucket, key):
            record = read(line)
            if record is not None:
                yield record


def _metrics(function: str, versions: tuple[str | None, ...], since: datetime, now: datetime) -> Metrics | None:
    """Return invocations and errors behind the alias per version and minute, or None when CloudWatch does not answer.

    Version None is the alias as a whole, returned under "".
    """
    begin = since.astimezone(UTC).replace(second=0, microsecond=0)
    found: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    queries = [_query(function, version, metric, at) for at, version in enumerate(versions) for metric in _COUNTED]
    pages = cloudwatch().get_paginator("get_metric_data")
    try:
        for page in pages.paginate(MetricDataQueries=queries, StartTime=begin, EndTime=now + timedelta(minutes=1)):
            for series in page["MetricDataResults"]:
                metric, _, at = series["Id"].partition("_")
                minutes = found[versions[int(at)] or ""]
                for moment, value in zip(series["Timestamps"], series["Values"], strict=True):
                    numbers = minutes[int(moment.timestamp()) // MINUTE]
                    numbers[metric] = numbers.get(metric, 0) + round(value)
    except (ClientError, BotoCoreError) as error:
        note("metrics.unknown", level=logging.WARNING, function=function, error=str(error)[:300])
        return None
    return {
        version: {at: Minute(one.get("invocations", 0), one.get("errors", 0)) for at, one in minutes.items()}
        for version, minutes in found.items()
    }


def _query(function: str, version: str | None, metric: str, at: int) -> dict[str, object]:
    dimensions = {"FunctionName": function, "Resource": f"{function}:{ALIAS}"}
    if version is not None:
        dimensions["ExecutedVersion"] = version
    return query(f"{metric.lower()}_{at}", Metric(_NAMESPACE, metric, dimensions), "Sum", MINUTE)


@dataclass(frozen=True)
class _Yardstick:
    """What scores and labels are measured by: the edges of the champion's score bins, and how losses are compared."""

    edges: tuple[float, ...]
    ruler: Ruler | None


@lru_cache(maxsize=32)
def _yardstick(bucket: str, function: str, function_version: str) -> _Yardstick:
    """Return the champion's, from inside its published version, which never changes."""
    bundle = function_versions.bundle_of(bucket, function, function_version)
    scores = profiles.read(bundle.reference).scores
    return _Yardstick(scores.edges, ruler_of(bundle.contract.task, scores))


def _version(contender: Contender) -> str:
    if contender.function_version is None:
        raise ReleaseError(f"Model {contender.model_version} was never published, so it answers nothing.")
    return contender.function_version
