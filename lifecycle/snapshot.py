"""A snapshot: exactly which validated batches a training sees, and the digest that names them.

A list of values; reading bytes is `tasks/snapshot.py`. Rows that a later batch delivers again are settled
there too, by the product's grain.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from lifecycle.succession import Placed, replaced


@dataclass(frozen=True)
class BatchRef:
    """One validated batch: its landing key, where its data.parquet is, and the suite that judged it.

    `sha256` and `object_version`: of data.parquet. `landed_at`, `first` and `last` (event times): ISO 8601 in UTC.
    `period`: the one its name tells; not `labelled`: the target column has not come yet.
    """

    batch_id: str
    sha256: str
    rows: int
    key: str
    landed_at: str
    data_key: str
    object_version: str | None
    suite: str
    suite_sha256: str
    period: str | None = None
    first: str | None = None
    last: str | None = None
    labelled: bool = True

    @property
    def placed(self) -> Placed:
        """Return what decides about its place among the others."""
        return Placed(self.batch_id, self.key, self.landed_at, self.rows, self.period, self.first, self.last)


@dataclass(frozen=True)
class Snapshot:
    """The batches of a product that count, sorted by id.

    `superseded` were replaced by others, under the same key or as the same period; `waiting` have no labels yet.
    """

    product: str
    batches: tuple[BatchRef, ...]
    superseded: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return the sha256 hex over ids and contents: the same data is the same digest, in whatever order it came."""
        listed = [(batch.batch_id, batch.sha256) for batch in self.batches]
        return sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()

    @property
    def rows(self) -> int:
        """Return how many rows the manifests promise."""
        return sum(batch.rows for batch in self.batches)

    @property
    def batch_ids(self) -> tuple[str, ...]:
        """Return the ids, sorted."""
        return tuple(batch.batch_id for batch in self.batches)

    @property
    def suites(self) -> dict[str, str]:
        """Return the suites the batches were judged by with their sha256, of each the one used last."""
        return {batch.suite: batch.suite_sha256 for batch in reversed(self.by_age)}

    @property
    def by_age(self) -> tuple[BatchRef, ...]:
        """Return the batches, newest delivery first."""
        return tuple(sorted(self.batches, key=lambda batch: (batch.landed_at, batch.batch_id), reverse=True))


def take(product: str, batches: Iterable[BatchRef]) -> Snapshot:
    """Keep the labelled batches that no newer one replaces. The order of `batches` does not matter.

    A batch without labels teaches nothing, so it replaces nothing either.
    """
    known = list(batches)
    labelled = [batch for batch in known if batch.labelled]
    gone = replaced(batch.placed for batch in labelled)
    kept = sorted((batch for batch in labelled if batch.batch_id not in gone), key=lambda batch: batch.batch_id)
    waiting = sorted(batch.batch_id for batch in known if not batch.labelled)
    return Snapshot(product, tuple(kept), tuple(sorted(gone)), tuple(waiting))
