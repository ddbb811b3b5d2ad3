"""Rows of label files: what they say, and why some say nothing."""

from datetime import UTC, datetime

import numpy as np
import pytest

from lifecycle.declaration import Target
from lifecycle.errors import BatchError
from lifecycle.label_book import keys_of
from lifecycle.label_rows import read_rows

CAME = datetime(2026, 3, 9, tzinfo=UTC)
LATE = Target(column="arr_delay", at_least=15)
PLAIN = Target(column="paid")
WORDS = Target(column="outcome", classes=("kept", "left"))


def test_rows_say_what_is_true_of_which_prediction_since_when() -> None:
    found = read_rows(
        "binary", PLAIN, {"prediction_id": ["r-0", "r-1"], "label": ["1", 0], "at": ["2026-03-01", None]}, CAME
    )
    assert found.told.labels.tolist() == [1.0, 0.0]
    assert found.told.at.tolist() == [datetime(2026, 3, 1), datetime(2026, 3, 9)]  # noqa: DTZ001  UTC without saying so
    assert found.told.keys.tolist() == keys_of(["r-0", "r-1"]).tolist()
    assert (found.reasons, found.received) == ((), 2)


@pytest.mark.parametrize(
    ("task", "target", "name", "cells", "expected"),
    [
        ("binary", LATE, "arr_delay", ["33", "-2", 15.0], [1.0, 0.0, 1.0]),
        ("binary", LATE, "label", ["1", "0", True], [1.0, 0.0, 1.0]),
        ("binary", WORDS, "outcome", ["left", " kept "], [1.0, 0.0]),
        ("binary", PLAIN, "paid", ["true", "False"], [1.0, 0.0]),
        ("regression", Target(column="cnt"), "cnt", ["-1.5", 7], [-1.5, 7.0]),
        ("multiclass", Target(column="kind"), "kind", ["a", 3, 3.0, " b"], ["a", "3", "3", "b"]),
    ],
)
def test_labels_are_read_as_the_product_means_them(
    task: str, target: Target, name: str, cells: list[object], expected: list[object]
) -> None:
    ids = [f"r-{row}" for row in range(len(cells))]
    found = read_rows(task, target, {"prediction_id": ids, name: cells}, CAME)  # type: ignore[arg-type]
    assert (found.told.labels.tolist(), found.reasons) == (expected, ())


def test_a_missing_label_takes_one_back() -> None:
    found = read_rows("binary", PLAIN, {"prediction_id": ["r-0", "r-1", "r-2"], "label": ["", None, "NA"]}, CAME)
    assert np.isnan(found.told.labels).tolist() == [True] * 3
    words = read_rows("multiclass", PLAIN, {"prediction_id": ["r-0"], "label": [None]}, CAME)
    assert words.told.labels.tolist() == [None]


def test_rows_that_say_nothing_are_refused_alone() -> None:
    ids: list[object] = ["r-0", "nonsense", None, "r-1", "r-2", "r-3", "r-4"]
    cells: list[object] = ["1", "1", "1", "maybe", "2", "inf", "1"]
    found = read_rows(
        "binary", PLAIN, {"prediction_id": ids, "label": cells, "at": ["", "", "", "", "", "", "soon"]}, CAME
    )
    assert len(found.told) == 1
    assert {(reason.code, reason.column, reason.rows) for reason in found.reasons} == {
        ("PATTERN", "prediction_id", 2),
        ("TYPE", "label", 3),
        ("RANGE", "label", 1),
    }
    strange = read_rows("binary", WORDS, {"prediction_id": ["r-0"], "outcome": ["lost"]}, CAME)
    assert [reason.code for reason in strange.reasons] == ["CATEGORY"]


@pytest.mark.parametrize("columns", [{"label": ["1"]}, {"prediction_id": ["r-0"], "y": ["1"]}, {}])
def test_a_file_without_its_columns_is_refused_and_says_what_it_has(columns: dict[str, list[object]]) -> None:
    with pytest.raises(BatchError, match=r"has no column .* expected prediction_id, label"):
        read_rows("binary", PLAIN, columns, CAME)
