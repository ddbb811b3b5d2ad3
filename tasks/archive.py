"""Earlier champions as candidates: open their bundles, and score them on the rows that choose.

Which ones may be tried is `lifecycle/archive.py`. Nothing is stored: one that is chosen is registered by the training
that chose it, under a number of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lifecycle import archive
from lifecycle.challenge import Challenge
from lifecycle.columns import Array
from lifecycle.contract import Task
from lifecycle.errors import ProductError, TropismError
from lifecycle.feature_spec import FeatureSpec
from lifecycle.labels import aligned
from lifecycle.metrics import value
from lifecycle.spec import Product
from lifecycle.training import Rows
from tasks import ledger, registry
from tasks.evaluation import score_bundle
from tasks.registry import Registered
from tasks.step import note
from tasks.training import Data, Fitted


@dataclass(frozen=True)
class Asked:
    """What a new model would read and answer."""

    features: FeatureSpec
    task: Task


def open_earlier(
    bucket: str, product: Product, asked: Asked, champion: Registered | None, chooses: np.datetime64
) -> tuple[Registered, ...]:
    """Return the earlier champions to try, the oldest first; none unless the ledger knows of any.

    One whose bundle cannot be had, or whose requests and answers are others than `asked`, is left out with a note: a
    new model can be made without it. `chooses`: the instant of the first row that chooses.
    """
    policy, entries = product.training, ledger.entries(bucket, product.name)
    serving = champion.version if champion else None
    if policy.archived == 0 or not any(entry.action == "promote" and entry.to != serving for entry in entries):
        return ()
    made = {one.version: one for one in registry.versions(product.name)}
    decided = {version: Challenge.model_validate_json(one.decision) for version, one in made.items() if one.decision}
    found = archive.eligible(entries, decided, serving, chooses)
    opened = _opened(product.name, archive.spread(found, policy.archived))
    return tuple(one for one in opened if _is_alike(one, asked))


def score_earlier(
    product: Product, columns: Mapping[str, Array], data: Data, earlier: Registered, stopping: Rows
) -> Fitted | None:
    """Score an earlier champion on the rows that choose, by its own features; None, with a note, when it cannot.

    `columns` are the raw ones of every row.
    """
    bundle, held = earlier.bundle, {name: values[stopping] for name, values in columns.items()}
    try:
        scores = aligned(score_bundle(bundle, held), bundle.contract.task.classes, data.classes)
    except ProductError as error:
        note("archive.left_out", product=product.name, version=earlier.version, reason=str(error))
        return None
    return Fitted(
        name=f"model {earlier.version}",
        model=bundle.model,
        rounds=int(bundle.manifest.parameters["rounds"]),
        stopping_score=value(product.evaluation.metric, data.labels[stopping], scores, data.weights_of(stopping)),
        rows=bundle.manifest.lineage.rows,
        earlier=earlier,
    )


def _opened(product: str, versions: tuple[str, ...]) -> Iterator[Registered]:
    for version in versions:
        try:
            with tempfile.TemporaryDirectory(prefix="archive-") as folder:
                yield Registered(version, registry.fetch_bundle(product, version, Path(folder)))
        except TropismError as error:
            note("archive.unreadable", product=product, version=version, error=str(error))


def _is_alike(one: Registered, asked: Asked) -> bool:
    """Say whether a model reads and answers what a new one does: a column taken from the features stays away."""
    if one.bundle.features.spec == asked.features and one.bundle.contract.task == asked.task:
        return True
    note("archive.left_out", version=one.version, reason="It has other features, or another task.")
    return False
