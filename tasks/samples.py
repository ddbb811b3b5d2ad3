"""A product's sample: some of its rows as a delivery, and one request.

The sample is a delivery that its own suite lets in, so that it can be dropped to see everything work.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.spec import Product

# Enough for every bound of a suite; small enough for a repository.
SAMPLE_ROWS = 1_200
_WITH_ROOM = 1.2


def sample_parquet(table: pa.Table, least: int) -> bytes:
    """Return evenly spread rows as Parquet with page checksums, more than the `least` that a delivery must have."""
    wanted = min(max(SAMPLE_ROWS, int(least * _WITH_ROOM)), table.num_rows)
    rows = np.unique(np.linspace(0, table.num_rows - 1, wanted).astype(np.int64))
    sink = pa.BufferOutputStream()
    pq.write_table(table.take(pa.array(rows)), sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def request_json(table: pa.Table, product: Product) -> str:
    """Return one request in MLflow's protocol: the input columns of the first row with the fewest gaps."""
    inputs = [column.name for column in product.inputs]
    gaps = np.zeros(table.num_rows, dtype=np.int64)
    for name in inputs:
        gaps += np.asarray(table.column(name).is_null())
    row = table.select(inputs).slice(int(gaps.argmin()), 1).to_pylist()
    return json.dumps({"dataframe_records": row}, indent=1, default=_plain, ensure_ascii=False) + "\n"


def _plain(value: object) -> str:
    return str(getattr(value, "isoformat", value.__str__)())
