"""The rows of a label file: what each says about which prediction, and why some say nothing. Pure.

A file has a column `prediction_id`, one called `label` or like the product's target, and may have `at`: since when the
label is true, by default when the file came. A row that cannot be read is refused alone, with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from lifecycle.batch import Reason
from lifecycle.codes import Code
from lifecycle.columns import is_missing, level, parse_instant
from lifecycle.declaration import Target
from lifecycle.errors import BatchError
from lifecycle.label_book import Told, keys_of
from lifecycle.metrics import TaskKind
from lifecycle.predictions import PredictionId

ID, LABEL, AT = "prediction_id", "label", "at"
Cells = Sequence[object]
# What tools write for "no value" where a number is meant.
_NOTHING = frozenset({"na", "n/a", "nan", "null", "none"})


@dataclass(frozen=True)
class LabelRows:
    """The rows that say something, and per reason how many do not."""

    told: Told
    reasons: tuple[Reason, ...]
    received: int


def read_rows(task: TaskKind, target: Target, columns: Mapping[str, Cells], received: datetime) -> LabelRows:
    """Read a file's columns; each cell is text, a number, a truth value, a time or None.

    Raises BatchError when a column is missing.
    """
    name = _label_column(columns, target)
    ids, cells = columns[ID], columns[name]
    times = columns.get(AT, [None] * len(ids))
    kept, bad = [], Counter[Code]()
    values: list[object] = []
    instants: list[np.datetime64] = []
    came = np.datetime64(received.astimezone(UTC).replace(tzinfo=None), "us")
    for identity, cell, time in zip(ids, cells, times, strict=True):
        text = str(identity).strip() if identity is not None else ""
        found, since = _value(task, target, name, cell), _instant(time, came)
        if PredictionId.parse(text) is None:
            bad[Code.PATTERN] += 1
        elif isinstance(found, Code):
            bad[found] += 1
        elif since is None:
            bad[Code.TYPE] += 1
        else:
            kept.append(text)
            values.append(found)
            instants.append(since)
    kind = object if task == "multiclass" else np.float64
    labels = np.array([np.nan if one is None and kind is np.float64 else one for one in values], dtype=kind)
    at = np.array(instants, dtype="datetime64[us]")
    told = Told(keys_of(kept), labels, at, np.full(len(kept), came))
    return LabelRows(told, _reasons(bad, name), len(ids))


def _label_column(columns: Mapping[str, Cells], target: Target) -> str:
    if ID not in columns:
        raise _lacking(ID, columns)
    for name in (LABEL, target.column):
        if name in columns:
            return name
    raise _lacking(f"{LABEL} or {target.column}", columns)


def _lacking(name: str, columns: Mapping[str, Cells]) -> BatchError:
    return BatchError(
        f"The label file has no column {name}.",
        detail=f"It has {', '.join(columns) or 'none'}; expected {ID}, {LABEL} and, if known, {AT}.",
        resolution="Mend the file and give it again.",
    )


def _value(task: TaskKind, target: Target, name: str, cell: object) -> float | str | Code | None:
    """Return a label, None for one that is taken back, or why it is none."""
    plain = cell.strip() if isinstance(cell, str) else cell
    texts = task == "multiclass" or (task == "binary" and bool(target.classes) and name == target.column)
    if is_missing(plain) or plain == "" or (not texts and str(plain).lower() in _NOTHING):
        return None
    if task == "multiclass":
        return level(plain)
    if texts:
        return float(target.classes.index(found)) if (found := level(plain)) in target.classes else Code.CATEGORY
    number = _number(plain)
    return Code.TYPE if number is None else _meant(task, target, name, number)


def _meant(task: TaskKind, target: Target, name: str, number: float) -> float | Code:
    if task == "binary" and name == target.column and target.at_least is not None:
        return float(number >= target.at_least)
    if (task == "binary" and number not in (0.0, 1.0)) or (task == "counts" and number < 0):
        return Code.RANGE
    return number


def _number(cell: object) -> float | None:
    if isinstance(cell, str) and cell.strip().lower() in ("true", "false"):
        return float(cell.strip().lower() == "true")
    try:
        number = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _instant(cell: object, otherwise: np.datetime64) -> np.datetime64 | None:
    if cell is None or cell == "":
        return otherwise
    try:
        if isinstance(cell, datetime):
            return parse_instant(cell.isoformat())
        return parse_instant(str(cell).strip())
    except (ValueError, OverflowError):
        return None


def _reasons(bad: Mapping[Code, int], name: str) -> tuple[Reason, ...]:
    told = {
        Code.PATTERN: (ID, "no prediction id", "what an answer's prediction_ids name"),
        Code.TYPE: (name, "no label, or no time", "a label the task knows, ISO 8601 in `at`"),
        Code.RANGE: (name, "a number that is no label", "0 or 1 of a binary task, 0 or more of counts"),
        Code.CATEGORY: (name, "another class", "one of target.classes"),
    }
    return tuple(Reason(code, *told[code], rows) for code, rows in bad.items() if rows)
