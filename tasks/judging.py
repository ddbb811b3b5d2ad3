"""From the bytes of a delivery to what is published and what is held back: reading, repeats, the suite, the limits.

The order of judging, without any effect. Reading is `tasks/reading.py`, the suite `tasks/quality.py`, the decision
`lifecycle/faults.py` and `lifecycle/quality.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.batch import EventTimes, Line, Reason, RowCounts, SuiteUsed, codes, without_values
from lifecycle.codes import Code
from lifecycle.faults import RowFault, settle
from lifecycle.period import Span
from lifecycle.quality import Judgement
from lifecycle.reading import refuse_size
from lifecycle.schema_change import UNCHANGED, SchemaChange
from lifecycle.spec import Product
from tasks import quality
from tasks.cells import Refused, Rows, without_faults
from tasks.landing import Content
from tasks.part_files import read_parts
from tasks.periods import find_astray
from tasks.reading import find_repeats, read, to_frame
from tasks.suites import Suite, load_suite, without_rules_on

_LINES_TOLD = 20  # enough to find the place in the source; all of them are in rows.parquet
_HELD = pa.schema(
    [
        ("line", pa.int64()),
        ("codes", pa.list_(pa.string())),
        ("columns", pa.list_(pa.string())),
        ("record", pa.string()),
    ]
)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a delivery. `kept` are the rows to publish, None when the whole batch is refused.

    `held` are the rows to quarantine: line, codes, columns, and the record as it was delivered; None when there
    are none or the batch is refused whole. `lines` names the first lines of each code, `period` the one the file's
    name tells. Not `labelled`: the target column has not come yet. `change`: how its columns differ from the product's.
    """

    counts: RowCounts
    suite: SuiteUsed
    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...] = ()
    kept: pa.Table | None = field(default=None, repr=False)
    held: pa.Table | None = field(default=None, repr=False)
    period: str | None = None
    lines: dict[str, tuple[Line, ...]] = field(default_factory=dict)
    labelled: bool = True
    change: SchemaChange = UNCHANGED


def judge(key: str, content: Content, product: Product, expectations: Path) -> Verdict:
    """Judge a delivery by its product and its raw suite. Raises SuiteError: without a suite nothing is judged."""
    suite = load_suite(expectations, f"{product.name}_raw")
    rows = read_content(key, content, product)
    used = SuiteUsed(name=suite.name, sha256=suite.sha256)
    if isinstance(rows, Refused):
        return Verdict(RowCounts(rows.received, 0, rows.received), used, rows.reasons, change=rows.change)
    span = product.period.of_name(key) if product.period else None
    verdict = judge_rows(rows, product, suite, span)
    reasons, notes = (without_values(told, product.sensitive) for told in (verdict.reasons, verdict.notes))
    return replace(verdict, reasons=reasons, notes=notes)


def judge_rows(rows: Rows, product: Product, suite: Suite, span: Span | None = None) -> Verdict:
    """Judge rows that could be read; `span` is the period they must be of, if their file's name tells one.

    Rules on a target that has not come yet have nothing to look at and wait as well.
    """
    limit, unlabelled = product.limits.max_quarantined_share, Code.NO_LABELS in codes(rows.notes)
    suite = without_rules_on(suite, product.target.column) if unlabelled else suite
    table, positions = without_faults(rows, rows.faults)
    repeats = find_repeats(to_frame(table), positions, product.grain)
    astray = find_astray(table, positions, product, span)
    faults = [*rows.faults, *astray, *(repeats if product.repeats == "refuse" else ())]
    remarks = () if product.repeats == "refuse" else tuple(_kept(fault) for fault in repeats)
    table, positions = without_faults(rows, faults)
    judged: Judgement | None = None
    if settle(rows.received, faults, limit).refusal is None:
        judged = quality.judge(to_frame(table), suite)
        faults += _found(judged, positions)
    settled = settle(rows.received, faults, limit)
    blocked = judged.reasons if judged is not None and judged.verdict == "quarantine_batch" else ()
    refusals = (*blocked, *([settled.refusal] if settled.refusal else []))
    verdict = Verdict(
        counts=settled.counts,
        suite=SuiteUsed(name=suite.name, sha256=suite.sha256),
        reasons=tuple(dict.fromkeys((*blocked, *settled.reasons, *refusals))),
        notes=(*rows.notes, *remarks, *(judged.notes if judged else ())),
        lines=_lines(rows, faults),
        period=span.label if span else None,
        labelled=not unlabelled,
        change=rows.change,
    )
    if refusals:
        return replace(verdict, counts=RowCounts(rows.received, 0, rows.received))
    kept = rows.table.filter(pa.array(settled.kept[rows.positions]))
    return replace(verdict, kept=kept, held=_held(rows, faults))


