"""A product drawn up from files nobody has described: profile, guesses, suites, a sample, as texts to review.

Reads files and writes none; where the texts go is the command's business. The rows are read by ingest's own reader
with the columns found, so what is drawn up fits what will be delivered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lifecycle import spec
from lifecycle.batch import Limits, RowCounts
from lifecycle.columns import Array, normalise
from lifecycle.columns import Column as RawColumn
from lifecycle.declaration import Features, Target
from lifecycle.declaring import columns_of, features_of, limits_of
from lifecycle.errors import UsageError
from lifecycle.evaluation import EvaluationPolicy
from lifecycle.expectation import to_text
from lifecycle.guessing import guess_parts, guess_time, key_candidates, overlay
from lifecycle.labels import read_labels
from lifecycle.metrics import TaskKind
from lifecycle.product_writing import Understood, product_yaml
from lifecycle.profiling import TableProfile, profile_column
from lifecycle.sizing import size
from lifecycle.spec import Product
from lifecycle.suite_writing import Subject, features_suite, raw_suite
from lifecycle.task_guess import find_target, guess_task
from tasks.cells import without_faults
from tasks.giveaways import giveaways, suspects
from tasks.reading import find_repeats, to_frame
from tasks.samples import request_json, sample_parquet
from tasks.sampling import Schema, describe, read_rows

# Equal rows are rows of their own when more than one in a hundred is one; a few are delivered twice.
_COMMON_REPEATS = 0.01


@dataclass(frozen=True)
class Wanted:
    """What a person said instead of leaving it to be guessed. `time` and `grain` empty: there is none."""

    task: TaskKind | None = None
    time: str | None = None
    grain: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Draft:
    """What was understood, and every file to write, by its path below the root; `rows` read and held back.

    `repeats`: rows that repeat another one of their file exactly.
    """

    understood: Understood
    files: Mapping[str, bytes] = field(repr=False)
    rows: RowCounts
    repeats: int


@dataclass(frozen=True)
class _Table:
    """All rows of the files in their order, without what ingest would hold back."""

    columns: Mapping[str, Array]
    arrow: pa.Table
    received: int
    repeats: int
    per_file: tuple[int, ...]

    @property
    def rows(self) -> int:
        return int(self.arrow.num_rows)


def draft(name: str, paths: Sequence[Path], target: str, wanted: Wanted, limits: Limits) -> Draft:
    """Draw up a product. Raises UsageError for what a person must decide, BatchError for files that cannot be read."""
    schema = describe(paths, limits)
    names = [column.name for column in schema.columns]
    target = find_target(target, names)
    for other in (*(wanted.grain or ()), *([wanted.time] if wanted.time else [])):
        find_target(other, names)
    product = _provisional(name, schema, target, limits)
    table = _read(paths, product)
    understood, profile = _understand(name, paths, schema, table, target, wanted)
    text = product_yaml(understood)
    final = spec.parse(text, source="the product that was drawn up")
    subject = Subject(
        table=profile,
        parts=understood.parts,
        target=target,
        classes=understood.task.task in ("binary", "multiclass"),
        usual_rows=min(table.per_file),
        nullable={column.name: column.nullable for column in understood.columns},
    )
    about = f"One delivery of {name} as it lands, before anything learns from it. {understood.about}"
    made = "The feature matrix of the rows a model learns from, before it is fitted."
    raw, features = raw_suite(subject), features_suite(subject, final.training.min_rows)
    files = {
        f"products/{name}/product.yaml": text.encode(),
        f"expectations/{name}_raw.json": to_text(f"{name}_raw", about, raw).encode(),
        f"expectations/{name}_features.json": to_text(f"{name}_features", made, features).encode(),
        f"products/{name}/sample/rows.parquet": sample_parquet(table.arrow, subject.least),
        f"products/{name}/sample/request.json": request_json(table.arrow, final).encode(),
    }
    counts = RowCounts(table.received, table.rows, table.received - table.rows)
    return Draft(understood, files, counts, table.repeats)


def _provisional(name: str, schema: Schema, target: str, limits: Limits) -> Product:
    """Return a product with every column as it was found, to read the files by."""
    columns = tuple(column.model_copy(update={"input": column.name != target}) for column in schema.columns)
    return Product(
        name=name,
        task="regression",
        grain=(),
        time=None,
        reading=schema.reading,
        columns=columns,
        target=Target(column=target),
        features=Features(),
        limits=limits,
        evaluation=EvaluationPolicy(metric="rmse", floors={}),
    )


def _read(paths: Sequence[Path], product: Product) -> _Table:
    """Read the files as ingest does; rows it would hold back, and exact repeats, are counted and left out."""
    tables, received, repeats, per_file = [], 0, 0, []
    for path in paths:
        rows = read_rows(path, product)
        table, _ = without_faults(rows, rows.faults)
        again = find_repeats(to_frame(table), np.arange(table.num_rows, dtype=np.int64), ())
        repeats += sum(len(fault.rows) for fault in again)
        tables.append(table)
        received += rows.received
        per_file.append(rows.received)
    whole = pa.concat_tables(tables)
    columns = {
        column.name: normalise(RawColumn(column.name, column.type), whole.column(column.name).to_numpy())
        for column in product.columns
    }
    return _Table(columns, whole, received, repeats, tuple(per_file))


def _understand(
    name: str, paths: Sequence[Path], schema: Schema, table: _Table, target: str, wanted: Wanted
) -> tuple[Understood, TableProfile]:
    profile = _profile(schema, table, np.arange(table.rows))
    time = guess_time(profile, target) if wanted.time is None else wanted.time or None
    if time is not None:
        _check_time(profile, time)
        profile = _profile(schema, table, np.argsort(table.columns[time], kind="stable"))
    task = guess_task(profile[target], wanted.task)
    labels = read_labels(task.task, Target(column=target, classes=task.classes), table.columns[target])
    sizing = size(task.task, labels, table.columns[time] if time else None)
    time = time if sizing.by_time else None
    grain = _grain(profile, table, target, time) if wanted.grain is None else wanted.grain
    parts = guess_parts(profile, target, time, grain)
    parts = overlay(parts, giveaways(parts, table.columns, task.task, labels.values, (grain, time)))
    features = features_of(profile, parts, time)
    if features == Features():
        left = "; ".join(f"{part.name}: {part.why}" for part in parts if part.role != "target")
        raise UsageError(f"Nothing is left to predict {target!r} from.", detail=f"{left}.")
    needed = (*grain, *([time] if time else []))
    unusable = (f"{shown or 'A column'} is left out: {why}" for shown, why in schema.unusable.items())
    understood = Understood(
        name=name,
        about=_about(paths, table),
        target=target,
        task=task,
        columns=columns_of(schema.columns, profile, parts, needed, features),
        parts=parts,
        grain=grain,
        repeats=not grain and table.repeats > _COMMON_REPEATS * table.rows,
        time=time,
        reading=schema.reading,
        features=features,
        sizing=sizing,
        limits=limits_of(max(path.stat().st_size for path in paths), profile),
        remarks=schema.remarks,
        notes=(*unusable, *sizing.notes, *suspects(parts, table.columns, task.task, labels.values, (grain, time))),
    )
    return understood, profile


def _profile(schema: Schema, table: _Table, order: NDArray[np.intp]) -> TableProfile:
    columns = tuple(
        profile_column(RawColumn(one.name, one.type), table.columns[one.name], order) for one in schema.columns
    )
    return TableProfile(columns, table.rows, table.repeats, table.per_file)


def _check_time(profile: TableProfile, time: str) -> None:
    if profile[time].moments is None:
        raise UsageError(
            f"{time!r} cannot say when a row happened.",
            detail=f"It holds {profile[time].column.type}, expected dates.",
            resolution="Name a date column, or `--time none`.",
        )


def _grain(profile: TableProfile, table: _Table, target: str, time: str | None) -> tuple[str, ...]:
    """Return the first set of columns that no two rows share, none when there is none. Exact repeats do not count."""
    import pandas as pd  # noqa: PLC0415  heavy

    candidates = key_candidates(profile, target, time)
    if not candidates:
        return ()
    frame = pd.DataFrame({name: table.columns[name] for name in {name for one in candidates for name in one}})
    once = ~to_frame(table.arrow).duplicated().to_numpy()
    for candidate in candidates:
        if not frame.loc[once, list(candidate)].duplicated().any():
            return candidate
    return ()


def _about(paths: Sequence[Path], table: _Table) -> str:
    files = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more files"
    return f"Drawn up by `tropism init` from {table.received:,} rows of {files}."
