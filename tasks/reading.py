"""A delivered file to rows: told by its bytes, unpacked within limits, read by pyarrow, repeats found.

Nothing here raises for what a producer may send: the answer is rows, or a refusal with its reasons.
"""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow as pa

from lifecycle.batch import Limits, Reason
from lifecycle.codes import Code
from lifecycle.faults import Positions, RowFault
from lifecycle.reading import Format, format_of, refuse_expansion, refuse_file, refuse_size
from lifecycle.spec import Product
from tasks.cells import FileRefused, Refused, Rows, refuse_if
from tasks.csv_files import read_csv
from tasks.parquet_files import read_parquet

if TYPE_CHECKING:
    import pandas as pd

_STEP = 1 << 20


def read(key: str, data: bytes, product: Product) -> Rows | Refused:
    """Return the rows of a delivered file, or why it is refused whole."""
    pa.set_cpu_count(1)  # with a pool of threads 1 process in 60 aborts at exit (apache/arrow#34314)
    try:
        refuse_if(refuse_size(len(data), product.limits) or refuse_file(key, data))
        if format_of(data) is Format.PARQUET:
            return read_parquet(data, product)
        return read_csv(unpack(data, product.limits) if format_of(data) is Format.GZIP else data, product)
    except FileRefused as answer:
        return answer.refused


def unpack(data: bytes, limits: Limits) -> bytes:
    """Return what a gzip file holds, reading no further than the limits allow. Raises FileRefused."""
    parts, size = [], 0
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            while part := file.read(_STEP):
                parts.append(part)
                size += len(part)
                refuse_if(refuse_expansion(size, len(data), limits))
    except EOFError:
        found = f"a gzip stream that ends early, after {size:,} bytes"
        raise FileRefused(Reason(Code.GZIP_EOF, None, found, "a whole stream")) from None
    except (gzip.BadGzipFile, zlib.error):
        found = f"a gzip stream that is damaged after {size:,} bytes"
        raise FileRefused(Reason(Code.GZIP_DAMAGED, None, found, "a whole stream")) from None
    return b"".join(parts)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return rows as the data frame expectations look at: plain numpy numbers, rows numbered from 0."""
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    return frame


def find_repeats(frame: pd.DataFrame, positions: Positions, grain: tuple[str, ...]) -> tuple[RowFault, ...]:
    """Return the rows that say again what another row of the delivery has said, and those that contradict one.

    Of exact repeats the first stays. Of rows of one grain with other values none stays: nobody knows which is
    right. Without a grain the whole row is its identity, and nothing can contradict it.
    """
    repeats = frame.duplicated().to_numpy()
    if not grain:
        again = RowFault(Code.DUPLICATE_ROW, None, "an exact repeat", "each row once", positions[repeats])
        return (again,) if len(again.rows) else ()
    group = frame.groupby(list(grain), dropna=False, sort=False).ngroup()
    different = group[~repeats]
    conflicting = group.isin(different[different.duplicated()]).to_numpy()
    faults = (
        RowFault(Code.DUPLICATE_ROW, None, "an exact repeat", "each row once", positions[repeats & ~conflicting]),
        RowFault(
            Code.CONFLICTING_ROWS, None, "the same grain with other values", f"one row for each {', '.join(grain)}",
            positions[conflicting],
        ),
    )  # fmt: skip
    return tuple(fault for fault in faults if len(fault.rows))
