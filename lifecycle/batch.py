"""What a batch is: its identity, its zones and the grammar of its keys.

A batch is one immutable delivery, identified by the sha256 of its bytes. This module reads and writes
nothing; it only says where things belong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.keys import Zone, batch_prefix, delivery_key, is_marker, landing_prefix, product_of

__all__ = [
    "Limits",
    "Reason",
    "RowCounts",
    "Zone",
    "batch_prefix",
    "delivery_key",
    "is_marker",
    "landing_prefix",
    "product_of",
]


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


@dataclass(frozen=True)
class Reason:
    """Why something was refused: one rule, what was found, what was expected, how many rows."""

    code: str
    column: str | None
    found: str
    expected: str
    rows: int | None = None


@dataclass(frozen=True)
class RowCounts:
    """Where the rows of a delivery went; `received == validated + quarantined` always."""

    received: int
    validated: int
    quarantined: int
