"""Files that no product describes yet: their columns, types and dialect, and then their rows by ingest's own reader.

The same limits hold before anything is decoded. What is found is a description, checked by reading the files with
it; nothing is repaired on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from lifecycle.batch import Limits, Reason
from lifecycle.codes import Code
from lifecycle.declaration import Column, Reading
from lifecycle.dialect import decimal_of, encoding_of, separator_of
from lifecycle.errors import BatchError, UsageError
from lifecycle.reading import (
    UTF8_MARK,
    Format,
    format_of,
    refuse_expansion,
    refuse_file,
    refuse_shape,
    refuse_size,
    refuse_text,
    transcode,
)
from lifecycle.spec import Product
from tasks.cells import FileRefused, Refused, Rows
from tasks.column_types import Typed, date_of_texts, type_of_arrow, type_of_texts
from tasks.csv_files import header_of, parse_grid
from tasks.parquet_files import open_parquet
from tasks.reading import read, unpack

_CELLS_LOOKED_AT = 1_000
_ROW_NUMBERS = "no name: probably row numbers that were saved along"


@dataclass(frozen=True)
class Schema:
    """What files hold: columns as they could be declared, the dialect, remarks about columns, what cannot be used."""

    columns: tuple[Column, ...]
    reading: Reading
    remarks: dict[str, str] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)


def describe(paths: Sequence[Path], limits: Limits) -> Schema:
    """Return what some files of one kind hold. Raises UsageError or BatchError naming the file and what is wrong."""
    found = [(path, _describe(path, limits)) for path in paths]
    first, schema = found[0]
    names = {column.name for column in schema.columns}
    for path, other in found[1:]:
        others = {column.name for column in other.columns}
        if odd := sorted(names ^ others):
            lacks = path if odd[0] in names else first
            raise UsageError(f"{lacks.name} has no column {odd[0]!r}.", detail="All files must have the same columns.")
        if other.reading != schema.reading:
            raise UsageError(f"{path.name} is written in another dialect than {first.name}.")
    return Schema(_common(found), schema.reading, schema.remarks, schema.unusable)


def read_rows(path: Path, product: Product) -> Rows:
    """Return the rows of a file as ingest reads it. Raises BatchError with every reason when it would be refused."""
    rows = read(path.name, path.read_bytes(), product)
    if isinstance(rows, Refused):
        raise _refused(path, rows.reasons)
    return rows


def _describe(path: Path, limits: Limits) -> Schema:
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    try:
        _stop(path, refuse_size(path.stat().st_size, limits))
        data = path.read_bytes()
        _stop(path, refuse_file(path.name, data))
        if format_of(data) is Format.PARQUET:
            return _of_parquet(path, data, limits)
        return _of_csv(path, unpack(data, limits) if format_of(data) is Format.GZIP else data, limits)
    except FileRefused as answer:
        raise _refused(path, answer.refused.reasons) from answer


def _of_parquet(path: Path, data: bytes, limits: Limits) -> Schema:
    file = open_parquet(data)
    meta = file.metadata
    _stop(path, refuse_shape(meta.num_rows, meta.num_columns, limits))
    packed = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
    _stop(path, refuse_expansion(packed, len(data), limits))
    names = file.schema_arrow.names
    _check_names(path, names)
    typed = {name: type_of_arrow(file.schema_arrow.field(name).type) for name in names}
    unusable = {name: f"the Parquet type {file.schema_arrow.field(name).type}" for name in names if typed[name] is None}
    for name in [name for name, kind in typed.items() if kind == Typed("string")]:
        texts = next(file.iter_batches(_CELLS_LOOKED_AT, columns=[name], use_threads=False)).column(0)
        typed[name] = date_of_texts(name, texts.cast(pa.string())) or typed[name]
    for name in [name for name in typed if name.startswith("__index_level_")]:
        typed[name], unusable[name] = None, _ROW_NUMBERS
    return _schema({name: kind for name, kind in typed.items() if kind is not None}, Reading(), unusable)


def _of_csv(path: Path, data: bytes, limits: Limits) -> Schema:
    encoding = encoding_of(data)
    text = data if encoding is None else transcode(data, encoding)
    if encoding is None or isinstance(text, Reason):
        raise _refused(path, (Reason(Code.ENCODING, None, "bytes of no known encoding", "UTF-8"),))
    text = text.removeprefix(UTF8_MARK)
    _stop(path, refuse_text(text))
    separator = separator_of(text[: limits.max_field_characters * 200].decode(errors="ignore"))
    _stop(path, refuse_shape(text.count(b"\n"), text.partition(b"\n")[0].decode().count(separator) + 1, limits))
    grid = parse_grid(text, limits.max_columns, separator)
    names = header_of(grid)
    if grid.table.num_rows < 2:  # noqa: PLR2004  a header and a row
        raise _refused(path, (Reason(Code.NO_ROWS, None, "a header and no rows", "at least one row"),))
    cells = grid.table.slice(1)
    shown = [cells.column(at).slice(0, _CELLS_LOOKED_AT).to_pylist() for at in range(len(names))]
    decimal = decimal_of(shown, separator)
    _check_header(path, names, decimal)
    _check_names(path, [name for name in names if name])
    typed = {
        name: type_of_texts(name, cells.column(at).combine_chunks(), decimal) for at, name in enumerate(names) if name
    }
    unusable = {"": _ROW_NUMBERS} if "" in names else {}
    return _schema(typed, Reading(encoding=encoding, separator=separator, decimal=decimal), unusable)


def _schema(typed: dict[str, Typed], reading: Reading, unusable: dict[str, str]) -> Schema:
    remarks = {name: kind.note for name, kind in typed.items() if kind.note}
    for name, kind in typed.items():
        if kind.bad:
            told = f"{kind.bad:.2%} of its values are no {kind.type}, which will cost their rows"
            remarks[name] = f"{remarks[name]}; {told}" if name in remarks else told
    columns = tuple(
        Column(name=name, type=kind.type, nullable=True, format=kind.format) for name, kind in typed.items()
    )
    return Schema(columns, reading, remarks, unusable)


def _common(found: list[tuple[Path, Schema]]) -> tuple[Column, ...]:
    """Return the columns with types that hold every file's values: whole numbers in one are numbers in another."""
    kinds = {column.name: {column.type} for column in found[0][1].columns}
    for _, schema in found[1:]:
        for column in schema.columns:
            kinds[column.name].add(column.type)
    columns = []
    for column in found[0][1].columns:
        several = kinds[column.name]
        if len(several) == 1:
            columns.append(column)
        else:
            wider = "double" if several <= {"long", "double"} else "string"
            columns.append(Column(name=column.name, type=wider, nullable=True))
    return tuple(columns)


