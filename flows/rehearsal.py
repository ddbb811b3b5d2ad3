"""What ingest and training would make of some files, worked out here and now: no cloud, no Prefect, nothing kept.

The same steps in the same order as `flows/ingest.py` and `flows/train.py`, as for a first model: there is no
champion to beat, so the floors decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

from flows.train import prepare
from lifecycle import training
from lifecycle.batch import Reason, RowCounts
from lifecycle.metrics import Metric
from lifecycle.promotion import Verdict as GateVerdict
from lifecycle.training import Undecidable
from tasks import judging
from tasks.evaluation import find_leaks, judge
from tasks.features import read_product
from tasks.landing import Content
from tasks.snapshot import frame_of
from tasks.step import directly
from tasks.training import choose, fit_candidate


@dataclass(frozen=True)
class Taken:
    """What the gate would say of one file."""

    file: str
    state: Literal["validated", "quarantined"]
    rows: RowCounts
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Rehearsal:
    """What would become of the files, and of the model that would be trained on them. `judged`: rows of the holdout."""

    taken: tuple[Taken, ...]
    verdict: GateVerdict | None = None
    reasons: tuple[Reason, ...] = ()
    metrics: Mapping[Metric, float] = field(default_factory=dict)
    judged: int = 0

    @property
    def would_serve(self) -> bool:
        """Say whether a first model would be let through."""
        return self.verdict == "promote"


def rehearse(root: Path, name: str, paths: Sequence[Path]) -> Rehearsal:
    """Judge the files, train on what would be validated and judge the model. Raises ProductError, TrainingError."""
    files = read_product(root / "products", name)
    product, expectations = files.product, root / "expectations"
    taken, tables = [], []
    for path in paths:
        body = path.read_bytes()
        content = Content(sha256(body).hexdigest(), len(body), body)
        verdict = judging.judge(f"landing/{name}/{path.name}", content, product, expectations)
        state: Literal["validated", "quarantined"] = "quarantined" if verdict.kept is None else "validated"
        taken.append(Taken(path.name, state, verdict.counts, verdict.reasons))
        tables += [] if verdict.kept is None else [verdict.kept]
    if not tables:
        return Rehearsal(tuple(taken))
    frame = frame_of(tables, files.read, product)
    prepared = prepare(expectations, files, frame, directly)
    if isinstance(prepared, Undecidable):
        return Rehearsal(tuple(taken), "undecidable", prepared.reasons)
    data, split = prepared
    times = frame.columns[product.time] if product.time else None
    candidates = training.candidates(product.training, times, split)
    chosen = choose(
        product.evaluation.metric, [fit_candidate(product, data, one, split.stopping) for one in candidates]
    )
    leaks = find_leaks(product, data, split)
    judged = judge(product, frame.columns, data, split, chosen, None, leaks)
    card = judged.challenger
    return Rehearsal(tuple(taken), judged.decision.verdict, judged.decision.reasons, card.metrics, card.rows)
