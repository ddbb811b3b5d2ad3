"""Make the bundle of a fitted model: what serving, batch scoring and monitoring need, in one folder.

The layout and its checksums are `lifecycle/bundle.py`; where a bundle is kept is `tasks/registry.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lifecycle import bundle
from lifecycle.bundle import Draft
from lifecycle.columns import Array
from lifecycle.contract import Contract, Task
from lifecycle.features import FittedFeatures
from lifecycle.manifest import Lineage, Manifest
from lifecycle.metrics import TaskKind
from lifecycle.reference import OnHoldout, profile
from lifecycle.training import Rows, TrainingPolicy
from lifecycle.watched import Watched, watched, watched_labels, watched_scores
from tasks.evaluation import Judged
from tasks.training import Fitted, gains


def contract_of(product: str, task: TaskKind, features: FittedFeatures, classes: tuple[str, ...]) -> Contract:
    """Return what a request must bring and what it gets. `categories` are those of raw columns only.

    A count is answered as the expected number, so it is a regression to whoever asks.
    """
    names = {column.name for column in features.spec.inputs}
    return Contract(
        product=product,
        task=Task("regression" if task == "counts" else task, classes),
        columns=features.spec.inputs,
        categories={name: levels for name, levels in features.levels.items() if name in names},
    )


def write_bundle(
    folder: Path, contract: Contract, features: FittedFeatures, fitted: Fitted, reference: str, lineage: Lineage
) -> Manifest:
    """Write the bundle into an empty folder. The same model makes the same digest."""
    return bundle.write(
        folder,
        Draft(
            model=fitted.model,
            features=features,
            contract=contract,
            reference=reference,
            lineage=lineage,
            versions=library_versions(),
            parameters={"candidate": fitted.name, "rounds": fitted.rounds},
        ),
    )


def reference_of(
    features: FittedFeatures,
    columns: Mapping[str, Array],
    train: Rows,
    judged: Judged,
    fitted: Fitted,
    *,
    hidden: frozenset[str] = frozenset(),
) -> str:
    """Return reference.json: the training rows, the scores on the holdout, and what the model uses of them.

    Of `hidden` columns nothing is told: their quantiles are values.
    """
    inputs = {one.name: columns[one.name][train] for one in features.spec.inputs}
    scores, labels = watched_scores(judged.scores), watched_labels(judged.scores, judged.labels)
    tested = OnHoldout(scores, labels, judged.plain)
    seen = watched(features, inputs)
    shown = Watched(_without(seen.numbers, hidden), _without(seen.categories, hidden))
    return profile(shown, tested, gains(fitted.model), rows=seen.rows)


def _without(columns: Mapping[str, Array], hidden: frozenset[str]) -> dict[str, Array]:
    return {name: values for name, values in columns.items() if name not in hidden}


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide a model's bytes."""
    import numpy as np  # noqa: PLC0415
    import xgboost  # noqa: PLC0415  # heavy

    return {"numpy": np.__version__, "xgboost": xgboost.__version__}


def training_parameters(policy: TrainingPolicy) -> dict[str, str | int | float | bool]:
    """Return the policy as flat parameters, without what is not set."""
    return {name: value for name, value in policy.model_dump().items() if value is not None}
