"""The further tables in a product's folder, read as a delivery is: by the same readers, within declared limits.

A table is a reviewed file of the product and no delivery: it is used whole or not at all, and its digest is part of
what a training is called. Joining is `lifecycle/joining.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lifecycle.codes import Code
from lifecycle.columns import Array
from lifecycle.declaration import Target
from lifecycle.declared_joins import DeclaredJoin
from lifecycle.errors import SpecError
from lifecycle.spec import Product

FOLDER = "tables"
_ENDINGS = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True)
class TableFile:
    """A table as it was found: the sha256 of its bytes, and its columns (m,)."""

    sha256: str
    columns: Mapping[str, Array]


def read_tables(folder: Path, joins: Mapping[str, DeclaredJoin]) -> dict[str, TableFile]:
    """Return every joined table of the product in `folder`. Raises SpecError naming the file and what is wrong."""
    return {name: _read(_path(folder / FOLDER, name), name, declared) for name, declared in joins.items()}


def _path(folder: Path, name: str) -> Path:
    found = [path for ending in _ENDINGS if (path := folder / f"{name}{ending}").is_file()]
    if len(found) == 1:
        return found[0]
    there = ", ".join(path.name for path in found) or "none of them"
    raise SpecError(
        f"The joined table {name!r} has {len(found) or 'no'} files in {folder}.",
        detail=f"Expected one of {', '.join(f'{name}{ending}' for ending in _ENDINGS)}; found {there}.",
        resolution="Put one there, or take the table out of `joins` in product.yaml.",
    )


def _read(path: Path, name: str, declared: DeclaredJoin) -> TableFile:
    from tasks.cells import Refused, without_faults  # noqa: PLC0415  pyarrow and pandas, for products with tables only
    from tasks.reading import find_repeats, read, to_frame  # noqa: PLC0415
    from tasks.snapshot import frame_of  # noqa: PLC0415

    body, layout = path.read_bytes(), _layout(name, declared)
    rows = read(path.name, body, layout)
    if isinstance(rows, Refused):
        raise _unusable(path, " ".join(map(str, rows.reasons)))
    repeats = find_repeats(to_frame(rows.table), rows.positions, layout.grain)
    if faults := [*rows.faults, *(one for one in repeats if one.code is not Code.DUPLICATE_ROW)]:
        told = (f"{one.reason} First: line {rows.places(one.rows[:1])[0]}." for one in faults)
        raise _unusable(path, " ".join(told))
    table, _ = without_faults(rows, repeats)  # an exact repeat says nothing new
    return TableFile(sha256(body).hexdigest(), frame_of([table], declared.typed, layout).columns)


def _layout(name: str, declared: DeclaredJoin) -> Product:
    """Return a table as readers look at a product: columns, dialect and limits; it has no target and no features."""
    asked: dict[str, Any] = {
        "name": name,
        "grain": (*declared.keys, declared.time),
        "time": declared.time,
        "columns": declared.columns,
        "target": Target(column=""),
        "reading": declared.reading,
        "limits": declared.limits,
    }
    return Product.model_construct(**asked)


def _unusable(path: Path, why: str) -> SpecError:
    return SpecError(
        f"{path} cannot be joined.", detail=why, resolution="Mend it: a table is used whole or not at all."
    )
