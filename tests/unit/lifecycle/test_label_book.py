"""Labels by prediction id: late, twice, corrected, taken back, and of predictions nobody knows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.label_book import Book, Told, combine, keys_of, match, settle

DAY = np.datetime64("2026-03-01", "us")


@dataclass(frozen=True)
class Row:
    """One told label: of prediction `r-<id>`, true since and received on a day of March."""

    id: int
    label: float
    at: int = 1
    received: int = 1


def told(*rows: Row) -> Told:
    return Told(
        keys_of(f"r-{row.id}" for row in rows),
        np.array([row.label for row in rows], dtype=np.float64),
        DAY + np.array([row.at for row in rows], dtype="timedelta64[D]"),
        DAY + np.array([row.received for row in rows], dtype="timedelta64[D]"),
    )


def labels(book: Book) -> dict[int, float]:
    known = {int(key): label for key, label in zip(book.current.keys, book.current.labels.tolist(), strict=True)}
    names = {int(key): at for at, key in enumerate(keys_of(f"r-{at}" for at in range(9)))}
    return {names[key]: label for key, label in known.items()}


def test_the_same_file_twice_changes_nothing() -> None:
    once = told(Row(1, 1.0), Row(2, 0.0))
    book, again = settle(once), settle(combine([once, once]))
    assert labels(book) == labels(again) == {1: 1.0, 2: 0.0}
    assert (book.repeated, again.repeated, again.corrected) == (0, 2, 0)


def test_a_correction_counts_and_an_older_truth_that_comes_later_does_not() -> None:
    book = settle(told(Row(1, 0.0, at=1), Row(1, 1.0, at=3, received=3), Row(1, 0.0, at=2, received=9)))
    assert labels(book) == {1: 1.0}
    assert (book.corrected, book.repeated) == (1, 1)


def test_of_two_truths_since_the_same_day_the_one_received_last_counts() -> None:
    assert labels(settle(told(Row(1, 1.0, received=2), Row(1, 0.0, received=5)))) == {1: 0.0}


def test_a_label_can_be_taken_back_and_told_again() -> None:
    gone = told(Row(1, 1.0, at=1), Row(1, float("nan"), at=2), Row(2, 1.0))
    book = settle(gone)
    assert book.withdrawn == 1
    assert match(book, keys_of(["r-1", "r-2"])).predictions.tolist() == [1]
    assert labels(settle(combine([gone, told(Row(1, 0.0, at=3))])))[1] == 0.0


def test_the_delay_is_that_of_the_first_label() -> None:
    book = settle(told(Row(1, 0.0, received=2), Row(1, 1.0, at=5, received=6)))
    assert book.first_received.tolist() == [(DAY + np.timedelta64(2, "D")).item()]


def test_labels_find_their_predictions_and_the_rest_is_parked() -> None:
    book = settle(told(Row(1, 1.0), Row(2, 0.0), Row(3, 1.0)))
    found = match(book, keys_of(["r-7", "r-3", "r-1"]))
    assert found.predictions.tolist() == [1, 2]
    assert book.current.labels[found.labels].tolist() == [1.0, 1.0]
    assert book.current.keys[found.parked].tolist() == keys_of(["r-2"]).tolist()


def test_nothing_told_and_nothing_predicted_match_nothing() -> None:
    nothing = settle(told())
    assert (len(nothing.current), nothing.corrected, nothing.repeated) == (0, 0, 0)
    assert match(nothing, keys_of(["r-1"])).predictions.tolist() == []
    assert match(settle(told(Row(1, 1.0))), keys_of([])).parked.tolist() == [0]


def test_classes_are_labels_too() -> None:
    words: Any = np.array(["cat", "dog", None], dtype=object)
    rows = Told(keys_of(["r-1", "r-2", "r-3"]), words, np.repeat(DAY, 3), np.repeat(DAY, 3))
    book = settle(combine([rows, rows]))
    assert (book.repeated, book.withdrawn, len(match(book, rows.keys).predictions)) == (3, 1, 2)


ROWS = st.builds(
    Row, st.integers(0, 4), st.sampled_from([0.0, 1.0, float("nan")]), st.integers(0, 4), st.integers(0, 4)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, max_size=25), st.randoms(use_true_random=False))
def test_order_changes_nothing(rows: list[Row], random: Any) -> None:
    shuffled = rows[:]
    random.shuffle(shuffled)
    one, two = settle(told(*rows)), settle(told(*shuffled))
    assert str(labels(one)) == str(labels(two))
    assert (one.corrected, one.repeated, one.withdrawn) == (two.corrected, two.repeated, two.withdrawn)
    latest = {row.id: max((r.at, r.received) for r in rows if r.id == row.id) for row in rows}
    kept = labels(one)
    assert set(kept) == set(latest)
    for number, (at, received) in latest.items():
        told_last = [row.label for row in rows if (row.id, row.at, row.received) == (number, at, received)]
        assert str(kept[number]) in map(str, told_last)
