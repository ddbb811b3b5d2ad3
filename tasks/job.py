"""What a training is about, and everything that came of it, before any of it is written down."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.snapshot import Snapshot
from lifecycle.training import Split, train_key
from tasks.evaluation import Judged
from tasks.features import ProductFiles
from tasks.lineage import Code
from tasks.registry import Registered
from tasks.snapshot import Frame
from tasks.training import Data, Fitted


@dataclass(frozen=True)
class Job:
    """What a training is about: the product's files, the snapshot, the code, who trains and why."""

    files: ProductFiles
    snapshot: Snapshot
    code: Code
    flow_run: str
    cause: str

    @property
    def train_key(self) -> str:
        """Return the name of the training: the same data, product and code make the same one."""
        return train_key(
            {
                "product": self.files.product.name,
                "snapshot": self.snapshot.digest,
                "spec": self.files.spec_sha256,
                "hook": self.files.hook_sha256,
                "code": self.code.digest,
                **{f"table {name}": digest for name, digest in self.files.table_digests.items()},
            }
        )


@dataclass(frozen=True)
class Outcome:
    """Everything that came of it: the rows, the fitted candidates, the chosen one, and how it was judged."""

    frame: Frame
    split: Split
    data: Data
    fitted: tuple[Fitted, ...]
    chosen: Fitted
    champion: Registered | None
    judged: Judged
