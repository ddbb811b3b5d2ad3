"""A delivery that is played back: its rows' times, inputs and labels, and its parts as they land."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cli.callers import inputs, read
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from cli.timetable import Times
    from lifecycle.spec import Product


@dataclass(frozen=True)
class Played:
    """One file. `times` (n,), NaT where unknown; `table` has n rows, of which some columns are of interest here."""

    path: Path
    table: pa.Table
    times: Times
    names: Sequence[str]
    target: str

    @property
    def name(self) -> str:
        """Return the name it lands under."""
        return self.path.name

    @property
    def rows(self) -> int:
        """Return n."""
        return int(self.table.num_rows)

    @cached_property
    def inputs(self) -> list[Mapping[str, object]]:
        """Return per row (n,) what a request says of it."""
        found: list[Mapping[str, object]] = self.table.select(self.names).to_pylist()
        return found

    @cached_property
    def labels(self) -> list[object]:
        """Return per row (n,) what came true, None where nothing did."""
        from lifecycle.columns import is_missing

        return [None if is_missing(value) else value for value in self.table.column(self.target).to_pylist()]

    def part(self, until: np.datetime64 | None, folder: Path) -> Path:
        """Return a file of the same name and kind with the rows before a moment; the file itself without one."""
        if until is None:
            return self.path
        import pyarrow as pa
        from pyarrow import csv, parquet

        made = folder / self.name
        if self.path.suffix == ".parquet":
            parquet.write_table(self.table.filter(pa.array(self.times < until)), made, write_page_checksum=True)
        else:
            texts = _texts(self.path).filter(pa.array(self.times < until))
            csv.write_csv(texts, made, csv.WriteOptions(quoting_style="needed"))
        return made


def played(product: Product, paths: Sequence[Path]) -> tuple[Played, ...]:
    """Read the files to play. Raises UsageError for a product without a time column, or a file that cannot be played.

    A delivery is known by its name, so two files of one name are refused.
    """
    if product.time is None:
        raise UsageError(
            f"{product.name} has no time column, so nobody knows when its rows happened.",
            resolution="Name one as `time:` in its product.yaml, or ask at a steady rate: `tropism simulate`.",
        )
    names = [path.name for path in paths]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Two files are called {twice}.", resolution="Give each a name of its own.")
    return tuple(_one(product, product.time, path) for path in paths)


def _one(product: Product, time: str, path: Path) -> Played:
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    table, names = read(path), inputs(product)
    wanted = [*names, time, product.target.column]
    if missing := [name for name in dict.fromkeys(wanted) if name not in table.column_names]:
        raise UsageError(f"{path} cannot be played back.", detail=f"It lacks {', '.join(missing)}.")
    times = _times(path, table.column(time))
    if np.isnat(times).all():
        raise UsageError(f"{path} cannot be played back.", detail=f"No row has a {time}.")
    return Played(path, table, times, names, product.target.column)


def _times(path: Path, column: pa.ChunkedArray) -> Times:
    """Return times (n,) in UTC. Raises UsageError when they are none."""
    from lifecycle.columns import Column, ColumnError, normalise

    values: Any = column.to_numpy()
    if values.dtype.kind == "O":
        values = np.array([value or None for value in values.tolist()], dtype=object)  # an empty field of a CSV file
    try:
        return normalise(Column(name="time", type="datetime", nullable=True), values)
    except ColumnError as error:
        raise UsageError(f"{path} cannot be played back.", detail=str(error)) from error


def _texts(path: Path) -> pa.Table:
    """Return a CSV file's fields as they are written, so that a part of it says the same."""
    import pyarrow as pa
    from pyarrow import csv

    head = csv.open_csv(path).schema.names
    as_text = csv.ConvertOptions(column_types=dict.fromkeys(head, pa.string()), strings_can_be_null=False)
    return csv.read_csv(path, convert_options=as_text)
