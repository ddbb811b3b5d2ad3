"""Deliveries played back: their rows are asked for, their labels told and they land, a day within seconds.

The clock stands still while what landed is judged and trained on, and until a model that passed has its first requests:
computing is not compressed, and a month in which a training takes a week would be nobody's month. A release in steps
goes on while the days do, since it is judged on what they ask. Only what producers and callers do is done; no flow is
started.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cli.answers import Answer, Answers, Place
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from cli.doors import Doors
    from cli.follow import Sight
    from cli.played import Played
    from cli.timetable import Day, Landing, Rows


@dataclass(frozen=True)
class Pace:
    """Seconds a day lasts at least, and rows of one request at most."""

    day: float
    rows: int


@dataclass
class Player:
    """Plays deliveries through some doors. `show` is told the day, and what the clock stands still for.

    `folder`: for parts of deliveries. `landed`: deliveries by what became of them; `models`: verdicts on what was
    trained; `refused`: why requests were; `paused`: seconds the clock stood still.
    """

    doors: Doors
    deliveries: Sequence[Played]
    answers: Answers
    pace: Pace
    folder: Path
    show: Callable[[Day, str], None]
    labels: int = 0
    landed: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    paused: float = 0.0

    def play(self, days: Sequence[Day]) -> None:
        """Play the days. What the answers say was done before is not done again."""
        for day in days:
            self.show(day, "")
            self._tell(day)
            self._land(day)
            begun = time.monotonic()
            if self._ask(day):
                time.sleep(max(0.0, begun + self.pace.day - time.monotonic()))

    def _ask(self, day: Day) -> bool:
        """Ask for the day's rows that were not answered yet; say whether there were any."""
        places = [place for place in self._places(day.asked) if place not in self.answers.given]
        for start in range(0, len(places), self.pace.rows):
            some = places[start : start + self.pace.rows]
            try:
                made = self.doors.ask([self._files[place.file].inputs[place.row] for place in some])
            except UsageError as error:
                self.refused.append(str(error))
                continue
            found = [Answer(*one) for one in zip(made.prediction_ids, made.predictions, strict=True)]
            self.answers.add(some, found, made.model_version)
        return bool(places)

    def _tell(self, day: Day) -> None:
        """Tell what has come true by then, in one file; a row whose label is missing says nothing."""
        name = f"told {day.at}"
        if not len(day.told) or self.answers.is_done(name):
            return
        answered = [place for place in self._places(day.told) if place in self.answers.given]
        known = [(place, self._files[place.file].labels[place.row]) for place in answered]
        told = [(self.answers.given[place].prediction_id, label) for place, label in known if label is not None]
        if told:
            self.doors.tell(f"played-{day.at}", told)
        self.labels += len(told)
        self.answers.note(name)

    def _land(self, day: Day) -> None:
        """Land what is due and wait until it serves, waits for requests in its release, or came to nothing."""
        due = [one for one in day.landings if not self.answers.is_done(self._told(one))]
        if not due:
            return
        begun = time.monotonic()
        paths = [self.deliveries[one.delivery].part(one.until, self.folder) for one in due]
        for sight in self.doors.land(paths, lambda one: self._waiting(day, one)):
            self.landed[sight.delivery.state if sight.delivery else "landed"] += 1
            if sight.verdict is not None:
                self.models[sight.verdict.state] += 1
        for one in due:
            self.answers.note(self._told(one))
        self.paused += time.monotonic() - begun

    def _waiting(self, day: Day, sight: Sight) -> None:
        if sight.waiting:
            self.show(day, f"{sight.landed.path.name} {sight.waiting}")

    def _told(self, one: Landing) -> str:
        until = "whole" if one.until is None else f"until {one.until}"
        return f"landed {self.deliveries[one.delivery].name} {until}"

    @cached_property
    def _files(self) -> Mapping[str, Played]:
        return {one.name: one for one in self.deliveries}

    @cached_property
    def _everywhere(self) -> list[Place]:
        return [Place(one.name, row) for one in self.deliveries for row in range(one.rows)]

    def _places(self, rows: Rows) -> list[Place]:
        """Return where rows are that are numbered through all deliveries."""
        return [self._everywhere[row] for row in rows.tolist()]
