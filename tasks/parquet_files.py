"""The rows of a Parquet delivery.

All of its data is read and its page checksums are verified: a footer that opens says nothing about the pages (7 of
8 files of apache/parquet-testing's bad_data open fine).
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifecycle.batch import Reason
from lifecycle.codes import Code
from lifecycle.faults import Positions
from lifecycle.reading import refuse_expansion, refuse_shape
from lifecycle.schema import Fit, fit_columns, known_as
from lifecycle.schema_change import Retyped, SchemaChange
from lifecycle.spec import Product
from tasks.cells import SAYS, FileRefused, Rows, check_cells, refuse_if
from tasks.parsing import Parsed, convert
from tasks.schema_changes import of_parquet, retyped_column

_UNCHECKED = Reason(
    Code.NO_CHECKSUMS, None, "pages without checksums, where a flipped byte mostly reads as another value", "checksums"
)
_UNREADABLE = (pa.ArrowException, OSError, ValueError)


def read_parquet(data: bytes, product: Product) -> Rows:
    """Return the rows of a Parquet file with the faults of its cells. Raises FileRefused."""
    file = open_parquet(data)
    meta = file.metadata
    packed = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
    refuse_if(refuse_shape(meta.num_rows, meta.num_columns, product.limits))
    refuse_if(refuse_expansion(packed, len(data), product.limits), meta.num_rows)
    names = known_as(file.schema_arrow.names, product.aliases)
    fit = fit_columns(names, product.required, product.target.column)
    change = of_parquet(names, file.schema_arrow, product)
    if not isinstance(fit, Fit):
        raise FileRefused(*fit, received=meta.num_rows, change=change)
    if not meta.num_rows:
        raise FileRefused(Reason(Code.NO_ROWS, None, "a schema and no rows", "at least one row"))
    table = _read(file)
    text = sum(_text_bytes(column) for column in table.columns)
    refuse_if(refuse_expansion(text, len(data), product.limits), meta.num_rows)
    rows = replace(_rows(table, fit, product, change), change=change)
    return rows if _is_checked(data, meta) else replace(rows, notes=(*rows.notes, _UNCHECKED))


def open_parquet(data: bytes) -> pq.ParquetFile:
    """Open the footer. Text stays coded as it is in the file: decoding it may take a thousand times its size."""
    try:
        schema = pq.read_schema(pa.BufferReader(data))
        texts = [one.name for one in schema if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)]
        return pq.ParquetFile(
            pa.BufferReader(data), page_checksum_verification=True, pre_buffer=False, read_dictionary=texts
        )
    except _UNREADABLE as error:
        reason = Reason(Code.PARQUET_FOOTER, None, "a footer that cannot be read", "a whole Parquet file")
        raise FileRefused(reason) from error


def _read(file: pq.ParquetFile) -> pa.Table:
    try:
        table = file.read(use_threads=False)
        table.validate(full=True)
    except _UNREADABLE as error:
        found = f"{type(error).__name__} while reading the pages"
        reason = Reason(Code.PARQUET_PAGE, None, found, "pages that agree with their checksums")
        raise FileRefused(reason, received=file.metadata.num_rows) from error
    return table


def _is_checked(data: bytes, meta: pq.FileMetaData) -> bool:
    """Say whether the pages carry checksums. pyarrow does not tell, so a byte of a copy is flipped to see."""
    chunk = meta.row_group(0).column(0)
    start = chunk.data_page_offset if chunk.dictionary_page_offset is None else chunk.dictionary_page_offset
    damaged = bytearray(data)
    damaged[start + chunk.total_compressed_size - 1] ^= 1
    try:
        file = pq.ParquetFile(pa.BufferReader(damaged), page_checksum_verification=True, pre_buffer=False)
        file.read_row_group(0, columns=[chunk.path_in_schema], use_threads=False)
    except _UNREADABLE as error:
        return "CRC" in str(error)
    return False


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Return the bytes the text of a coded column has when it is decoded; 0 for any other column."""
    if not pa.types.is_dictionary(column.type):
        return 0
    lengths = (pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() for chunk in column.chunks)
    return sum(length or 0 for length in lengths)


def _in_one(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece; the pieces of coded text first get one common code."""
    whole = column.unify_dictionaries().combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _rows(table: pa.Table, fit: Fit, product: Product, change: SchemaChange) -> Rows:
    parsed: dict[str, Parsed] = {}
    reasons: list[Reason] = []
    retyped: list[Retyped] = []
    there = {column: at for column, at in zip(product.columns, fit.positions, strict=True) if at is not None}
    for column, at in there.items():
        values = _in_one(table.column(at))
        converted = convert(column, values)
        if converted is None:
            kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
            reasons.append(Reason(Code.TYPE, column.name, f"the Parquet type {kind}", SAYS[column.type], len(values)))
            retyped += retyped_column(column, values)
        else:
            parsed[column.name] = converted
    if reasons:
        raise FileRefused(
            *reasons, received=table.num_rows, change=change.model_copy(update={"retyped": tuple(retyped)})
        )
    positions = np.arange(table.num_rows, dtype=np.int64)
    checked = check_cells(product, parsed, positions)
    delivered = table.select(list(there.values())).rename_columns([column.name for column in there])

    def as_delivered(wanted: Positions) -> list[str]:
        return [json.dumps(row, default=str) for row in delivered.take(pa.array(wanted)).to_pylist()]

    return Rows(table.num_rows, checked.table, positions, positions + 1, checked.faults, as_delivered, fit.notes)
