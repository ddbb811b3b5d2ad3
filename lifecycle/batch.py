"""What a batch is: its identity, its zones and the grammar of its keys.

A batch is one immutable delivery, identified by the sha256 of its bytes. This module reads and writes
nothing; it only says where things belong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Zone = Literal["landing", "validated", "quarantine"]


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


def landing_prefix(product: str) -> str:
    """Return the prefix producers write under."""
    return f"landing/{product}/"


def product_of(key: str) -> str | None:
    """Return the product a landing key belongs to, or None when the key is not in a product's landing zone."""
    zone, _, rest = key.partition("/")
    product, _, name = rest.partition("/")
    return product if zone == "landing" and product and name else None


def is_marker(key: str) -> bool:
    """Say whether a key is a folder marker, a hidden or unfinished file, which is never a delivery."""
    name = key.rpartition("/")[2]
    return not name or name.startswith(("_", ".")) or name.endswith((".tmp", ".crc", ".inprogress"))


def batch_prefix(zone: Zone, product: str, batch_id: str) -> str:
    """Return the folder of a batch in a zone."""
    return f"{zone}/{product}/{batch_id}/"


def delivery_key(product: str, delivery_id: str) -> str:
    """Return the key of the record of one delivery."""
    return f"control/{product}/deliveries/{delivery_id}.json"
