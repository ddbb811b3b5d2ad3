"""The training profile as it is read: `reference.json` of a bundle, the yardstick of everything monitored.

Writing it is `lifecycle/reference.py`. A profile of an earlier format is refused: there is nothing to guess.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lifecycle.errors import BundleError

_CLOSED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
Count = Annotated[int, Field(ge=0)]


class Numbers(BaseModel):
    """Counts between the edges of quantiles: bin i holds values above edge i - 1, up to and with edge i."""

    model_config = _CLOSED

    edges: tuple[float, ...]
    counts: tuple[Count, ...]
    missing: Count

    @model_validator(mode="after")
    def _one_more_bin_than_edges(self) -> Self:
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError(f"{len(self.counts)} bins between {len(self.edges)} edges")
        return self

    @property
    def present(self) -> int:
        """Return how many values there were."""
        return sum(self.counts)

    @property
    def rows(self) -> int:
        """Return how many rows there were."""
        return self.present + self.missing


class Levels(BaseModel):
    """Counts of the most frequent levels; `other`: of all the rest together."""

    model_config = _CLOSED

    levels: dict[str, Count]
    other: Count
    missing: Count

    @property
    def present(self) -> int:
        """Return how many values there were."""
        return sum(self.levels.values()) + self.other

    @property
    def rows(self) -> int:
        """Return how many rows there were."""
        return self.present + self.missing


class Holdout(BaseModel):
    """The rows that judged the model: their number, mean label, and per bin of the scores the sum of the labels."""

    model_config = _CLOSED

    rows: Count
    base: float | None
    calibration_error: float | None
    labels: tuple[float, ...]


class Reference(BaseModel):
    """What the inputs, the features and the scores looked like when the model was trained.

    `importance`: share of the total gain per feature; what is not named is not used by the model. `metrics`: of the
    holdout, None where it could not be computed.
    """

    model_config = _CLOSED

    format: Literal[2]
    rows: Count
    numbers: dict[str, Numbers]
    categories: dict[str, Levels]
    importance: dict[str, float]
    scores: Numbers
    holdout: Holdout
    metrics: dict[str, float | None]

    @model_validator(mode="after")
    def _labels_by_score(self) -> Self:
        if len(self.holdout.labels) != len(self.scores.counts):
            raise ValueError(f"labels of {len(self.holdout.labels)} bins of {len(self.scores.counts)}")
        return self

    def uses(self, name: str) -> float:
        """Return a column's share in the model, 0 when it is not used."""
        return self.importance.get(name, 0.0)


def read(text: str) -> Reference:
    """Read reference.json. Raises BundleError with what is wrong, when it is of another format too."""
    try:
        return Reference.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "reference.json"
        raise BundleError(
            "reference.json is not a training profile that can be compared with.",
            detail=f"{place}: {first['msg']} ({error.error_count()} faults).",
            resolution="Train again: the next bundle carries one.",
        ) from None
