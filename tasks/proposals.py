"""A change of a product's columns, drawn up from a delivery: its files as they would be, as texts to review.

Reads the batch and the files, and writes none. New columns get rules from their own values, as `tropism init` writes
them; rules on columns that went, or are of another type now, go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from lifecycle import spec
from lifecycle.batch import shown
from lifecycle.columns import Column as RawColumn
from lifecycle.columns import normalise
from lifecycle.errors import SuiteError
from lifecycle.expectation import Expectation
from lifecycle.expectation import edited as edited_suite
from lifecycle.guessing import Part, guess_parts
from lifecycle.product_editing import edited
from lifecycle.profiling import TableProfile, profile_column
from lifecycle.schema_change import SchemaChange
from lifecycle.spec import Product
from lifecycle.suite_writing import Subject, raw_suite
from tasks.cells import Refused, without_faults
from tasks.judging import read_content
from tasks.requeues import Bytes, bytes_of, content_of
from tasks.samples import request_json, sample_parquet

_LISTS = {"number": "numbers", "category": "categories", "encoded": "encoded", "text": "lengths", "missing": "missing"}


@dataclass(frozen=True)
class Proposal:
    """What a change would make of a product's files, by their paths below the root, product.yaml last."""

    change: SchemaChange
    files: Mapping[str, bytes] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rows:
    """The rows of the batch in the changed product's columns, and what its new columns are for."""

    table: pa.Table
    profile: TableProfile
    parts: tuple[Part, ...]


def propose(bucket: str, root: Path, product: Product, batch_id: str, change: SchemaChange, *, learn: bool) -> Proposal:
    """Draw up a change. Raises BatchError when the batch's bytes are gone, SpecError for what a person must decide."""
    path = root / "products" / product.name / "product.yaml"
    text, label = path.read_text(encoding="utf-8"), shown(batch_id)
    after = spec.parse(edited(text, change, str(path), batch=label), source=str(path))
    new = frozenset(change.new)
    rows = _rows(bytes_of(bucket, product.name, batch_id), bucket, after, new)
    notes = [f"{one.name!r} is of no type a product can declare." for one in change.added if one.type is None]
    places = _places(rows) if learn and not isinstance(rows, Refused) else {}
    if isinstance(rows, Refused):
        notes.append(f"Its rows cannot be read yet, so no rules were drawn up: {' '.join(map(str, rows.reasons))}")
    elif not learn and new:
        notes.append("Nobody learns from a new column: write it into `features`, or say --learn.")
    notes += [f"{name!r} is no feature of any kind." for name in sorted(new - places.keys()) if learn]
    text = edited(text, change, str(path), batch=label, learn=places)
    files = {**_suites(root, product, change, rows), **_sample(root, spec.parse(text, source=str(path)), rows)}
    return Proposal(change, {**files, f"products/{product.name}/product.yaml": text.encode()}, tuple(notes))


def _rows(source: Bytes, bucket: str, after: Product, new: frozenset[str]) -> _Rows | Refused:
    rows = read_content(source.origin.key, content_of(bucket, after.name, source), after)
    if isinstance(rows, Refused):
        return rows
    table, _ = without_faults(rows, rows.faults)
    order = np.arange(table.num_rows)
    raw = [RawColumn(one.name, one.type) for one in after.columns if one.name in new and not one.sensitive]
    columns = tuple(profile_column(one, normalise(one, table.column(one.name).to_numpy()), order) for one in raw)
    profile = TableProfile(columns, int(table.num_rows), 0)
    return _Rows(table, profile, guess_parts(profile, after.target.column, after.time, after.grain))


def _places(rows: _Rows) -> dict[str, str]:
    return {part.name: _LISTS[part.role] for part in rows.parts if part.role in _LISTS}


def _suites(root: Path, product: Product, change: SchemaChange, rows: _Rows | Refused) -> dict[str, bytes]:
    """Return the suites that change: without rules on columns that are not what they were, with rules on new ones."""
    new: tuple[Expectation, ...] = ()
    if not isinstance(rows, Refused):
        names = {part.name: True for part in rows.parts}
        subject = Subject(rows.profile, rows.parts, product.target.column, False, rows.profile.rows, names)  # noqa: FBT003
        new = raw_suite(subject)[1:]  # the first is on the number of rows, which the product knows already
    gone = {*change.removed, *change.new}
    files = {}
    for kind, rules in (("raw", new), ("features", ()), ("predictions", ())):
        path = root / "expectations" / f"{product.name}_{kind}.json"
        if not path.is_file():
            continue
        before = path.read_text(encoding="utf-8")
        try:
            files[f"expectations/{path.name}"] = edited_suite(before, gone, rules).encode()
        except ValueError as error:
            raise SuiteError(f"The suite {path} cannot follow the change.", detail=f"{error}.") from error
    return files


def _sample(root: Path, after: Product, rows: _Rows | Refused) -> dict[str, bytes]:
    """Return the sample anew, of the batch's rows: one without the new columns is no delivery of the product."""
    folder = root / "products" / after.name / "sample"
    if isinstance(rows, Refused) or after.sensitive or not (folder / "rows.parquet").is_file():
        return {}
    found = {f"products/{after.name}/sample/rows.parquet": sample_parquet(rows.table, 0)}
    if (folder / "request.json").is_file():
        found[f"products/{after.name}/sample/request.json"] = request_json(rows.table, after).encode()
    return found
