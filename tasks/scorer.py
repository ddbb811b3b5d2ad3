"""One bundle in memory, scoring rows as the endpoint does: the same contract, the same features, the same numbers.

For many rows at once, and again for one that was answered long ago. XGBoost's Python package computes here what its C
library computes behind the endpoint, bit for bit. It reads and writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.bundle import Bundle
from lifecycle.columns import Columns
from lifecycle.encoding import InfiniteFeatureError
from lifecycle.features import Matrix
from lifecycle.refusal import ContractError, missing_columns
from lifecycle.scoring import Refusal

if TYPE_CHECKING:
    from types import ModuleType

    from xgboost import Booster

Given = Mapping[str, Sequence[object]]
Scores = NDArray[np.float32]
# The endpoint's word for a model that answers with something that is no number.
_NO_NUMBER = ("score_not_finite", "The model answered with something that is no number.")


@dataclass(frozen=True)
class Scored:
    """Scores (n,) or (n, classes), NaN in the rows that were refused, and why those were."""

    scores: Scores
    refusals: tuple[Refusal, ...] = ()
    unseen: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """One prediction taken apart on the margin: base and contributions sum to it. One per class where there are."""

    base: float
    contributions: Mapping[str, float]


class Scorer:
    """Scores rows with one bundle, on one thread."""

    def __init__(self, bundle: Bundle) -> None:
        """Keep the bundle; its model is opened at the first rows."""
        self.bundle = bundle

    @property
    def most(self) -> int:
        """Return how many rows one call may bring: as many as one request to the endpoint."""
        return self.bundle.contract.max_rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns a row may bring; those it must are `require`d."""
        return tuple(column.name for column in self.bundle.contract.columns)

    def require(self, given: Sequence[str]) -> None:
        """Raise ContractError, with the misspelling that was probably meant, unless every required column is given."""
        contract = self.bundle.contract
        if absent := [column.name for column in contract.columns if column.required and column.name not in given]:
            raise missing_columns(absent, given, self.columns)

    def predict(self, given: Given) -> Scores:
        """Return the scores of rows as one request brings them. Raises ContractError as the endpoint refuses them."""
        return self._scored(given, 0).scores

    def score(self, given: Given, start: int = 0) -> Scored:
        """Return the scores of every row that keeps the contract; what breaks it is refused alone.

        The contract is the one judge: rows are halved until those it refuses are found. `start` is the number of the
        first row.
        """
        rows = max(map(len, given.values()), default=0)
        try:
            return self._scored(given, start)
        except ContractError as error:
            if rows <= 1:
                return Scored(self._nothing(rows), (Refusal(start, error.code, _alone(str(error))),))
        middle = rows // 2
        halves = (
            self.score({name: values[:middle] for name, values in given.items()}, start),
            self.score({name: values[middle:] for name, values in given.items()}, start + middle),
        )
        counts = [half.unseen for half in halves]
        unseen = {name: sum(count.get(name, 0) for count in counts) for name in {*counts[0], *counts[1]}}
        scores = np.concatenate([half.scores for half in halves])
        return Scored(scores, (*halves[0].refusals, *halves[1].refusals), unseen)

    def explain(self, given: Given) -> tuple[Mapping[str, Explanation], ...]:
        """Return, per row, the explanation by class; the class is "" where there is one score. Raises ContractError."""
        matrix, _ = self._matrix(self.bundle.contract.check(given, explain=True).columns)
        parts = self._booster.predict(
            self._xgboost.DMatrix(matrix, nthread=1), pred_contribs=True, validate_features=False
        )
        classes = self.bundle.contract.task.classes if self.bundle.contract.task.kind == "multiclass" else ("",)
        shaped = np.asarray(parts, dtype=np.float32).reshape(len(matrix), len(classes), -1)
        return tuple(dict(zip(classes, map(self._explanation, row), strict=True)) for row in shaped)

    def _scored(self, given: Given, start: int) -> Scored:
        checked = self.bundle.contract.check(given)
        matrix, unseen = self._matrix(checked.columns)
        scores: Scores = np.array(self._booster.inplace_predict(matrix, validate_features=False), dtype=np.float32)
        strange = np.flatnonzero(~np.isfinite(scores).reshape(len(scores), -1).all(axis=1))
        scores[strange] = np.nan
        refusals = tuple(Refusal(start + row, *_NO_NUMBER) for row in strange.tolist())
        return Scored(scores, refusals, {**unseen, **checked.unseen})

    def _matrix(self, columns: Columns) -> tuple[Matrix, Mapping[str, int]]:
        try:
            made = self.bundle.features.transform_counted(columns)
        except InfiniteFeatureError as error:
            raise ContractError("not_finite", str(error)) from None
        return made.matrix, made.unseen

    def _explanation(self, part: Any) -> Explanation:  # noqa: ANN401  a row of numbers
        values = part.tolist()
        names = self.bundle.features.feature_names
        return Explanation(values[-1], dict(zip(names, values[:-1], strict=True)))

    def _nothing(self, rows: int) -> Scores:
        task = self.bundle.contract.task
        shape = (rows, len(task.classes)) if task.kind == "multiclass" else (rows,)
        return np.full(shape, np.nan, dtype=np.float32)

    @cached_property
    def _booster(self) -> Booster:
        booster = self._xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(self.bundle.model))
        return booster

    @cached_property
    def _xgboost(self) -> ModuleType:
        """Import XGBoost, which takes two seconds. A waiting thread of OpenMP spins unless it is told not to."""
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import xgboost  # noqa: PLC0415

        return xgboost  # type: ignore[no-any-return]


def runs(rows: int, most: int) -> Iterator[slice]:
    """Yield the rows in runs of at most so many."""
    return (slice(start, min(start + most, rows)) for start in range(0, rows, most))


def _alone(sentence: str) -> str:
    """Take out the place of a row that was checked alone: there it is always the first."""
    return sentence.replace(", row 0:", ":")