def event_times(table: pa.Table, column: str) -> EventTimes:
    """Return the first and last value of a product's time column."""
    values = table.column(column).drop_null().combine_chunks()
    if not len(values):
        return EventTimes(column=column, first=None, last=None)
    low, high = (pc.min_max(values)[end].as_py() for end in ("min", "max"))
    first, last = (value.isoformat() if hasattr(value, "isoformat") else str(value) for value in (low, high))
    return EventTimes(column=column, first=first, last=last)


def read_content(key: str, content: Content, product: Product) -> Rows | Refused:
    """Return the rows of a delivery, of one file or of several, or why it is refused whole."""
    if content.refusal:
        return Refused(content.refusal)
    if content.parts:
        found = read_parts(content.parts, product)
        return replace(found, notes=(*content.notes, *found.notes)) if isinstance(found, Rows) else found
    if content.data is not None:
        return read(key, content.data, product)
    reason = refuse_size(content.size, product.limits)
    return Refused((reason,) if reason else ())


def _found(judged: Judgement, positions: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[RowFault]:
    """Return the suite's warnings as faults of delivered rows."""
    return [
        RowFault(Code(reason.code), reason.column, reason.found, reason.expected, positions[finding.rows])
        for finding in judged.findings
        if finding.severity == "warning" and finding.rows is not None
        for reason in [finding.reason]
    ]


def _kept(fault: RowFault) -> Reason:
    """Return the remark about repeats of a product whose rows have no identity."""
    return Reason(fault.code, None, "exact repeats", "kept: without a grain each row is its own", len(fault.rows))


def _lines(rows: Rows, faults: Sequence[RowFault]) -> dict[str, tuple[Line, ...]]:
    found: dict[str, set[int]] = defaultdict(set)
    for fault in faults:
        found[fault.code].update(fault.rows[:_LINES_TOLD].tolist())
    first = {code: np.array(sorted(places)[:_LINES_TOLD], dtype=np.int64) for code, places in sorted(found.items())}
    return {code: tuple(rows.places(places)) for code, places in first.items()}


def _held(rows: Rows, faults: Sequence[RowFault]) -> pa.Table | None:
    if not faults:
        return None
    codes: dict[int, list[str]] = defaultdict(list)
    columns: dict[int, list[str]] = defaultdict(list)
    for fault in faults:
        for position in fault.rows.tolist():
            codes[position].append(str(fault.code))
            columns[position].append(fault.column or "")
    held = np.array(sorted(codes), dtype=np.int64)
    values = [
        rows.lines[held],
        [codes[position] for position in held.tolist()],
        [columns[position] for position in held.tolist()],
        rows.as_delivered(held),
    ]
    table = pa.table([pa.array(column, kind.type) for column, kind in zip(values, _HELD, strict=True)], schema=_HELD)
    if rows.part_of is None:
        return table
    parts = [rows.parts[part] for part in rows.part_of[held].tolist()]
    return table.add_column(0, "part", pa.array(parts, pa.string()))
