"""The models that are tried before one of them is judged: those fitted anew, and earlier champions once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lifecycle import training
from lifecycle.columns import Array
from lifecycle.spec import Product
from lifecycle.training import Split
from tasks.archive import Asked, open_earlier, score_earlier
from tasks.bundles import contract_of
from tasks.claim import renew_turn
from tasks.registry import Registered
from tasks.step import Step
from tasks.training import Data, Fitted, fit_candidate


@dataclass(frozen=True)
class Trial:
    """What candidates are made from, and who tries them. `columns` are the raw ones of every row."""

    bucket: str
    product: Product
    columns: Mapping[str, Array]
    data: Data
    split: Split
    flow_run: str


def fitted_anew(trial: Trial, step: Step) -> Iterator[Fitted]:
    """Fit a model on all history, and one on the recent window where the product names one."""
    product, split = trial.product, trial.split
    times = trial.columns[product.time] if product.time else None
    for candidate in training.candidates(product.training, times, split):
        yield step(f"fit {candidate.name}", fit_candidate, product, trial.data, candidate, split.stopping)
        renew_turn(trial.bucket, product.name, trial.flow_run)


def once_more(trial: Trial, champion: Registered | None, step: Step) -> Iterator[Fitted]:
    """Score earlier champions that trained on none of the rows that choose, where the product has a time column."""
    product, data, stopping = trial.product, trial.data, trial.split.stopping
    if product.time is None:
        return
    chooses = trial.columns[product.time][stopping].min()
    task = contract_of(product.name, product.task, data.features, data.model_classes).task
    asked = Asked(data.features.spec, task)
    for earlier in step("open earlier champions", open_earlier, trial.bucket, product, asked, champion, chooses):
        name = f"score model {earlier.version}"
        scored = step(name, score_earlier, product, trial.columns, data, earlier, stopping)
        if scored is not None:
            yield scored
    renew_turn(trial.bucket, product.name, trial.flow_run)
