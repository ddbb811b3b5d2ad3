"""What scoring a batch of rows leaves behind: one row of scores per row, and a manifest that counts them. Pure.

    scores/<product>/<model version>/<batch id>.parquet + <batch id>.json

The manifest, written once, is the commit point. A batch id is the sha256 of the delivered bytes, of a batch as of any
other file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from lifecycle.batch import StoredFile

_CLOSED = ConfigDict(frozen=True, extra="forbid")
Whole = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Refusal:
    """Why one row has no score. `row` counts from 0; `code` is the endpoint's or the reader's own."""

    row: int
    code: str
    sentence: str


class RefusedRows(BaseModel):
    """How many rows have no score for one reason, and the first of them, counted from 0."""

    model_config = _CLOSED

    code: str
    rows: Annotated[int, Field(ge=1)]
    first: Whole
    sentence: Annotated[str, Field(description="Of the first.")]


class ScoreCounts(BaseModel):
    """Where the rows went: `received` are those scored and those refused, always."""

    model_config = _CLOSED

    received: Whole
    scored: Whole
    refused: Whole

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if self.received != self.scored + self.refused:
            raise ValueError(f"{self.received} rows received, {self.scored} + {self.refused} accounted for")
        return self


class ScoresManifest(BaseModel):
    """The scores of one batch by one model, and exactly what both were."""

    model_config = _CLOSED

    format: Literal[1] = 1
    product: str
    batch_id: str
    source: Annotated[str, Field(description="The key, or the name, of what was scored.")]
    object_version: str | None
    model_version: str
    bundle: str
    function_version: str
    scored_at: AwareDatetime
    rows: ScoreCounts
    unseen: Annotated[dict[str, int], Field(description="Values of a category that training never saw.")] = {}
    refused: tuple[RefusedRows, ...] = ()
    data: StoredFile

    @model_validator(mode="after")
    def _refusals_add_up(self) -> Self:
        listed = sum(one.rows for one in self.refused)
        if listed != self.rows.refused:
            raise ValueError(f"{self.rows.refused} rows refused, {listed} of them with a reason")
        return self


def scores_key(product: str, model_version: str, batch_id: str, extension: Literal["parquet", "json"]) -> str:
    """Return the object key of a batch's scores by one model, or of their manifest."""
    return f"scores/{product}/{model_version}/{batch_id}.{extension}"


class RefusalCounts:
    """Counts refused rows by their code, in memory that does not grow with them."""

    def __init__(self) -> None:
        """Know of none."""
        self._known: dict[str, RefusedRows] = {}

    def add(self, refusal: Refusal) -> None:
        """Count one row."""
        known = self._known.get(refusal.code)
        first, sentence = refusal.row, refusal.sentence
        if known is not None and known.first < first:
            first, sentence = known.first, known.sentence
        rows = known.rows + 1 if known else 1
        self._known[refusal.code] = RefusedRows(code=refusal.code, rows=rows, first=first, sentence=sentence)

    @property
    def total(self) -> int:
        """Return how many rows were refused."""
        return sum(one.rows for one in self._known.values())

    def listed(self) -> tuple[RefusedRows, ...]:
        """Return the counts by code."""
        return tuple(self._known[code] for code in sorted(self._known))
