"""How the columns of a delivery differ from the product's: a proposal to change the contract, in words and in full.

An added column is left out and the rest goes on; a removed, a renamed or a retyped one breaks the contract, and the
delivery is refused. Either way the same difference is kept with the batch, shown, and applied by one command. What it
does to the files is `lifecycle/product_editing.py`; reading types off values is `tasks/schema_changes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from lifecycle.declaration import Column, ColumnType

if TYPE_CHECKING:
    from lifecycle.spec import Product

MOST_ADDED = 100  # of more a person reads nothing; the rest is counted in the remark about extra columns


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Added(_Closed):
    """A column nobody declared. `type` None: one that no product can declare, a list or a struct."""

    name: str
    type: ColumnType | None
    format: str | None = None


class Renamed(_Closed):
    """A declared column that came under a name like its own."""

    name: str
    delivered: str


class Retyped(_Closed):
    """A declared column whose values are of another type."""

    name: str
    declared: ColumnType
    delivered: ColumnType
    format: str | None = None


class SchemaChange(_Closed):
    """The difference between a delivery's columns and the product's."""

    added: tuple[Added, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    retyped: tuple[Retyped, ...] = ()

    @property
    def breaking(self) -> bool:
        """Say whether a delivery that differs so is refused."""
        return bool(self.removed or self.renamed or self.retyped)

    @property
    def new(self) -> tuple[str, ...]:
        """Return the columns whose values nobody has looked at before."""
        return (*(one.name for one in self.added), *(one.name for one in self.retyped))

    def __bool__(self) -> bool:
        """Say whether there is any difference."""
        return bool(self.added or self.breaking)

    def lines(self) -> tuple[str, ...]:
        """Return the difference as people read it, a line per column; names only, never a value."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        for new in self.added:
            yield f"+ {shown(new.name)}: {new.type or 'of no type a product can declare'}"
        for name in self.removed:
            yield f"- {shown(name)}"
        for other in self.renamed:
            yield f"~ {shown(other.name)}: delivered as {other.delivered!r}"
        for typed in self.retyped:
            yield f"~ {shown(typed.name)}: {typed.declared}, delivered as {typed.delivered}"


UNCHANGED = SchemaChange()


def remaining(change: SchemaChange, product: Product) -> SchemaChange:
    """Return what of a change the product does not say yet: nothing once it was applied."""
    known = {column.name: column for column in product.columns}
    names = known.keys() | {alias for column in product.columns for alias in column.aliases}
    return SchemaChange(
        added=tuple(new for new in change.added if new.name not in names),
        removed=tuple(name for name in change.removed if name in known),
        renamed=tuple(one for one in change.renamed if one.name in known and one.delivered not in names),
        retyped=tuple(one for one in change.retyped if one.name in known and known[one.name].type == one.declared),
    )


def merged(changes: Iterable[SchemaChange]) -> SchemaChange:
    """Return the differences of several files as one; of two about the same column the first counts."""
    every = list(changes)
    return SchemaChange(
        added=tuple({one.name: one for change in reversed(every) for one in change.added}.values()),
        removed=tuple(dict.fromkeys(name for change in every for name in change.removed)),
        renamed=tuple({one.name: one for change in reversed(every) for one in change.renamed}.values()),
        retyped=tuple({one.name: one for change in reversed(every) for one in change.retyped}.values()),
    )


def declared(new: Added) -> Column:
    """Return the column that an added one becomes: kept and judged, part of no request, learned from by nobody.

    Batches that came before are without it, so it may be missing.
    """
    if new.type is None:
        raise ValueError(f"{new.name} is of no type a product can declare")
    return Column(name=new.name, type=new.type, nullable=True, input=False, format=new.format)


def shown(name: str) -> str:
    """Return a name that stays on its line, whatever a producer calls a column."""
    plain = "".join(sign if sign.isprintable() else " " for sign in name)
    return plain if len(plain) <= 64 else plain[:64] + "…"  # noqa: PLR2004  as lifecycle/schema.py
