"""The doors a play-back goes through: what callers ask, what labels are told, what producers land. All is live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli import follow, landing

if TYPE_CHECKING:
    from cli.context import Here
    from cli.endpoint import Predicted
    from cli.follow import Sight
    from lifecycle.spec import Product


class Doors(Protocol):
    """Where a play-back asks, tells and lands."""

    def ask(self, rows: Sequence[Mapping[str, object]]) -> Predicted:
        """Ask for predictions of some rows. Raises UsageError when they are refused."""

    def tell(self, name: str, told: Sequence[tuple[str, object]]) -> None:
        """Tell labels: prediction ids with the target's values. The same ones again change nothing."""

    def land(self, paths: Sequence[Path], show: Callable[[Sight], None]) -> Sequence[Sight]:
        """Land files and follow them to their ends. The same ones again are duplicates."""


@dataclass(frozen=True)
class Live:
    """The doors of a product that is deployed. `patience`: seconds that what landed is followed at most."""

    here: Here
    product: Product
    patience: float

    def ask(self, rows: Sequence[Mapping[str, object]]) -> Predicted:
        """Ask the endpoint."""
        from cli import endpoint
        from cli.callers import inputs, request

        return endpoint.predict(self.here.settings, self.product.name, request(inputs(self.product), rows))

    def tell(self, name: str, told: Sequence[tuple[str, object]]) -> None:
        """Put a file of labels into the bucket."""
        import io

        import pyarrow as pa
        from pyarrow import parquet

        from lifecycle.keys import labels_prefix
        from lifecycle.label_rows import ID
        from tasks.clients import s3

        ids, labels = zip(*told, strict=True)
        out = io.BytesIO()
        parquet.write_table(pa.table({ID: ids, self.product.target.column: labels}), out)
        key = f"{labels_prefix(self.product.name)}{name}.parquet"
        s3().put_object(Bucket=self.here.bucket, Key=key, Body=out.getvalue())

    def land(self, paths: Sequence[Path], show: Callable[[Sight], None]) -> Sequence[Sight]:
        """Put the files into the landing zone, and wait for what the events make of them."""
        follower = follow.start(self.here, self.product.name)
        landed = [landing.put(self.here, one) for one in landing.plan(self.product.name, paths, None)]
        return follower.follow(landed, timeout=self.patience, show=show)
