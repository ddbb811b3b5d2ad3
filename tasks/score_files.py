"""Rows to a Parquet file of scores: a row of scores for every row that came, in memory that does not grow with them.

    row | the product's grain, as far as it is there | score, or score_<class> each | code | reason

`row` counts from 0. A row has a score, or a code and a reason. Where rows come from and where the file goes is
`tasks/scoring.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.faults import Positions
from lifecycle.scoring import Refusal, RefusalCounts, RefusedRows, ScoreCounts
from tasks.scorer import Given, Scored, Scorer, runs

_REFUSED_AT_ONCE = 10_000


@dataclass(frozen=True)
class Part:
    """Rows to score: their columns (n), and which row of the source each is (n,), from 0."""

    table: pa.Table
    positions: Positions


@dataclass(frozen=True)
class Source:
    """What is scored: the columns and types of its rows, the rows, and those refused when they were read."""

    schema: pa.Schema
    parts: Iterable[Part]
    refused: Iterable[Refusal] = ()


@dataclass(frozen=True)
class Written:
    """What the file holds."""

    rows: ScoreCounts
    refused: tuple[RefusedRows, ...]
    unseen: dict[str, int] = field(default_factory=dict)


def write_scores(path: Path, scorer: Scorer, source: Source, grain: Sequence[str]) -> Written:
    """Score every row of the source into a file. The same rows and model make the same bytes.

    Raises ContractError when a column is missing that the model cannot do without.
    """
    scorer.require(source.schema.names)
    named = [name for name in grain if name in source.schema.names]
    refusals, unseen, scored = RefusalCounts(), dict[str, int](), 0
    layout = _layout(source.schema, named, scorer)
    with pq.ParquetWriter(path, layout, compression="zstd", write_page_checksum=True) as writer:
        for part in source.parts:
            for piece in runs(part.table.num_rows, scorer.most):
                found, table = _score(scorer, part, piece, layout, named)
                writer.write_table(table)
                scored += table.num_rows - len(found.refusals)
                _add(refusals, unseen, found)
        for lost in _at_once(source.refused):
            writer.write_table(_refused(lost, layout))
            _add(refusals, unseen, Scored(np.empty(0, dtype=np.float32), lost))
    counts = ScoreCounts(received=scored + refusals.total, scored=scored, refused=refusals.total)
    return Written(counts, refusals.listed(), unseen)


def to_given(table: pa.Table, names: Iterable[str]) -> Given:
    """Return columns as a request's JSON would bring them: plain values, None for missing, dates as ISO 8601."""
    return {name: _plain(table.column(name)) for name in names if name in table.column_names}


def _plain(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if not pa.types.is_temporal(column.type):
        return values
    return [value.isoformat() if isinstance(value, datetime) else value for value in values]


def _score(
    scorer: Scorer, part: Part, piece: slice, layout: pa.Schema, named: Sequence[str]
) -> tuple[Scored, pa.Table]:
    table = part.table.slice(piece.start, piece.stop - piece.start)
    positions = part.positions[piece]
    found = scorer.score(to_given(table, scorer.columns))
    codes: list[str | None] = [None] * table.num_rows
    reasons: list[str | None] = [None] * table.num_rows
    for refusal in found.refusals:
        codes[refusal.row], reasons[refusal.row] = refusal.code, refusal.sentence
    scores = found.scores.reshape(table.num_rows, -1)
    missing = np.array([code is not None for code in codes], dtype=bool)
    columns = [
        pa.array(positions),
        *(table.column(name) for name in named),
        *(pa.array(scores[:, at], mask=missing) for at in range(scores.shape[1])),
        pa.array(codes, pa.string()),
        pa.array(reasons, pa.string()),
    ]
    placed = tuple(Refusal(int(positions[one.row]), one.code, one.sentence) for one in found.refusals)
    return Scored(found.scores, placed, found.unseen), pa.table(columns, schema=layout)


def _layout(schema: pa.Schema, named: Sequence[str], scorer: Scorer) -> pa.Schema:
    task = scorer.bundle.contract.task
    scores = [f"score_{label}" for label in task.classes] if task.kind == "multiclass" else ["score"]
    return pa.schema(
        [
            pa.field("row", pa.int64()),
            *(schema.field(name).with_nullable(nullable=True) for name in named),
            *(pa.field(name, pa.float32()) for name in scores),
            pa.field("code", pa.string()),
            pa.field("reason", pa.string()),
        ]
    )


def _refused(lost: Sequence[Refusal], layout: pa.Schema) -> pa.Table:
    told = {
        "row": [refusal.row for refusal in lost],
        "code": [refusal.code for refusal in lost],
        "reason": [refusal.sentence for refusal in lost],
    }
    return pa.table(
        [pa.array(told[one.name], one.type) if one.name in told else pa.nulls(len(lost), one.type) for one in layout],
        schema=layout,
    )


def _at_once(refusals: Iterable[Refusal]) -> Iterator[tuple[Refusal, ...]]:
    waiting: list[Refusal] = []
    for refusal in refusals:
        waiting.append(refusal)
        if len(waiting) == _REFUSED_AT_ONCE:
            yield tuple(waiting)
            waiting.clear()
    if waiting:
        yield tuple(waiting)


def _add(refusals: RefusalCounts, unseen: dict[str, int], found: Scored) -> None:
    for refusal in found.refusals:
        refusals.add(refusal)
    for name, count in found.unseen.items():
        unseen[name] = unseen.get(name, 0) + count
