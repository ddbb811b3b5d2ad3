"""How a delivery's columns differ from the product's, with the types their values have. Proposes; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from lifecycle.declaration import Column
from lifecycle.schema import differences
from lifecycle.schema_change import MOST_ADDED, UNCHANGED, Added, Renamed, Retyped, SchemaChange
from lifecycle.spec import Product
from tasks.column_types import Typed, date_of_texts, type_of_arrow, type_of_texts
from tasks.parsing import Parsed

_LOOKED_AT = 1_000  # texts of a Parquet column, to see whether they are dates


def by_name(names: Sequence[str], product: Product, typed: Callable[[int], Typed | None]) -> SchemaChange:
    """Return how delivered names differ; `typed` says what the values at a position are."""
    found = differences(names, product.required, product.target.column)
    if found is None:
        return UNCHANGED
    new = [at for at in found.added if 0 < len(names[at]) <= 128][:MOST_ADDED]  # noqa: PLR2004  as product.yaml allows
    return SchemaChange(
        added=tuple(_added(names[at], typed(at)) for at in new),
        removed=found.removed,
        renamed=tuple(Renamed(name=name, delivered=other) for name, other in found.renamed.items()),
    )


def of_csv(names: Sequence[str], cells: pa.Table, product: Product) -> SchemaChange:
    """Return how the columns of a CSV differ; `cells` are its rows as text."""
    decimal = product.reading.decimal
    return by_name(names, product, lambda at: type_of_texts(names[at], cells.column(at).combine_chunks(), decimal))


def of_parquet(names: Sequence[str], schema: pa.Schema, product: Product) -> SchemaChange:
    """Return how the columns of a Parquet file differ, by its own types."""
    return by_name(names, product, lambda at: type_of_arrow(schema.field(at).type))


def retyped_texts(texts: Mapping[str, pa.Array], parsed: Mapping[str, Parsed], product: Product) -> tuple[Retyped, ...]:
    """Return the columns of a CSV that hold so much of another type that the file is refused for it."""
    most = product.limits.max_quarantined_share
    wrong = [one for one in product.columns if one.name in parsed and _share(parsed[one.name]) > most]
    found = [(one, type_of_texts(one.name, texts[one.name], product.reading.decimal)) for one in wrong]
    return tuple(_retyped(one, typed) for one, typed in found if _differs(one, typed))


def retyped_column(column: Column, values: pa.Array) -> tuple[Retyped, ...]:
    """Return what a Parquet column is instead of what is declared; nothing for what no product can declare."""
    typed = type_of_arrow(values.type)
    if typed == Typed("string"):
        typed = date_of_texts(column.name, values.slice(0, _LOOKED_AT).cast(pa.string())) or typed
    return (_retyped(column, typed),) if typed is not None and _differs(column, typed) else ()


def _added(name: str, typed: Typed | None) -> Added:
    return Added(name=name, type=typed.type if typed else None, format=typed.format if typed else None)


def _retyped(column: Column, typed: Typed) -> Retyped:
    return Retyped(name=column.name, declared=column.type, delivered=typed.type, format=typed.format)


def _differs(column: Column, typed: Typed) -> bool:
    return (typed.type, typed.format) != (column.type, column.format)


def _share(parsed: Parsed) -> float:
    return float(parsed.bad.mean()) if len(parsed.bad) else 0.0
