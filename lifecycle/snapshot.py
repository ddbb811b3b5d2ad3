"""A snapshot: exactly which validated batches a training sees, and the digest that names them.

A list of values; reading bytes is `tasks/snapshot.py`. Rows that a later batch delivers again are settled
there too, by the product's grain.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class BatchRef:
    """One validated batch: its landing key, where its data.parquet is, and the suite that judged it.

    `sha256` and `object_version`: of data.parquet. `landed_at`: ISO 8601 in UTC.
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


@dataclass(frozen=True)
class Snapshot:
    """The batches of a product that count, sorted by id; `superseded` were replaced under the same key."""

    product: str
    batches: tuple[BatchRef, ...]
    superseded: tuple[str, ...] = ()

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
    """Keep the newest batch of every landing key. The order of `batches` does not matter."""
    newest: dict[str, BatchRef] = {}
    superseded: list[str] = []
    for batch in sorted(batches, key=lambda batch: (batch.landed_at, batch.batch_id)):
        if (older := newest.get(batch.key)) is not None:
            superseded.append(older.batch_id)
        newest[batch.key] = batch
    kept = sorted(newest.values(), key=lambda batch: batch.batch_id)
    return Snapshot(product, tuple(kept), tuple(sorted(superseded)))
