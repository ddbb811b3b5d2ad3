"""Whose losses are larger, on rows that both models scored and whose label came: pairs, labels, bets. Pure.

The bets are made anew from every pair and every label that counts, so files may come late, twice and in any order, and
a corrected label counts as it is now. For probabilities the loss is the Brier score, for numbers the squared error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lifecycle.contract import Task
from lifecycle.label_book import Book, keys_of, match
from lifecycle.pairs import PROBABILITIES, Pairs, Span, loss_differences
from lifecycle.profiles import Numbers
from lifecycle.sequential import PairedBets

# A tenth of the loss that the bad model of the research had, in parts of the largest difference there can be.
MARGIN = 0.002
# The champion's scores lie between its outermost edges but for a fifth; as far again beyond both, few labels lie.
_BEYOND = 1.0
_FEWEST_EDGES = 2


@dataclass(frozen=True)
class Ruler:
    """How labels and scores are compared: the classes of texts, and between which numbers squared errors count."""

    classes: tuple[str, ...]
    span: Span

    def start(self) -> PairedBets:
        """Return bets on nothing yet."""
        return PairedBets(margin=MARGIN * self.span.bound, bound=self.span.bound)

    def number(self, label: Any) -> float | None:  # noqa: ANN401  an array of labels holds numbers or texts
        """Return a label as a number, a class as its place; None for a class that the model does not know."""
        if not isinstance(label, str):
            return float(label)
        return float(self.classes.index(label)) if label in self.classes else None


def ruler_of(task: Task, scores: Numbers) -> Ruler | None:
    """Return how to compare, from the champion's task and its scores in training; None when the scores say nothing."""
    if task.kind in ("binary", "multiclass"):
        return Ruler(task.classes, PROBABILITIES)
    if len(set(scores.edges)) < _FEWEST_EDGES:
        return None
    low, high = scores.edges[0], scores.edges[-1]
    room = _BEYOND * (high - low)
    return Ruler((), Span(low - room, high + room))


def weigh(ruler: Ruler, book: Book, parts: Iterable[Pairs]) -> PairedBets:
    """Return the bets on every pair whose label is known. Give each pair once."""
    bets = ruler.start()
    for pairs in parts:
        found = match(book, keys_of(pairs.ids))
        told = {
            pairs.ids[row]: number
            for row, place in zip(found.predictions.tolist(), found.labels.tolist(), strict=True)
            if (number := ruler.number(book.current.labels[place])) is not None
        }
        if told:
            bets = bets.after(loss_differences(pairs, told, ruler.span))
    return bets
