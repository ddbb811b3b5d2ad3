"""A prediction computed again: from the bundle inside the very function version that answered, to the same number.

It asks neither the endpoint nor MLflow: the version's code lies in the bucket under the digest that Lambda tells.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from lifecycle import bundle as bundles
from lifecycle.bundle import Bundle
from lifecycle.errors import BundleError
from lifecycle.predictions import Prediction
from lifecycle.refusal import ContractError
from lifecycle.serving import ARMS
from tasks import function_versions
from tasks.packages import FOLDER
from tasks.scorer import Given, Scorer

# A score is a float32 written with all its digits: computed again it is equal, and anything else is another model.
TOLERANCE = 1e-9

Verdict = Literal["same", "differs", "impossible"]
Score = float | tuple[float, ...]


@dataclass(frozen=True)
class Rescored:
    """What came of it. `difference` is the largest one, None when nothing could be computed."""

    verdict: Verdict
    score: Score | None
    difference: float | None
    reason: str


def open_version(bucket: str, function: str, record: Prediction) -> Scorer:
    """Return the model that answered, verified: the version's own, or that of the experiment's arm.

    Raises BundleError when the version is gone or altered, or holds no such bundle.
    """
    if record.bundle is None:
        raise BundleError(f"No model answered request {record.request_id}: it was refused before.")
    with tempfile.TemporaryDirectory(prefix="why-") as name:
        folder = Path(name)
        function_versions.fetch(bucket, function, record.function_version, folder)
        for found in _carried(folder):
            if found.digest == record.bundle:
                return Scorer(found)
    raise BundleError(
        f"Version {record.function_version} of {function} does not hold bundle {record.bundle[:12]}.",
        detail="The record names it, so one of the two was altered.",
    )


def rescore(scorer: Scorer, record: Prediction, row: int) -> Rescored:
    """Compute one row of a request again and compare. It never raises for what a record may hold."""
    at = row - record.first_row
    if record.scores is None or not 0 <= at < len(record.scores):
        return Rescored("impossible", None, None, f"The request was answered {record.status}, without a score.")
    given = rows_of(record, at)
    if given is None:
        return Rescored("impossible", None, None, "The product keeps only the digest of what was asked.")
    if not is_as_asked(record):
        found = "The rows in the record are not those that were answered: they have another digest."
        return Rescored("differs", None, None, found)
    try:
        (again,) = scorer.predict(given).tolist()
    except ContractError as error:
        return Rescored("differs", None, None, f"The model refuses the row it answered: {error}")
    score: Score = tuple(again) if isinstance(again, list) else again
    return _compared(record.scores[at], score)


def rows_of(record: Prediction, at: int) -> Given | None:
    """Return one row as a request's columns, or None where the record does not tell it."""
    if record.columns is None or record.features is None:
        return None
    return {name: [value] for name, value in zip(record.columns, record.features[at], strict=True)}


def is_as_asked(record: Prediction) -> bool:
    """Say whether the rows of a record are those whose digest it carries."""
    told = [list(record.columns or ()), [list(row) for row in record.features or ()]]
    text = json.dumps(told, separators=(",", ":"))
    return record.features_sha256 is None or sha256(text.encode()).hexdigest() == record.features_sha256


def _compared(said: float | Sequence[float] | None, again: Score) -> Rescored:
    before = _numbers(said)
    now = _numbers(again)
    if len(before) != len(now):
        return Rescored("differs", again, None, f"{len(before)} numbers were answered, {len(now)} come out now.")
    difference = max((abs(a - b) for a, b in zip(before, now, strict=True)), default=math.inf)
    if difference <= TOLERANCE:
        return Rescored("same", again, difference, "The same bundle gives the same score.")
    return Rescored("differs", again, difference, f"The scores differ by {difference:.3g}, more than {TOLERANCE:g}.")


def _numbers(score: float | Sequence[float] | None) -> Sequence[float]:
    if score is None:
        return ()
    return score if isinstance(score, Sequence) else (score,)


def _carried(folder: Path) -> Sequence[Bundle]:
    arms = sorted((folder / ARMS).iterdir()) if (folder / ARMS).is_dir() else []
    return [bundles.load(place) for place in (folder / FOLDER, *arms)]
