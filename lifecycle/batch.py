"""What a batch is: its identity, its limits, what is said about it and what is kept with it.

A batch is one immutable delivery, identified by the sha256 of its bytes. This module reads and writes
nothing; where things belong is `lifecycle.keys`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lifecycle.durations import Duration
from lifecycle.keys import Zone, batch_prefix, delivery_key, is_marker, landing_prefix, product_of
from lifecycle.schema_change import SchemaChange

__all__ = [
    "BatchManifest",
    "ColumnSchema",
    "EventTimes",
    "Limits",
    "Line",
    "QuarantineRecord",
    "Reason",
    "RowCounts",
    "StoredFile",
    "StoredPart",
    "SuiteUsed",
    "Zone",
    "batch_prefix",
    "delivery_key",
    "is_marker",
    "landing_prefix",
    "product_of",
]

Line = int | str
"""Where a row stands: its line in the file, or `part:line` in one of several."""

SHOWN = 12  # characters of a batch id that people are shown; 48 bits tell millions of batches apart


class Limits(BaseModel):
    """What a delivery may hold at most; checked before anything is decoded where the format allows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: Annotated[int, Field(gt=0)] = 1_000_000_000
    max_rows: Annotated[int, Field(gt=0)] = 5_000_000
    max_columns: Annotated[int, Field(gt=0)] = 1_000
    max_cells: Annotated[int, Field(gt=0)] = 200_000_000
    max_field_characters: Annotated[int, Field(gt=0)] = 10_000
    max_expansion: Annotated[float, Field(gt=1, description="Decompressed bytes per compressed byte.")] = 200.0
    max_quarantined_share: Annotated[
        float, Field(ge=0, le=1, description="Above this share of bad rows the whole batch is quarantined.")
    ] = 0.05
    max_parts: Annotated[int, Field(gt=0, description="Files of one delivery, below `<name>.parts/`.")] = 1_000
    max_wait: Annotated[
        Duration, Field(gt=timedelta(0), description="How long a delivery of several files may be incomplete.")
    ] = timedelta(hours=6)


@dataclass(frozen=True)
class Reason:
    """Why something was refused: one rule, what was found, what was expected, how many rows.

    `code` is one of `lifecycle.codes.Code`. `found` may hold a count, a name, a place or an extreme of a
    number column; never the text of a row.
    """

    code: str
    column: str | None
    found: str
    expected: str
    rows: int | None = None

    def __str__(self) -> str:
        """Say it in one sentence."""
        where = f" {self.column}" if self.column else ""
        rows = "" if self.rows is None else f" ({self.rows:,} {'row' if self.rows == 1 else 'rows'})"
        return f"{self.code}{where}: found {self.found}, expected {self.expected}{rows}."


@dataclass(frozen=True)
class RowCounts:
    """Where the rows of a delivery went; `received == validated + quarantined + duplicates` always.

    `duplicates` are the rows of a delivery whose bytes had come before.
    """

    received: int
    validated: int
    quarantined: int
    duplicates: int = 0

    def __post_init__(self) -> None:
        """Refuse counts that do not add up: a row is in exactly one place."""
        parts = (self.validated, self.quarantined, self.duplicates)
        if self.received != sum(parts) or min(parts) < 0:
            raise ValueError(f"{self.received} rows received, {' + '.join(map(str, parts))} accounted for")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnSchema(_Record):
    """One column of a published batch: its name and its declared type."""

    name: str
    type: str


class EventTimes(_Record):
    """The first and the last value of the product's time column, ISO 8601 in UTC; None when all are missing."""

    column: str
    first: str | None
    last: str | None


class StoredFile(_Record):
    """One object of a batch: its key, the sha256 hex and size of its bytes, and its version in the bucket."""

    key: str
    sha256: str
    size: int
    object_version: str | None = None


class StoredPart(StoredFile):
    """One file of a delivery that has several: as a `StoredFile`, and the name its manifest calls it by."""

    name: str


class SuiteUsed(_Record):
    """The suite a batch was judged by: its name and the sha256 hex of its file."""

    name: str
    sha256: str


class BatchManifest(_Record):
    """The commit point of a validated batch: what is in it, where it came from, what was held back and why.

    `data` is read by its object version, so a later writer of the same key changes nothing. `reasons` are
    those of the quarantined rows, `notes` are remarks that held nothing back. `period`: the one its name tells;
    `labelled`: the target column came with it; `change`: which columns were left out since nobody declared them.
    `parts`: the object versions its rows came in, in their order, when they came in several files.
    """

    format: Literal[1] = 1
    product: str
    batch_id: str
    delivery_id: str
    key: str
    object_version: str | None
    etag: str
    landed_at: AwareDatetime
    flow_run: str
    rows: RowCounts
    columns: tuple[ColumnSchema, ...]
    event_times: EventTimes | None = None
    period: str | None = None
    labelled: bool = True
    suite: SuiteUsed
    data: StoredFile
    quarantined_rows: StoredFile | None = None
    parts: tuple[StoredPart, ...] = ()
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    change: SchemaChange | None = None


class QuarantineRecord(_Record):
    """`reasons.json` of a quarantined batch, or of the quarantined rows of a validated one.

    `lines` maps a code to the first lines it was found on: line numbers of a CSV, row numbers of a Parquet file,
    both from 1, and `part:line` where several files were delivered together; then `parts` names each file, and `stored`
    their folder. `change`: how its columns differ from the product's, which a person may apply.
    """

    format: Literal[1] = 1
    scope: Literal["batch", "rows"]
    product: str
    batch_id: str
    delivery_id: str
    key: str
    object_version: str | None
    landed_at: AwareDatetime
    rows: RowCounts
    stored: StoredFile
    parts: tuple[StoredPart, ...] = ()
    reasons: tuple[Reason, ...]
    lines: dict[str, tuple[Line, ...]] = {}
    change: SchemaChange | None = None


def without_values(reasons: Iterable[Reason], sensitive: frozenset[str]) -> tuple[Reason, ...]:
    """Return reasons that tell no value of a sensitive column: a rule's bounds and levels were values once as well."""
    return tuple(
        Reason(one.code, one.column, "values of a sensitive column", "what the suite says", one.rows)
        if one.column and sensitive & {one.column, *one.column.split(", ")}
        else one
        for one in reasons
    )


def shown(batch_id: str) -> str:
    """Shorten a batch id for people."""
    return batch_id[:SHOWN]


def codes(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """Return the codes of some reasons, each once, in their order."""
    return tuple(dict.fromkeys(reason.code for reason in reasons))
