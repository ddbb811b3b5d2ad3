"""What a play-back was answered and has done, one JSON line each, so that it goes on where it was stopped.

    {"model_version": "3", "rows": [["july.parquet", 17, "0192…-0", 0.31], …]}      {"done": "told 2013-07-15"}

A line is written after the fact: what was done and not written is done once more. Rows are then asked again; labels
and deliveries that come again change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lifecycle.errors import UsageError

Score = float | tuple[float, ...]


class Place(NamedTuple):
    """A row: the name of its file, and its number in it."""

    file: str
    row: int


class Answer(NamedTuple):
    """What a row was answered: the prediction's id, and the score or the classes' scores."""

    prediction_id: str
    score: Score


@dataclass
class Answers:
    """Everything answered and done so far; with a `path` it is kept there."""

    path: Path | None = None
    given: dict[Place, Answer] = field(default_factory=dict)
    model_of: dict[Place, str] = field(default_factory=dict)
    requests: int = 0
    _done: set[str] = field(default_factory=set)

    def is_done(self, what: str) -> bool:
        """Say whether something was done before."""
        return what in self._done

    def note(self, what: str) -> None:
        """Keep that something was done."""
        self._done.add(what)
        self._write({"done": what})

    def add(self, places: Sequence[Place], answers: Sequence[Answer], model_version: str) -> None:
        """Keep the answers to one request."""
        self._count(dict(zip(places, answers, strict=True)), model_version)
        rows = [[*place, *answer] for place, answer in zip(places, answers, strict=True)]
        self._write({"model_version": model_version, "rows": rows})

    def take(self, line: Any) -> None:  # noqa: ANN401  what JSON holds
        """Take in what was kept. Raises ValueError, KeyError or TypeError when it is another thing."""
        if "done" in line:
            self._done.add(str(line["done"]))
            return
        rows = [
            (Place(str(file), int(row)), Answer(str(name), _score(score))) for file, row, name, score in line["rows"]
        ]
        self._count(dict(rows), str(line["model_version"]))

    def _count(self, found: Mapping[Place, Answer], model_version: str) -> None:
        self.given.update(found)
        self.model_of.update(dict.fromkeys(found, model_version))
        self.requests += 1

    def _write(self, line: dict[str, object]) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")


def read(path: Path | None) -> Answers:
    """Return what a file holds; nothing when there is none yet. Raises UsageError for a file that is no such."""
    found = Answers(path)
    if path is None or not path.exists():
        return found
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            found.take(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} holds no answers of a play-back.",
                detail=f"Line {number} is another thing ({type(error).__name__}).",
                resolution="Name another file, or one that is not there yet.",
            ) from error
    return found


def _whole_lines(path: Path) -> Iterator[str]:
    """Yield the lines that were written to their end, and take away the one that was not."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if len(whole) < len(text):
        path.write_text(whole, encoding="utf-8")
    yield from whole.splitlines()


def _score(value: object) -> Score:
    return tuple(float(one) for one in value) if isinstance(value, list) else float(str(value))
