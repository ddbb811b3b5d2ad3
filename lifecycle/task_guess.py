"""What kind of thing a target is: two classes, many, a number or a count, and which class is the one asked about.

A guess, always told with its reason and always one word to change; what cannot be a target at all is refused by name.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lifecycle.columns import level
from lifecycle.errors import UsageError
from lifecycle.labels import natural
from lifecycle.metrics import TaskKind
from lifecycle.profiling import ColumnProfile, Numbers

# Words for "it happened" in any subject; otherwise the rarer class is what people ask about.
_HAPPENED = ("yes", "y", "true", "t", "1", "positive", "pos")
# XGBoost grows a tree per class and round: beyond some hundred classes neither time nor rows suffice.
MOST_CLASSES = 100
# Whole numbers of so few different values are more often codes of classes than amounts.
_FEW_CODES = 6
# Ratings, grades and digits end here; more consecutive numbers are amounts.
_MOST_CODES = 20
# Counts of rare things stay small; a larger mean is as well described by its deviation.
_SMALL_MEAN = 20.0
# The last of consecutive counts is rare beside the most frequent one; of classes it need not be.
_RARE_END = 0.25
_TWO = 2


@dataclass(frozen=True)
class TaskGuess:
    """The task, the two classes of a binary one that is not 0 and 1 already, and why."""

    task: TaskKind
    why: str
    classes: tuple[str, ...] = ()


def find_target(name: str, known: Sequence[str]) -> str:
    """Return the target's name. Raises UsageError with the nearest column when there is no such column."""
    if name in known:
        return name
    folded = {other.casefold(): other for other in known}
    near = folded.get(name.casefold()) or next(iter(difflib.get_close_matches(name, known, n=1)), None)
    meant = f"; did you mean {near!r}?" if near else "."
    raise UsageError(f"No column is called {name!r}{meant}", detail=f"There are {', '.join(map(repr, known))}.")


def guess_task(target: ColumnProfile, wanted: TaskKind | None) -> TaskGuess:
    """Return what kind of target a column is, or why it cannot be the `wanted` one. Raises UsageError."""
    if target.distinct < _TWO:
        found = "no value at all" if target.empty else "one value only"
        raise _cannot(target, found, "at least two different values to tell apart")
    if target.column.type == "datetime":
        raise _cannot(target, "dates", "numbers or classes")
    guess = _guess(target)
    if wanted is None or wanted == guess.task:
        return guess
    return _as_wanted(target, wanted)


def _guess(target: ColumnProfile) -> TaskGuess:
    if target.distinct == _TWO:
        return TaskGuess("binary", "it has two values", _two_classes(target))
    if target.numbers is None:
        return _many_classes(target, "it holds words")
    numbers = target.numbers
    if not numbers.whole:
        return TaskGuess("regression", "it holds fractions")
    if _consecutive(numbers) and len(numbers.levels) <= _MOST_CODES and not _tails_off(numbers):
        return _many_classes(target, f"it holds {target.distinct} consecutive whole numbers, like codes")
    if numbers.least == 0 and numbers.mean <= _SMALL_MEAN:
        return TaskGuess("counts", f"it holds whole numbers from 0, {numbers.mean:.3g} on average")
    return TaskGuess("regression", f"it holds {target.distinct:,} different whole numbers")


def _as_wanted(target: ColumnProfile, wanted: TaskKind) -> TaskGuess:
    why = "you said so"
    if wanted == "multiclass":
        return _many_classes(target, why)
    if wanted == "binary":
        raise _cannot(target, f"{target.distinct:,} different values", "two for a binary task")
    if target.numbers is None:
        raise _cannot(target, "words", f"numbers for {wanted}")
    if wanted == "counts" and (target.numbers.least < 0 or not target.numbers.whole):
        raise _cannot(target, "fractions or values below 0", "whole numbers from 0 for counts")
    return TaskGuess(wanted, why)


def _many_classes(target: ColumnProfile, why: str) -> TaskGuess:
    if target.distinct > MOST_CLASSES or _TWO * target.distinct > target.present:
        found = f"{target.distinct:,} different values in {target.present:,} rows"
        raise _cannot(target, found, f"at most {MOST_CLASSES} classes, each of several rows")
    return TaskGuess("multiclass", why)


def _two_classes(target: ColumnProfile) -> tuple[str, ...]:
    """Return the two values, the asked-about one last; none when they are 0 and 1 already."""
    counts = class_counts(target)
    if target.numbers is not None and set(counts) == {"0", "1"}:
        return ()
    happened = [text for text in counts if text.strip().casefold() in _HAPPENED]
    second = happened[0] if len(happened) == 1 else min(natural(list(counts)), key=lambda text: counts[text])
    first = next(text for text in counts if text != second)
    return (first, second)


def class_counts(target: ColumnProfile) -> Mapping[str, int]:
    """Return how many rows each class of a target has, by its text."""
    if target.texts is not None:
        return target.texts.levels
    values = target.numbers.levels if target.numbers is not None else {}
    return {level(value) or "": count for value, count in values.items()}


def _consecutive(numbers: Numbers) -> bool:
    values = sorted(numbers.levels)
    return bool(values) and values[0] in (0, 1) and values[-1] - values[0] + 1 == len(values)


def _tails_off(numbers: Numbers) -> bool:
    """Say whether consecutive numbers from 0 look counted: enough of them, and the last one rare."""
    counts = [numbers.levels[value] for value in sorted(numbers.levels)]
    return numbers.least == 0 and len(counts) > _FEW_CODES and counts[-1] < _RARE_END * max(counts)


def _cannot(target: ColumnProfile, found: str, expected: str) -> UsageError:
    return UsageError(
        f"{target.name!r} cannot be predicted like this.", detail=f"It holds {found}, expected {expected}."
    )
