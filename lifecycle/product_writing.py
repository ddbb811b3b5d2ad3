"""A product's first `product.yaml`: what was understood of the files, as text a person reads and changes.

Every line that is a guess carries its reason as a comment. The text is read back before anything is written, so it
never describes something that does not work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lifecycle.batch import Limits
from lifecycle.declaration import Column, Features, Reading
from lifecycle.guessing import Part
from lifecycle.sizing import Sizing
from lifecycle.task_guess import TaskGuess

SCHEMA_FILE = "product.schema.json"
_WIDTH = 110
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS_OF_YAML = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null", "none", "inf", "nan"})
_DEFAULTS = Features()


@dataclass(frozen=True)
class Understood:
    """Everything that was understood of some files; `remarks` by column, `about` says where it came from."""

    name: str
    about: str
    target: str
    task: TaskGuess
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    grain: tuple[str, ...]
    repeats: bool  # exact repeats are rows of their own
    time: str | None
    reading: Reading
    features: Features
    sizing: Sizing
    limits: Limits
    remarks: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def product_yaml(found: Understood) -> str:
    """Return the text of `product.yaml`."""
    blocks = (_head(found), _rows(found), _columns(found), _target(found), _features(found), _limits(found.limits))
    return "\n".join(["\n".join(block) + "\n" for block in (*blocks, _training(found.sizing), _evaluation(found))])


def _head(found: Understood) -> Iterator[str]:
    yield f"# yaml-language-server: $schema=../{SCHEMA_FILE}"
    yield f"# {found.about}"
    yield "# Every comment says why a guess was made. Change what is wrong: this file is yours from now on."
    yield f"name: {found.name}"
    yield f"description: {quoted(f'{found.target}, from the other columns.')}"
    yield f"task: {found.task.task} # {found.task.why}"


def _rows(found: Understood) -> Iterator[str]:
    if found.grain:
        yield f"grain: {_list(found.grain)} # identifies every row seen"
    elif found.repeats:
        yield "grain: [] # no column identifies a row, and equal rows are common:"
        yield "repeats: keep # each is a row of its own"
    else:
        yield "grain: [] # no column identifies a row: an equal row is the same row, delivered again"
    if found.time is not None:
        yield f"time: {quoted(found.time)} # when a row happened; models are judged on the newest rows"
    else:
        yield "time: null # no column says when a row happened: a share of all rows, drawn by their content, judges,"
        yield "# and nobody can say how a model ages"
    if found.reading != Reading():
        told = {name: value for name, value in found.reading.model_dump().items() if value != getattr(Reading(), name)}
        inside = ", ".join(f"{name}: {json.dumps(value)}" for name, value in told.items())
        yield f"reading: {{ {inside} }}"


def _columns(found: Understood) -> Iterator[str]:
    yield "# `input: true` is what a request carries: known when a prediction is asked for, and used by a feature."
    yield "columns:"
    why = {part.name: part for part in found.parts}
    for column in found.columns:
        part = why[column.name]
        facts = [f"name: {quoted(column.name)}", f"type: {column.type}"]
        facts += ["nullable: true"] if column.nullable else []
        facts += [] if column.input else ["input: false"]
        facts += [f"format: {json.dumps(column.format)}"] if column.format else []
        remark = f"; {found.remarks[column.name]}" if column.name in found.remarks else ""
        yield f"  - {{ {', '.join(facts)} }} # {one_line(f'{_ROLES.get(part.role, part.role)}: {part.why}{remark}')}"


def _target(found: Understood) -> Iterator[str]:
    if found.task.classes:
        classes = ", ".join(json.dumps(text, ensure_ascii=False) for text in found.task.classes)
        yield f"target: {{ column: {quoted(found.target)}, classes: [{classes}] }} # the second is what is predicted"
    else:
        yield f"target: {{ column: {quoted(found.target)} }}"


def _features(found: Understood) -> Iterator[str]:
    features = found.features
    yield "features:"
    for name, values in (("numbers", features.numbers), ("categories", features.categories)):
        yield from _listed(name, values)
    if features.encoded:
        yield "  # too many levels for a code each: the mean label seen with each level, smoothed"
        yield from _listed("encoded", features.encoded)
    if features.dates:
        yield "  dates:"
        yield from (f"    {quoted(name)}: {_list(parts)}" for name, parts in features.dates.items())
    for name, values in (("lengths", features.lengths), ("missing", features.missing)):
        yield from _listed(name, values)


def _limits(limits: Limits) -> Iterator[str]:
    yield "# A delivery beyond these is refused before it is decoded."
    yield "limits:"
    chosen = ("max_bytes", "max_rows", "max_columns", "max_field_characters", "max_quarantined_share")
    yield from (f"  {name}: {_number(getattr(limits, name))}" for name in chosen)


def _training(sizing: Sizing) -> Iterator[str]:
    yield "training:"
    window = "holdout_days" if sizing.by_time else "holdout_share"
    names = (window, "early_stopping_share", "min_rows", "min_holdout_rows", "max_depth", "min_child_weight")
    policy = sizing.training
    for name in (*names, "max_rounds"):
        if name == window or getattr(policy, name) != type(policy).model_fields[name].default:
            yield f"  {name}: {_number(getattr(policy, name))} # {sizing.why[name]}"


def _evaluation(found: Understood) -> Iterator[str]:
    policy, why = found.sizing.evaluation, found.sizing.why
    yield "evaluation:"
    yield f"  metric: {policy.metric} # {why['metric']}"
    floors = ", ".join(f"{metric}: {floor:g}" for metric, floor in policy.floors.items())
    yield f"  floors: {{ {floors} }} # {why['floors']}"


def _listed(name: str, values: Sequence[str]) -> Iterator[str]:
    if not values:
        return
    line = f"  {name}: {_list(values)}"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"  {name}:"
    yield from (f"    - {quoted(value)}" for value in values)


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(quoted(value) for value in values)}]"


def quoted(text: str) -> str:
    """Return a text as YAML reads it back, bare where that is safe."""
    bare = _BARE.fullmatch(text) and text.casefold() not in _WORDS_OF_YAML
    return text if bare else json.dumps(text, ensure_ascii=not text.isprintable())


def one_line(text: str) -> str:
    """Return a text that stays within its comment, whatever a column is called."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _number(value: float) -> str:
    return f"{value:_}" if isinstance(value, int) and value >= 10_000 else f"{value:g}"  # noqa: PLR2004  for the eye


_ROLES: dict[str, str] = {
    "target": "target",
    "number": "feature",
    "category": "feature",
    "encoded": "feature",
    "text": "feature",
    "date": "feature",
    "missing": "feature",
    "identifier": "left out",
    "constant": "left out",
    "empty": "left out",
    "giveaway": "LEFT OUT",
    "later": "LEFT OUT",
}
