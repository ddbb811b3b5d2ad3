"""Rows that are not of the period their file's name tells. The rule is `lifecycle/period.py`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.codes import Code
from lifecycle.faults import Positions, RowFault
from lifecycle.period import PeriodPolicy, Span
from lifecycle.spec import Product


def find_astray(table: pa.Table, positions: Positions, product: Product, span: Span | None) -> tuple[RowFault, ...]:
    """Return the rows of other periods. A row without a time is none of them; the suite says if it may be."""
    if span is None or product.period is None or product.time is None:
        return ()
    times = table.column(product.time).combine_chunks()
    instants = np.asarray(pc.cast(times, pa.timestamp("us"))).astype("datetime64[us]")
    astray = span.outside(instants)
    if not astray.any():
        return ()
    found = _labels(product.period, instants[astray])
    return (RowFault(Code.PERIOD, product.time, found, f"{span.label}, as the name tells", positions[astray]),)


def _labels(policy: PeriodPolicy, instants: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> str:
    first, last = (policy.label(at.item()) for at in (instants.min(), instants.max()))
    return first if first == last else f"{first} to {last}"
