"""What a year of answers came to: per month the loop beside the January model, and every final window of the ledger.

Everything is worked out again from what callers have: the answers they received and the labels in the delivered
files. Of the prediction log only the time of each answer is taken; the AUC is SciPy's and scikit-learn's.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from cli import answers as kept
from cli.answers import Answers, Place
from lifecycle.columns import normalise
from lifecycle.spec import Product
from tasks import registry
from tasks.clients import s3
from tasks.evaluation import score_bundle

if TYPE_CHECKING:
    from lifecycle.ledger import Entry

Floats = NDArray[np.float64]
LEAST_GAIN = 0.04
FIRST_MODEL = "1"
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Month:
    """One delivery: its labelled rows, and the AUC of what was answered and of the first model on the same rows."""

    name: str
    rows: int
    loop: float
    static: float

    @property
    def gain(self) -> float:
        """Return by how much what was answered is better."""
        return self.loop - self.static


@dataclass(frozen=True)
class Window:
    """A final performance: the ledger's figures, and the same worked out again."""

    model: str
    since: datetime
    until: datetime
    told: tuple[int, int, float]
    again: tuple[int, int, float]


@dataclass(frozen=True)
class Year:
    """Everything measured. `challenges`: trainings by verdict. `odd`: answers that the first model's bundle denies."""

    months: tuple[Month, ...]
    windows: tuple[Window, ...]
    challenges: Mapping[str, int]
    odd: int

    @property
    def mean(self) -> Month:
        """Return the mean over the months, each counting the same."""
        loop, static = (float(np.mean([getattr(one, name) for one in self.months])) for name in ("loop", "static"))
        return Month("mean", sum(one.rows for one in self.months), loop, static)

    @property
    def shown(self) -> bool:
        """Say whether every final window is the same to the last bit, and the gain is what it must be."""
        same = bool(self.windows) and all(one.told == one.again for one in self.windows)
        return same and self.odd == 0 and self.mean.gain >= LEAST_GAIN


def measured(bucket: str, product: Product, files: Sequence[Path], answers: Path, entries: Sequence[Entry]) -> Year:
    """Work everything out. The environment names the cloud in which the year was played."""
    found, labels = kept.read(answers), {}
    months, odd = [], 0
    for path in files:
        table = parquet.read_table(path)
        labels[path.name] = _labels(product, table)
        own = _first_model(product, table)
        given = np.array([found.given[Place(path.name, row)].score for row in range(len(own))])
        odd += _differ(found, path.name, given, own)
        known = np.isfinite(labels[path.name])
        scores = [_auc(labels[path.name][known], one[known]) for one in (given, own)]
        months.append(Month(path.stem, int(known.sum()), *scores))
    at = _times(bucket, product.name)
    windows = [_window(one, found, labels, at) for one in entries if one.action == "measure"]
    verdicts = [str(one.evidence["verdict"]) for one in entries if one.action == "challenge"]
    counted = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    return Year(tuple(months), tuple(windows), counted, odd)


def _window(entry: Entry, found: Answers, labels: Mapping[str, Floats], at: Mapping[str, datetime]) -> Window:
    """Work a final window out again: what its model answered in its time, and what of it came true."""
    since, until = (datetime.fromisoformat(str(entry.evidence[name])) for name in ("since", "until"))
    inside = [
        (answer.score, labels[place.file][place.row])
        for place, answer in found.given.items()
        if found.model_of[place] == entry.to and since <= at[answer.prediction_id.rpartition("-")[0]] < until
    ]
    rows = np.array([one for one in inside if np.isfinite(one[1])]).reshape(-1, 2)
    told = (int(entry.evidence["predictions"]), int(entry.evidence["labels"]), float(entry.evidence["value"]))
    return Window(str(entry.to), since, until, told, (len(inside), len(rows), _exact_auc(rows[:, 1], rows[:, 0])))


def _exact_auc(labels: Floats, scores: Floats) -> float:
    """Return the AUC rounded once: SciPy counts pairs in halves, where scikit-learn adds up areas and their rounding.

    Raises ValueError where the two differ by more than that.
    """
    late, other = scores[labels == 1], scores[labels == 0]
    found = float(mannwhitneyu(late, other, method="asymptotic").statistic) / (len(late) * len(other))
    if abs(found - _auc(labels, scores)) > _ROUNDING:
        raise ValueError(f"SciPy says {found}, scikit-learn {_auc(labels, scores)}.")
    return found


def _auc(labels: Floats, scores: Floats) -> float:
    return float(roc_auc_score(labels, scores))


def _labels(product: Product, table: pa.Table) -> Floats:
    """Return the labels (n,) of a binary product with a threshold, NaN where nothing came true."""
    values = table.column(product.target.column).to_pandas().to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isnan(values), np.nan, values >= product.target.at_least)


def _first_model(product: Product, table: pa.Table) -> Floats:
    """Return the scores (n,) of the first model for a delivery, from its own bundle."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = registry.fetch_bundle(product.name, FIRST_MODEL, Path(folder))
    columns = {one.name: normalise(one, table.column(one.name).to_numpy()) for one in bundle.features.spec.inputs}
    return score_bundle(bundle, columns)


def _differ(found: Answers, file: str, given: Floats, own: Floats) -> int:
    """Count the answers of the first model that are not its bundle's scores."""
    first = [row for row in range(len(own)) if found.model_of[Place(file, row)] == FIRST_MODEL]
    return int((given[first].astype(np.float32) != own[first].astype(np.float32)).sum())


def _times(bucket: str, product: str) -> dict[str, datetime]:
    """Return when each request was answered, from the lines of the prediction log."""
    found = {}
    for page in s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"predictions/{product}/"):
        for item in page.get("Contents", []):
            body = s3().get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            for line in gzip.decompress(body).splitlines():
                told = json.loads(line)
                found[told["request_id"]] = datetime.fromisoformat(told["at"])
    return found
