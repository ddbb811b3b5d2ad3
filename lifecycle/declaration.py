"""What a product declares about its files: columns, target, features, and how a CSV is written.

The parts of `product.yaml` that more than one stage reads. What is done with them is decided where it is done:
reading in `tasks/`, labels in `lifecycle/labels.py`, features in `lifecycle/features.py`.
"""

from __future__ import annotations

import codecs
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.declared_past import DeclaredHistory
from lifecycle.durations import Duration
from lifecycle.transforms import DatePart

ColumnType = Literal["double", "long", "string", "datetime", "boolean"]
_CLOSED = ConfigDict(frozen=True, extra="forbid")


class Column(BaseModel):
    """One column of a raw delivery."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, max_length=128)]
    type: ColumnType
    nullable: bool = False
    input: Annotated[bool, Field(description="Known when a prediction is asked for, so part of a request.")] = True
    format: Annotated[
        str | None, Field(description="How a CSV writes the date, as in strptime. Default: ISO 8601.")
    ] = None
    aliases: Annotated[tuple[str, ...], Field(description="Other names that a delivery may give it.")] = ()
    sensitive: Annotated[
        bool, Field(description="Its values never leave the landing, validated and quarantine zones.")
    ] = False

    @model_validator(mode="after")
    def _only_dates_have_a_format(self) -> Self:
        if self.format is not None and self.type != "datetime":
            raise ValueError(f"{self.name}: `format` belongs to a datetime, this is a {self.type}")
        return self


class Target(BaseModel):
    """What is predicted, and how it is read off the delivered column."""

    model_config = _CLOSED

    column: str
    at_least: Annotated[float | None, Field(description="Binary: the label is 1 where column >= this.")] = None
    classes: Annotated[
        tuple[str, ...], Field(description="Binary: the two values, the second is what is predicted.")
    ] = ()

    @model_validator(mode="after")
    def _one_way_to_two_classes(self) -> Self:
        if self.classes and (len(set(self.classes)) != 2 or len(self.classes) != 2):  # noqa: PLR2004  # binary
            raise ValueError("target.classes: two different values, the second is what is predicted")
        if self.classes and self.at_least is not None:
            raise ValueError("target: say `classes` or `at_least`, not both")
        return self


class Features(BaseModel):
    """Which columns, delivered or derived by the product's `features.py`, feed the model, and how.

    A feature that is made from a column is called after it: `joined.month`, `note.length`, `income.missing`.
    """

    model_config = _CLOSED

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    max_levels: Annotated[int, Field(gt=1, le=10_000)] = 255
    encoded: Annotated[
        tuple[str, ...], Field(description="Categories of many levels, each as the mean label seen with it.")
    ] = ()
    max_encoded_levels: Annotated[int, Field(gt=1, le=50_000)] = 5_000
    dates: Annotated[dict[str, tuple[DatePart, ...]], Field(description="Parts of datetime columns.")] = {}
    lengths: Annotated[tuple[str, ...], Field(description="Texts, as their characters and words.")] = ()
    missing: Annotated[tuple[str, ...], Field(description="1 where the column has no value.")] = ()
    ratios: Annotated[
        dict[str, tuple[str, str]], Field(description="Name: [dividend, divisor]; missing where it divides by 0.")
    ] = {}
    histories: Annotated[
        dict[str, DeclaredHistory], Field(description="Name: what is known of a key from its earlier rows.")
    ] = {}
    refresh: Annotated[
        Duration,
        Field(ge=timedelta(minutes=1), description="Rows know the past as of the beginning of a stretch this long."),
    ] = timedelta(days=7)


class Reading(BaseModel):
    """How a CSV delivery is written. A Parquet file says it itself."""

    model_config = _CLOSED

    encoding: str = "utf-8"
    separator: Literal[",", ";", "\t", "|"] = ","
    decimal: Literal[".", ","] = "."

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ValueError(f"reading.encoding: Python knows no encoding {self.encoding!r}") from None
        if self.decimal == self.separator:
            raise ValueError("reading: the separator cannot be the decimal sign as well")
        return self
