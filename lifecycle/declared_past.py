"""What a product declares about the past of its rows, and what makes such a declaration impossible.

`lifecycle/past.py` fits it; the values are made in `lifecycle/history.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lifecycle.durations import Duration
from lifecycle.history import History, Stat
from lifecycle.refusal import nearest

if TYPE_CHECKING:
    from lifecycle.declaration import Column

_CLOSED = ConfigDict(frozen=True, extra="forbid")
_NUMBERS = ("double", "long", "boolean")
_ZERO = timedelta(0)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class DeclaredHistory(BaseModel):
    """What is known of a key from its earlier rows. Called `x`, it becomes the features `x.mean`, `x.count`, ..."""

    model_config = _CLOSED

    by: Annotated[Names, Field(description="Inputs: rows with the same values are of one key.")]
    of: Annotated[str | None, Field(description="A column of numbers, the target too; left out: rows are counted.")] = (
        None
    )
    take: Annotated[tuple[Stat, ...], Field(min_length=1)] = ("count",)
    window: Annotated[
        Duration | None,
        Field(gt=_ZERO, description="Only what became known within so long; left out: everything."),
    ] = None
    delay: Annotated[
        Duration | None,
        Field(ge=_ZERO, description="How long after a row's time its value is known; needed unless `of` is an input."),
    ] = None

    @model_validator(mode="after")
    def _counts_have_no_value(self) -> Self:
        if len(set(self.take)) != len(self.take):
            raise ValueError("take: a statistic is listed twice")
        if self.of is None and self.take != ("count",):
            raise ValueError(f"take: {self.take[0]!r} needs a column; say `of: COLUMN`")
        return self

    def named(self, name: str) -> History:
        """Return the history as it is fitted."""
        return History(name, self.by, self.of or "", self.take, self.window, self.delay or _ZERO)


def time_obstacles(columns: Sequence[Column], time: str | None) -> Iterator[str]:
    """Say why rows cannot be placed in time when a prediction is asked for; nothing when they can."""
    if time is None:
        yield "features.histories, joins: without a time column nothing is earlier"
    elif not next(column.input for column in columns if column.name == time):
        yield f"features.histories, joins: a request must say when it happens, so {time!r} cannot be `input: false`"


def obstacles(
    histories: Mapping[str, DeclaredHistory], columns: Sequence[Column], target: str, *, classes: bool
) -> Iterator[str]:
    """Say why histories cannot be made or kept from leaking; nothing when they can. `classes`: of a multiclass task."""
    known = {column.name: column for column in columns}
    for name, one in histories.items():
        where = f"features.histories.{name}"
        for key in one.by:
            yield from (f"{where}.by: {why}" for why in key_obstacles(known, key, target))
        if one.of is not None:
            yield from (f"{where}.of: {why}" for why in _value_obstacles(known, one, one.of, target, classes=classes))


def key_obstacles(known: Mapping[str, Column], name: str, target: str) -> Iterator[str]:
    """Say why a column cannot be what rows are looked up by; nothing when it can."""
    if name not in known:
        yield no_column(name, known)
    elif not known[name].input:
        yield f"a request must bring {name!r}, so it cannot be {'the target' if name == target else '`input: false`'}"
    elif known[name].type == "datetime":
        yield f"{name!r} is a datetime, and no instant comes back"
    elif known[name].sensitive:
        yield f"{name!r} is sensitive, and a bundle names the keys it knows"


def _value_obstacles(
    known: Mapping[str, Column], one: DeclaredHistory, name: str, target: str, *, classes: bool
) -> Iterator[str]:
    if name not in known:
        yield no_column(name, known)
        return
    column, counted = known[name], one.take == ("count",)
    if name == target and classes:
        yield f"{name!r} is one of many classes, and no statistic is made of names; see `features.encoded`"
    elif name != target and column.type not in _NUMBERS:
        yield f"{name!r} is a {column.type}, and statistics are made of numbers"
    if column.sensitive and not counted:
        yield f"{name!r} is sensitive, and a bundle holds what it was"
    if one.delay is None and not column.input:
        yield f"{name!r} is not known when a row happens; say `delay:`, how long after it is"


def no_column(name: str, known: Mapping[str, object]) -> str:
    """Return that there is no such column, with the one that was probably meant."""
    near = nearest(name, list(known))
    return f"no column is called {name!r}" + (f"; did you mean {near!r}?" if near else "")
