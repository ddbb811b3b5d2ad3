"""What a play-back does at which door, and what it does not do a second time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import answers
from cli.endpoint import Predicted
from cli.playback import Pace, Player
from cli.played import Played, played
from cli.timetable import Rhythm, timetable
from lifecycle import spec
from lifecycle.errors import UsageError
from tests.cli.conftest import PRODUCT_YAML

PARCELS = spec.parse(PRODUCT_YAML, source="product.yaml")
BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAYS, EACH = 20, 3


@dataclass
class Recorded:
    """Doors that write down what came: each request's weights, each file's labels, the rows of each landed file.

    A weight of `refuses` is refused; landing raises while `closed`.
    """

    refuses: float | None = None
    closed: bool = False
    asked: list[list[object]] = field(default_factory=list)
    told: dict[str, dict[str, object]] = field(default_factory=dict)
    landed: list[list[str]] = field(default_factory=list)

    def ask(self, rows: Sequence[Mapping[str, object]]) -> Predicted:
        weights = [row["weight"] for row in rows]
        if self.refuses in weights:
            raise UsageError("The endpoint refuses these rows.")
        self.asked.append(weights)
        return Predicted((0.5,) * len(rows), "1", tuple(f"for-{weight}" for weight in weights), ())

    def tell(self, name: str, told: Sequence[tuple[str, object]]) -> None:
        self.told[name] = dict(told)

    def land(self, paths: Sequence[Path], show: Callable[[Any], None]) -> Sequence[Any]:  # noqa: ARG002
        if self.closed:
            raise RuntimeError("closed")
        self.landed += [path.read_text().splitlines()[1:] for path in paths]
        ended = SimpleNamespace(delivery=SimpleNamespace(state="validated"), verdict=SimpleNamespace(state="refused"))
        return [ended for _ in paths]


@pytest.fixture
def deliveries(tmp_path: Path) -> tuple[Played, ...]:
    """Three rows a day; every tenth has no label yet."""
    path = tmp_path / "march.csv"
    lines = ["id,at,weight,late"]
    for row in range(DAYS * EACH):
        at = BEGIN + timedelta(days=row // EACH, hours=row % EACH)
        lines.append(f"{row},{at:%Y-%m-%dT%H:%M:%S},{row}.5,{'' if row % 10 == 0 else 'true'}")
    path.write_text("\n".join(lines) + "\n")
    return played(PARCELS, [path])


def play(deliveries: tuple[Played, ...], doors: Recorded, kept: Path, rows: int = 500) -> Player:
    rhythm = Rhythm(timedelta(days=7), timedelta(days=7), 2)
    folder = kept.parent / "parts"
    folder.mkdir(exist_ok=True)
    player = Player(doors, deliveries, answers.read(kept), Pace(0.0, rows), folder, lambda *_: None)
    player.play(timetable([one.times for one in deliveries], rhythm))
    return player


def test_every_row_is_asked_for_once_and_every_label_there_is_told_by_its_prediction(
    deliveries: tuple[Played, ...], tmp_path: Path
) -> None:
    doors = Recorded()
    player = play(deliveries, doors, tmp_path / "answers.jsonl", rows=2)
    assert [weight for request in doors.asked for weight in request] == [row + 0.5 for row in range(DAYS * EACH)]
    assert {len(request) for request in doors.asked} == {1, 2}
    told = {name: label for file in doors.told.values() for name, label in file.items()}
    assert told == {f"for-{row}.5": True for row in range(DAYS * EACH) if row % 10}
    assert (player.labels, player.answers.requests) == (54, 40)


def test_the_first_part_lands_without_what_has_not_come_true_and_the_last_is_the_file(
    deliveries: tuple[Played, ...], tmp_path: Path
) -> None:
    doors = Recorded()
    player = play(deliveries, doors, tmp_path / "answers.jsonl")
    first, last = doors.landed
    assert len(first) == 10 * EACH
    assert last == deliveries[0].path.read_text().splitlines()[1:]
    assert (player.landed, player.models) == ({"validated": 2}, {"refused": 2})


def test_a_second_go_does_nothing_that_was_done(deliveries: tuple[Played, ...], tmp_path: Path) -> None:
    play(deliveries, Recorded(), tmp_path / "answers.jsonl")
    again = Recorded()
    player = play(deliveries, again, tmp_path / "answers.jsonl")
    assert (again.asked, again.told, again.landed) == ([], {}, [])
    assert len(player.answers.given) == DAYS * EACH


def test_a_go_that_was_stopped_goes_on_where_it_was(deliveries: tuple[Played, ...], tmp_path: Path) -> None:
    before, after = Recorded(closed=True), Recorded()
    with pytest.raises(RuntimeError, match="closed"):
        play(deliveries, before, tmp_path / "answers.jsonl")
    play(deliveries, after, tmp_path / "answers.jsonl")
    weights = [weight for doors in (before, after) for request in doors.asked for weight in request]
    assert weights == [row + 0.5 for row in range(DAYS * EACH)]
    assert set(before.told).isdisjoint(after.told)
    assert len(after.landed) == 2


def test_a_request_that_is_refused_is_counted_and_its_rows_have_no_label(
    deliveries: tuple[Played, ...], tmp_path: Path
) -> None:
    doors = Recorded(refuses=4.5)
    player = play(deliveries, doors, tmp_path / "answers.jsonl")
    assert player.refused == ["The endpoint refuses these rows."]
    told = {name for file in doors.told.values() for name in file}
    assert told.isdisjoint({"for-3.5", "for-4.5", "for-5.5"})
    assert len(player.answers.given) == DAYS * EACH - 3
