"""The rows of a CSV delivery: in the encoding and with the separator the product declares, with a header.

pyarrow parses; this decides what its findings mean. Every cell is read as text first, so that one bad cell costs
one row and not the file. It deliberately guesses no dialect: a file in another is refused by name.
"""

from __future__ import annotations

import csv as strict_csv
from dataclasses import dataclass, replace
from io import StringIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from lifecycle.batch import Reason
from lifecycle.codes import Code
from lifecycle.faults import Positions, RowFault
from lifecycle.lines import Layout, Records, layout
from lifecycle.reading import SEPARATORS, UTF8_MARK, other_separator, refuse_shape, refuse_text, transcode
from lifecycle.schema import Fit, fit_columns, known_as
from lifecycle.schema_change import SchemaChange
from lifecycle.spec import Product
from tasks.cells import FileRefused, Rows, check_cells, refuse_if
from tasks.parsing import parse_text
from tasks.schema_changes import of_csv, retyped_texts

_QUOTED = "every quote closed, a quote inside a field doubled"
_LARGEST_BLOCK = 2**31 - 1  # pyarrow counts the bytes of a block in 32 bits


@dataclass(frozen=True)
class Grid:
    """The cells as text, header first, and the records with another number of fields: number from 1, fields."""

    table: pa.Table
    odd: tuple[tuple[int, int], ...]

    @property
    def records(self) -> int:
        """Return how many records there are, the header among them."""
        return int(self.table.num_rows) + len(self.odd)


def read_csv(data: bytes, product: Product) -> Rows:
    """Return the rows of a CSV text with the faults of its cells. Raises FileRefused."""
    separator = product.reading.separator
    data = _as_utf8(data, product.reading.encoding)
    lines = layout(data)
    first = data[: int(lines.ends[np.argmax(lines.ends > lines.starts)])].decode()
    refuse_if(refuse_shape(len(lines.starts) - 1, first.count(separator) + 1, product.limits))
    grid = parse_grid(data, product.limits.max_columns, separator)
    received = max(grid.records - 1, 0)
    names = known_as(header_of(grid), product.aliases)
    fit = fit_columns(names, product.required, product.target.column)
    change = of_csv(names, grid.table.slice(1), product)
    if not isinstance(fit, Fit):
        other, wanted = other_separator(first, product.required, separator), len(product.required)
        dialect = Reason(Code.DIALECT, None, f"fields separated by {other}", f"{wanted} by {SEPARATORS[separator]}")
        raise FileRefused(*((dialect,) if other else fit), received=received, change=change)
    records = lines.records(grid.records)
    if records is None:
        raise FileRefused(_uncountable(lines))
    refuse_if(_refuse_records(data, lines, grid, records, separator), received)
    rows = _rows(data, grid, records, fit, product)
    return replace(rows, change=change.model_copy(update={"retyped": rows.change.retyped}))


def _as_utf8(data: bytes, encoding: str) -> bytes:
    """Return text as UTF-8 without a mark. Raises FileRefused when it is not of the encoding, or no text."""
    text = transcode(data, encoding)
    if isinstance(text, Reason):
        raise FileRefused(text)
    text = text.removeprefix(UTF8_MARK)
    refuse_if(refuse_text(text))
    return text


def parse_grid(data: bytes, most_columns: int, separator: str) -> Grid:
    """Return the cells of UTF-8 text. Raises FileRefused for what the parser cannot split."""
    odd: list[tuple[int, int]] = []

    def skip(row: csv.InvalidRow) -> str:
        odd.append((row.number, row.actual_columns))
        return "skip"

    # One block: a field may be longer than any fixed size. One thread: row numbers are known, and no pool of
    # threads is left at exit to abort the process (apache/arrow#34314).
    size = min(len(data) + 1, _LARGEST_BLOCK)
    as_text = {f"f{index}": pa.string() for index in range(most_columns)}
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(use_threads=False, block_size=size, autogenerate_column_names=True),
            parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=skip),
            convert_options=csv.ConvertOptions(column_types=as_text, strings_can_be_null=False),
        )
    except pa.ArrowException as error:  # its text may quote a row
        raise FileRefused(Reason(Code.PARSE, None, f"{type(error).__name__} from the parser", "CSV")) from error
    return Grid(table, tuple(odd))


def header_of(grid: Grid) -> list[str]:
    """Return the names of the first record."""
    return [column[0].as_py() for column in grid.table.columns] if grid.table.num_rows else []


