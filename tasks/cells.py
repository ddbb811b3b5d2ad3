"""The rows of one delivery in the product's columns and types, and what is wrong with single cells.

Where the rows come from is `tasks/csv_files.py` and `tasks/parquet_files.py`; whether their values make sense
is the suite's business, not this module's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.batch import Line, Reason
from lifecycle.codes import Code
from lifecycle.faults import Positions, RowFault
from lifecycle.schema_change import UNCHANGED, SchemaChange
from lifecycle.spec import Column, Product
from tasks.parsing import Mask, Parsed, arrow_type

SAYS = {
    "double": "a number",
    "long": "a whole number",
    "boolean": "true or false",
    "string": "text",
    "datetime": "an ISO 8601 date",
}


@dataclass(frozen=True)
class Rows:
    """What was delivered. `received` rows in all; `table` holds those with a cell for every column.

    `positions` (n,) says which delivered row each row of the table is, `lines` (received,) on which line or
    row number, from 1, each delivered row was. `as_delivered` gives rows back as text. `change`: how the columns of
    the delivery differ from the product's. Of several files `parts` are their names and `part_of` (received,) says
    which of them each delivered row was in.
    """

    received: int
    table: pa.Table
    positions: Positions
    lines: Positions
    faults: tuple[RowFault, ...]
    as_delivered: Callable[[Positions], list[str]] = field(repr=False)
    notes: tuple[Reason, ...] = ()
    change: SchemaChange = UNCHANGED
    parts: tuple[str, ...] = ()
    part_of: Positions | None = None

    def places(self, rows: Positions) -> list[Line]:
        """Return where some delivered rows stand: on which line, and of which part when there are several files."""
        lines = self.lines[rows].tolist()
        if self.part_of is None:
            return list(lines)
        return [f"{self.parts[part]}:{line}" for part, line in zip(self.part_of[rows].tolist(), lines, strict=True)]


@dataclass(frozen=True)
class Refused:
    """A file that holds no rows to go on with, and why. `received` counts its rows as far as they can be counted.

    `change`: how its columns differ from the product's, as far as they could be read.
    """

    reasons: tuple[Reason, ...]
    received: int = 0
    change: SchemaChange = UNCHANGED


class FileRefused(Exception):  # noqa: N818  it is an answer on its way to the caller, not an error
    """Ends the reading of a file. `tasks.reading.read` turns it into a Refused; nothing else sees it."""

    def __init__(self, *reasons: Reason, received: int = 0, change: SchemaChange = UNCHANGED) -> None:
        """Keep why, and how many rows the file had as far as they can be counted."""
        super().__init__(*reasons)
        self.refused = Refused(reasons, received, change)


def refuse_if(reason: Reason | None, received: int = 0) -> None:
    """Raise FileRefused when there is a reason to."""
    if reason is not None:
        raise FileRefused(reason, received=received)


@dataclass(frozen=True)
class Cells:
    """A table in the product's types, with the faults of its cells; faulty cells are null in it."""

    table: pa.Table
    faults: tuple[RowFault, ...]


def check_cells(product: Product, parsed: Mapping[str, Parsed], positions: Positions) -> Cells:
    """Put parsed columns together and say which of their cells are not what the product declares.

    A column that was not parsed has not come yet: it is missing in every row, and that is no fault of the rows.
    """
    faults: list[RowFault] = []
    for column in product.columns:
        if column.name in parsed:
            faults += _faults(column, parsed[column.name], positions, product.limits.max_field_characters)
        if column.name == product.weight and column.name in parsed:
            faults += _below_zero(column, parsed[column.name], positions)
    schema = pa.schema([(column.name, arrow_type(column)) for column in product.columns])
    values = [
        parsed[column.name].values if column.name in parsed else pa.nulls(len(positions), arrow_type(column))
        for column in product.columns
    ]
    return Cells(pa.table(values, schema=schema), tuple(faults))


def without_faults(rows: Rows, faults: Sequence[RowFault]) -> tuple[pa.Table, Positions]:
    """Return the rows no fault was found with, and their positions."""
    good = np.ones(rows.received, dtype=bool)
    for fault in faults:
        good[fault.rows] = False
    kept = good[rows.positions]
    return rows.table.filter(pa.array(kept)), rows.positions[kept]


def _faults(column: Column, parsed: Parsed, positions: Positions, most_characters: int) -> Iterator[RowFault]:
    wrong = parsed.bad | parsed.infinite
    rows = len(wrong)
    checks: list[tuple[Code, str, str, Mask]] = [
        (Code.TYPE, "something else", SAYS[column.type], parsed.bad),
        (Code.NON_FINITE, "infinity", "a finite number", parsed.infinite),
    ]
    if not column.nullable:
        checks.append((Code.MISSING_VALUE, "no value", "a value", _mask(pc.is_null(parsed.values)) & ~wrong))
    if column.type == "string":
        long = _mask(pc.greater(pc.utf8_length(parsed.values), most_characters))
        checks.append((Code.FIELD_LENGTH, "longer text", f"at most {most_characters:,} characters", long))
    for code, found, expected, mask in checks:
        if mask.any():
            every = " in every row" if mask.all() and rows > 1 else ""
            yield RowFault(code, column.name, found + every, expected, positions[mask])


def _below_zero(column: Column, parsed: Parsed, positions: Positions) -> Iterator[RowFault]:
    """Refuse rows whose weight is negative: no row counts less than not at all."""
    below = _mask(pc.less(parsed.values, 0))
    if below.any():
        yield RowFault(Code.RANGE, column.name, "below 0", "a weight: 0 or more", positions[below])


def _mask(values: pa.Array) -> Mask:
    mask: Mask = np.asarray(pc.fill_null(values, False), dtype=bool)  # noqa: FBT003  arrow's own signature
    return mask
