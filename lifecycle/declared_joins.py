"""What a product declares about further tables, and what makes such a declaration impossible.

The file is `tables/<name>.parquet`, `.csv` or `.csv.gz` in the product's folder; reading it is `tasks/tables.py`, and
joining `lifecycle/joining.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.batch import Limits
from lifecycle.columns import Column as TypedColumn
from lifecycle.declaration import Column, Reading
from lifecycle.declared_past import Names, key_obstacles, no_column
from lifecycle.durations import Duration
from lifecycle.joining import Join

_CLOSED = ConfigDict(frozen=True, extra="forbid")
_ZERO = timedelta(0)


class DeclaredJoin(BaseModel):
    """A further table. Called `x`, its columns join the product's rows as `x.column`, and features may name them."""

    model_config = _CLOSED

    by: Annotated[Names, Field(description="Inputs that say which rows of the table are a row's.")]
    key: Annotated[Names | None, Field(description="What the table calls them; left out: the same.")] = None
    time: Annotated[str, Field(description="The table's datetime column: a row is true from then on.")]
    columns: Annotated[tuple[Column, ...], Field(min_length=3)]
    lag: Annotated[Duration, Field(ge=_ZERO, description="How much later than it is true a row is in the table.")] = (
        _ZERO
    )
    max_age: Annotated[Duration | None, Field(gt=_ZERO, description="An older row is not used; left out: any.")] = None
    ahead: Annotated[
        bool,
        Field(description="Rows are in the table before they are true, as in a calendar."),
    ] = False
    reading: Reading = Reading()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _a_key_has_as_many_columns(self) -> Self:
        if len(self.keys) != len(self.by):
            raise ValueError(f"key: {len(self.keys)} columns, and `by` has {len(self.by)}")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Return what the table calls the columns of its key."""
        return self.key or self.by

    @property
    def typed(self) -> tuple[TypedColumn, ...]:
        """Return the table's columns as they are read."""
        return tuple(TypedColumn(one.name, one.type, nullable=one.nullable) for one in self.columns)

    def named(self, name: str) -> Join:
        """Return the join as it is fitted."""
        values = tuple(one for one in self.typed if one.name not in (*self.keys, self.time))
        return Join(name, self.by, self.keys, self.time, values, self.lag, self.max_age, self.ahead)


def obstacles(joins: Mapping[str, DeclaredJoin], known: Sequence[Column], target: str) -> Iterator[str]:
    """Say why tables cannot be joined or would tell what nobody may see; nothing when they can."""
    names = {column.name: column for column in known}
    for name, one in joins.items():
        own = {column.name: column for column in one.columns}
        for key, wanted in zip(one.by, one.keys, strict=True):
            yield from (f"joins.{name}.by: {why}" for why in key_obstacles(names, key, target))
            if wanted not in own:
                yield f"joins.{name}.key: {no_column(wanted, own)}"
            elif key in names and (names[key].type == "string") != (own[wanted].type == "string"):
                yield f"joins.{name}.key: {wanted!r} is a {own[wanted].type}, and {key!r} a {names[key].type}"
        if one.time not in own:
            yield f"joins.{name}.time: {no_column(one.time, own)}"
        elif own[one.time].type != "datetime":
            yield f"joins.{name}.time: {one.time!r} is a {own[one.time].type}, and only a datetime says since when"
        yield from (f"joins.{name}.columns: {why}" for why in _column_obstacles(name, one, names))


def _column_obstacles(name: str, one: DeclaredJoin, known: Mapping[str, Column]) -> Iterator[str]:
    if len({column.name for column in one.columns}) != len(one.columns):
        yield "a name is listed twice"
    for column in one.columns:
        if column.sensitive:
            yield f"{column.name!r} is sensitive, and a bundle holds the table"
        if column.nullable and column.name in (*one.keys, one.time):
            yield f"{column.name!r} says whose a row is or since when, so it cannot be nullable"
        if f"{name}.{column.name}" in known:
            yield f"{name}.{column.name} is a column of the product already"
