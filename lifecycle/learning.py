"""Labelled predictions as training data: which ones, under which name, and why a product cannot. Pure.

A stretch of predictions whose labels are due is one delivery, made of what was asked, what came true, and when it was
answered. It lands like any other and meets the same gate. Told again with the same labels it is the same bytes;
with a corrected one it replaces what it brought before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict

from lifecycle.declaration import Column, Target
from lifecycle.keys import landing_prefix
from lifecycle.label_book import Keys
from lifecycle.maturity import Stretch


class Learned(BaseModel):
    """A stretch that was delivered: under which key, how many rows, and the digest of the labels it told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    since: AwareDatetime
    until: AwareDatetime
    key: str
    rows: int
    labels: str


def obstacles(
    columns: Sequence[Column], target: Target, grain: Sequence[str], time: str | None, *, digests: bool, periods: bool
) -> Iterator[str]:
    """Say why a delivery cannot be made of predictions and labels; nothing when it can.

    `digests`: the log keeps no values; `periods`: a file's name tells its period.
    """
    if digests:
        yield "`predictions.features: digest` keeps no values to learn from"
    if periods:
        yield "`period` says that a delivery is one period, and predictions are of none"
    if target.at_least is not None:
        yield f"a label does not tell {target.column}, only whether it is at least {target.at_least:g}"
    known = {column.name for column in columns if column.input} | {target.column, *((time,) if time else ())}
    for column in columns:
        if column.name not in known and (not column.nullable or column.name in grain):
            yield f"{column.name} is no input, so no request tells it"


def labels_digest(keys: Keys, labels: NDArray[Any]) -> str:
    """Return the sha256 hex of which prediction has which label, whatever their order."""
    order = np.argsort(keys)
    told = labels[order]
    plain = json.dumps(told.tolist()).encode() if told.dtype.kind == "O" else told.astype("<f8").tobytes()
    return sha256(keys[order].astype("<u8").tobytes() + plain).hexdigest()


def delivered_value(column: Column, target: Target, label: object) -> object:
    """Return a label as the target's column holds it: one of its classes, a number, true or false, a text."""
    if target.classes:
        return target.classes[int(float(str(label)))]
    if column.type == "string":
        return str(label)
    number = float(str(label))
    if column.type == "boolean":
        return bool(number)
    return int(number) if column.type == "long" else number


def batch_key(product: str, stretch: Stretch) -> str:
    """Return the key a stretch lands under; told again, it is the same one."""
    since, until = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ") for moment in stretch)
    return f"{landing_prefix(product)}outcomes/{since}--{until}.parquet"


def record_key(product: str, stretch: Stretch) -> str:
    """Return the key of what is remembered of a stretch that was delivered."""
    return f"metrics/{product}/outcomes/{stretch.since.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
