"""Labels joined to the predictions they are about: what a matured window came to, kept once it is final.

Scores come from the rows that were kept of the log, so the log itself is not read again. What the numbers mean is
`lifecycle/performance.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lifecycle.bundle import Bundle
from lifecycle.errors import ServiceError
from lifecycle.estimate import Past
from lifecycle.examination import Labelled
from lifecycle.label_book import Book, match
from lifecycle.log_part import HOUR, LogPart, hours_between, rows_key
from lifecycle.maturity import Stretch, newest_due, stretch_of
from lifecycle.metrics import Floats
from lifecycle.performance import Outcomes, Realised
from lifecycle.spec import Product
from tasks import objects, prediction_rows
from tasks.prediction_rows import Rows, rows_in, together
from tasks.predictions import LATE

_MANY = 10_000


class Final(BaseModel):
    """A matured window's performance, and what was estimated of it before; written once."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model_version: str
    bundle: str
    realised: Realised
    estimated: float | None

    @property
    def key(self) -> str:
        """Return the key of its entry in the ledger."""
        return f"measure/{self.bundle[:12]}/{self.realised.since.isoformat()}"


def join(bucket: str, product: str, bundle: Bundle, stretch: Stretch, book: Book, now: datetime) -> Labelled:
    """Return the predictions one bundle made in a stretch of time, with the labels that came."""
    rows = predictions_of(bucket, product, bundle.digest, stretch, now)
    found = match(book, rows.keys)
    scores, labels = _numbers(bundle, rows.scores[found.predictions], book.current.labels[found.labels])
    delays = (book.first_received[found.labels] - rows.at[found.predictions]) / np.timedelta64(1, "s")
    outcomes = Outcomes(stretch.since, stretch.until, len(rows), labels, scores)
    return Labelled(outcomes, np.asarray(delays, dtype=np.float64))


def newest_due_of(
    bucket: str, product: Product, bundle: str, parts: Iterable[LogPart], now: datetime
) -> Stretch | None:
    """Return the newest stretch whose labels are due and in which a bundle answered; None: there is none.

    `parts` come newest first. An hour without traffic says nothing about a model, so it is not what is looked at.
    """
    policy, last = product.monitor, None
    newest = newest_due(policy, now)
    if newest is None:
        return None
    for part in parts:
        if last is not None and part.hour < last - HOUR:
            break
        if not any(one.sketch.bundle == bundle and one.sketch.rows for one in part.sketches):
            continue
        rows = rows_in(bucket, rows_key(product.name, part.hour), bundle, now - policy.reach, newest.until)
        if rows is not None:
            found = rows.at.max().astype(datetime).replace(tzinfo=UTC)
            last = found if last is None else max(last, found)
    return None if last is None else stretch_of(policy, last)


def predictions_of(bucket: str, product: str, bundle: str, stretch: Stretch, now: datetime) -> Rows:
    """Return what a bundle answered in a stretch of time, delivered up to a day later."""
    last = min(now, stretch.until + LATE)
    keys = (rows_key(product, hour) for hour in hours_between(stretch.since, last))
    found = [rows_in(bucket, key, bundle, stretch.since, stretch.until) for key in keys]
    return together([one for one in found if one is not None])


def parked(bucket: str, product: str, book: Book, reach: timedelta, now: datetime) -> int:
    """Return how many labels are about no prediction within reach. They stay in the book, and may find theirs yet."""
    left = book.current.keys
    for hour in hours_between(now - reach, now):
        if not len(left):
            break
        left = np.setdiff1d(left, prediction_rows.keys_in(bucket, rows_key(product, hour)))
    return len(left)


def keep(bucket: str, product: str, final: Final) -> bool:
    """Write a final performance down; say whether it is new. A window is told once, whatever is corrected later."""
    key = _key(product, final.bundle, final.realised.since)
    if objects.read(bucket, key) is not None:
        return False
    return objects.create(bucket, key, final.model_dump_json().encode()) is not None


def finals(bucket: str, product: str, bundle: str) -> tuple[Final, ...]:
    """Return the final performances of one bundle, the oldest first."""
    found = []
    for key in objects.keys(bucket, _prefix(product, bundle), limit=_MANY):
        stored = objects.read(bucket, key)
        if stored is None:
            raise ServiceError(
                f"s3://{bucket}/{key} is gone.", resolution="The bucket keeps every version: restore it."
            )
        found.append(Final.model_validate_json(stored.body))
    return tuple(found)


def past(found: tuple[Final, ...]) -> tuple[Past, ...]:
    """Return how earlier estimates compare with what came of them."""
    return tuple(
        Past(one.estimated, one.realised.value)
        for one in found
        if one.estimated is not None and one.realised.value is not None
    )


def _numbers(bundle: Bundle, scores: Floats, labels: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return scores and labels as metrics take them: classes as codes, those a model does not know without a chance."""
    if labels.dtype.kind != "O":
        return scores, np.asarray(labels, dtype=np.float64)
    classes = list(bundle.contract.task.classes)
    strange = sorted({str(one) for one in labels.tolist()} - set(classes))
    code = {name: float(at) for at, name in enumerate([*classes, *strange])}
    padded = np.concatenate([scores.reshape(len(labels), -1), np.zeros((len(labels), len(strange)))], axis=1)
    return padded, np.array([code[str(one)] for one in labels.tolist()], dtype=np.float64)


def _prefix(product: str, bundle: str) -> str:
    return f"metrics/{product}/performance/{bundle[:12]}/"


def _key(product: str, bundle: str, since: datetime) -> str:
    return f"{_prefix(product, bundle)}{since:%Y-%m-%dT%H-%M-%SZ}.json"
