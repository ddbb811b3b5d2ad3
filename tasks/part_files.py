"""The rows of a delivery of several files: each read as a file of its own, all of them judged as one.

The product's limits hold for the sum: what one part has used up is not there for the next. Which files belong
together, and in which order, is `lifecycle/parts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.batch import Limits, Reason, codes
from lifecycle.codes import Code
from lifecycle.faults import Positions, RowFault
from lifecycle.reading import Format, format_of
from lifecycle.schema import listed
from lifecycle.schema_change import merged
from lifecycle.spec import Product
from tasks.cells import FileRefused, Refused, Rows
from tasks.landing import PartContent
from tasks.reading import read, unpack

_USED_UP = frozenset({Code.TOO_LARGE, Code.EXPANSION, Code.TOO_MANY_ROWS, Code.TOO_MANY_CELLS})
_TOLD = 20  # reasons of refused parts told one by one


@dataclass(frozen=True)
class _Read:
    """What came of one part. `empty`: it has a header and no rows, as a writer of many partitions leaves behind."""

    name: str
    found: Rows | Refused
    unpacked: int = 0

    @property
    def empty(self) -> bool:
        return isinstance(self.found, Refused) and codes(self.found.reasons) == (Code.NO_ROWS,)


def read_parts(parts: Sequence[PartContent], product: Product) -> Rows | Refused:
    """Return the rows of all parts in their order, or why the delivery is refused whole, with the parts' names.

    A part without rows adds none. Nothing is read beyond a limit.
    """
    done: list[_Read] = []
    left, reasons = product.limits, list[Reason]()
    for part in parts:
        one = _read(part, product.model_copy(update={"limits": left}))
        done.append(one)
        told = _reasons(part, one, first=len(done) == 1)
        reasons += told
        if _USED_UP & set(codes(told)):
            break
        left = _left(left, one)
    whole = [one for one in done if not one.empty]
    reasons += _unlike(whole, product)
    if reasons or not whole:
        received = sum(one.found.received for one in done)
        change = merged(one.found.change for one in done)
        return Refused(tuple(reasons[:_TOLD]) or _reasons(parts[0], done[0], first=True, empty=True), received, change)
    return _together({one.name: one.found for one in whole if isinstance(one.found, Rows)})


def _read(part: PartContent, product: Product) -> _Read:
    data, kind = part.data, format_of(part.data)
    try:
        data = unpack(data, product.limits) if kind is Format.GZIP else data
    except FileRefused as answer:
        return _Read(part.name, answer.refused)
    found = read(part.name, data, product)
    if kind is Format.PARQUET and isinstance(found, Rows):
        meta = pq.read_metadata(pa.BufferReader(data))
        return _Read(part.name, found, sum(meta.row_group(at).total_byte_size for at in range(meta.num_row_groups)))
    return _Read(part.name, found, len(data))


def _left(limits: Limits, one: _Read) -> Limits:
    """Return what a part leaves of the limits. A limit may become 0: then the next part is refused by it."""
    columns = one.found.table.num_columns + len(one.found.change.added) if isinstance(one.found, Rows) else 0
    used = {"max_bytes": one.unpacked, "max_rows": one.found.received, "max_cells": one.found.received * columns}
    return limits.model_copy(update={name: max(0, getattr(limits, name) - amount) for name, amount in used.items()})


def _reasons(part: PartContent, one: _Read, *, first: bool, empty: bool = False) -> tuple[Reason, ...]:
    """Return why a part refuses the delivery: what is the matter with it, or other rows than were promised."""
    if isinstance(one.found, Refused) and (empty or not one.empty):
        return tuple(_of_part(reason, part.name, first=first) for reason in one.found.reasons)
    if part.rows is None or one.found.received == part.rows:
        return ()
    found = f"{one.found.received:,} rows in {listed([part.name])}"
    return (Reason(Code.PART_ROWS, None, found, f"{part.rows:,}, as manifest.json says"),)


def _of_part(reason: Reason, name: str, *, first: bool) -> Reason:
    share = "" if first or reason.code not in _USED_UP else ", which the parts before it leave"
    return replace(reason, found=f"{reason.found} in {listed([name])}", expected=f"{reason.expected}{share}")


def _unlike(done: Sequence[_Read], product: Product) -> tuple[Reason, ...]:
    """Return why parts are not of one delivery: the target is in some of them only."""
    without = [one.name for one in done if isinstance(one.found, Rows) and Code.NO_LABELS in codes(one.found.notes)]
    if not without or len(without) == len(done):
        return ()
    found = f"no such column in {listed(without)}"
    return (Reason(Code.MISSING_COLUMN, product.target.column, found, "it in every part, or in none"),)


def _together(parts: dict[str, Rows]) -> Rows:
    """Return the rows of several files as those of one; positions count through."""
    found = list(parts.values())
    starts = np.cumsum([0, *(rows.received for rows in found)], dtype=np.int64)
    part_of = np.repeat(np.arange(len(found), dtype=np.int64), [rows.received for rows in found])

    def as_delivered(wanted: Positions) -> list[str]:
        told: dict[int, str] = {}
        for at, rows in enumerate(found):
            ours = wanted[part_of[wanted] == at]
            told.update(zip(ours.tolist(), rows.as_delivered(ours - starts[at]), strict=True))
        return [told[position] for position in wanted.tolist()]

    return Rows(
        received=int(starts[-1]),
        table=pa.concat_tables([rows.table for rows in found]).combine_chunks(),
        positions=np.concatenate([rows.positions + start for rows, start in zip(found, starts, strict=False)]),
        lines=np.concatenate([rows.lines for rows in found]),
        faults=_faults(found, starts),
        as_delivered=as_delivered,
        notes=tuple(dict.fromkeys(note for rows in found for note in rows.notes)),
        change=merged(rows.change for rows in found),
        parts=tuple(parts),
        part_of=part_of,
    )


def _faults(found: Sequence[Rows], starts: Positions) -> tuple[RowFault, ...]:
    """Return the faults of all parts, those that say the same as one."""
    same: dict[tuple[Code, str | None, str, str], list[Positions]] = {}
    for rows, start in zip(found, starts, strict=False):
        for fault in rows.faults:
            same.setdefault((fault.code, fault.column, fault.found, fault.expected), []).append(fault.rows + start)
    return tuple(RowFault(*key, np.concatenate(places)) for key, places in same.items())