def _uncountable(lines: Layout) -> Reason:
    place = lines.open_line
    found = f"a quote that opens on line {place:,} and never closes" if place else "stray quotes across lines"
    return Reason(Code.PARSE, None, found, _QUOTED)


def _refuse_records(data: bytes, lines: Layout, grid: Grid, records: Records, separator: str) -> Reason | None:
    """Return why the records cannot be trusted: none at all, cut off in the last one, or swallowed by a quote."""
    if len(records) == 1:
        return Reason(Code.NO_ROWS, None, "a header and no rows", "at least one row")
    fields = grid.table.num_columns
    last, last_fields = grid.odd[-1] if grid.odd else (0, 0)
    short = last == len(records) and last_fields < fields
    if not data.endswith((b"\n", b"\r")) and (short or lines.open_line):
        found = f"a last line, {records.numbers[-1]:,}, that stops after {last_fields or fields} of {fields} fields"
        return Reason(Code.TRUNCATED, None, found, f"{fields} fields and a line end")
    for index in records.spanning:
        if not _is_one_record(records.text(data, index), fields, separator):
            found = f"a record from line {records.numbers[index]:,} over several lines that is not well quoted"
            return Reason(Code.PARSE, None, found, _QUOTED)
    return None


def _is_one_record(text: str, fields: int, separator: str) -> bool:
    """Say whether text over several lines is one record by the letter: two stray quotes swallow the rows between."""
    lines = StringIO(text, newline="")
    try:
        return [len(record) for record in strict_csv.reader(lines, strict=True, delimiter=separator)] == [fields]
    except strict_csv.Error:
        return False


def _rows(data: bytes, grid: Grid, records: Records, fit: Fit, product: Product) -> Rows:
    received = len(records) - 1
    odd = np.array([number for number, _ in grid.odd], dtype=np.int64)
    positions = np.setdiff1d(np.arange(2, received + 2), odd) - 2
    table = grid.table.slice(1).combine_chunks()
    cells = {
        name: table.column(at).combine_chunks()
        for name, at in zip(product.required, fit.positions, strict=True)
        if at is not None
    }
    header = header_of(grid)
    repeated = _repeats_header(
        {name: header[at] for name, at in zip(product.required, fit.positions, strict=True) if at is not None}, cells
    )
    texts = {name: column.filter(pa.array(~repeated)) for name, column in cells.items()}
    parsed = {
        column.name: parse_text(column, texts[column.name], product.reading.decimal)
        for column in product.columns
        if column.name in texts
    }
    checked = check_cells(product, parsed, positions[~repeated])
    faults = (*_field_counts(grid, odd - 2), *_header_faults(positions[repeated]), *checked.faults)
    refuse_if(_cut_in_last_field(data, table.num_columns, fit, product, received, faults), received)

    def as_delivered(wanted: Positions) -> list[str]:
        return [records.text(data, int(position) + 1) for position in wanted]

    change = SchemaChange(retyped=retyped_texts(texts, parsed, product))
    return Rows(
        received, checked.table, positions[~repeated], records.numbers[1:], faults, as_delivered, fit.notes, change
    )


def _cut_in_last_field(
    data: bytes, fields: int, fit: Fit, product: Product, received: int, faults: tuple[RowFault, ...]
) -> Reason | None:
    """Return why a file without a final line end is cut: its very last field is no value of its column."""
    if data.endswith((b"\n", b"\r")) or fields - 1 not in fit.positions:
        return None
    name = product.required[fit.positions.index(fields - 1)]
    if any(fault.column == name and received - 1 in fault.rows for fault in faults):
        return Reason(Code.TRUNCATED, name, "a last field that is cut off", "a whole field and a line end")
    return None


def _repeats_header(header: dict[str, str], cells: dict[str, pa.Array]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    repeated = np.ones(len(next(iter(cells.values()))), dtype=bool)
    for name, texts in cells.items():
        repeated &= np.asarray(pc.equal(texts, header[name]))
    return repeated


def _header_faults(rows: Positions) -> tuple[RowFault, ...]:
    if not len(rows):
        return ()
    return (RowFault(Code.REPEATED_HEADER, None, "the header again", "one header", rows),)


def _field_counts(grid: Grid, rows: Positions) -> tuple[RowFault, ...]:
    if not len(rows):
        return ()
    counts = sorted({fields for _, fields in grid.odd})
    found = f"{counts[0]} fields" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} fields"
    return (RowFault(Code.FIELD_COUNT, None, found, f"{grid.table.num_columns} fields", rows),)