def _check_header(path: Path, names: list[str], decimal: str) -> None:
    """Raise UsageError when the first line is data: half of its cells are numbers."""
    filled = [name for name in names if name.strip()]
    typed = type_of_texts("", pa.array(filled, pa.string()), decimal) if filled else Typed("string")
    numbers = sum(name.replace(decimal, "", 1).lstrip("+-").isdigit() for name in filled)
    if typed.type in ("long", "double") or 2 * numbers > len(filled):
        raise UsageError(
            f"{path.name} has no header: its first line looks like data.",
            detail=f"{numbers} of its {len(filled)} fields are numbers.",
            resolution="Put the names of the columns into the first line.",
        )


def _check_names(path: Path, names: list[str]) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise UsageError(f"{path.name} has two columns called {twice[0]!r}.", resolution="Give each a name of its own.")
    if long := [name for name in names if len(name) > 128]:  # noqa: PLR2004  as product.yaml allows
        raise UsageError(
            f"{path.name} has a column whose name is {len(long[0])} characters long, 128 at most are read."
        )


def _stop(path: Path, reason: Reason | None) -> None:
    if reason is not None:
        raise _refused(path, (reason,))


def _refused(path: Path, reasons: Sequence[Reason]) -> BatchError:
    return BatchError(f"{path.name} cannot be read.", detail=" ".join(str(reason) for reason in reasons))
