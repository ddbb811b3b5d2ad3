"""Whether delivered column names fit the product's."""

from __future__ import annotations

import pytest

from lifecycle.schema import Fit, fit_columns

EXPECTED = ("id", "weight", "made")


def test_columns_in_any_order_fit_by_name() -> None:
    assert fit_columns(["made", "id", "weight"], EXPECTED) == Fit((1, 2, 0), ())


def test_other_columns_are_remarked_with_a_few_names() -> None:
    fit = fit_columns([*EXPECTED, *"abcdefg"], EXPECTED)
    assert isinstance(fit, Fit)
    assert [note.found for note in fit.notes] == ["7 more: 'a', 'b', 'c', 'd', 'e' and 2 more"]


@pytest.mark.parametrize(
    ("delivered", "sentences"),
    [
        (["id", "made"], ["MISSING_COLUMN weight: found no such column, expected a column called 'weight'."]),
        (
            ["id", "wieght", "made"],
            ["MISSING_COLUMN weight: found no such column, but 'wieght', expected a column called 'weight'."],
        ),
        (
            ["id", "weight_in_tons", "made"],
            ["MISSING_COLUMN weight: found no such column, but 'weight_in_tons', expected a column called 'weight'."],
        ),
        (
            ["ID", " Weight ", "MADE"],
            [
                "MISSING_COLUMN id: found no such column, but 'ID', expected a column called 'id'.",
                "MISSING_COLUMN weight: found no such column, but ' Weight ', expected a column called 'weight'.",
                "MISSING_COLUMN made: found no such column, but 'MADE', expected a column called 'made'.",
            ],
        ),
        (["id", "id", "weight", "made"], ["DUPLICATE_COLUMN id: found 2 columns of this name, expected one."]),
        (
            ["7", "1.5", "2024-01-01"],
            [
                (
                    "NO_HEADER: found none of the 3 names among the 3 fields of the first line, "
                    "expected a header with 'id', 'weight', 'made'."
                )
            ],
        ),
    ],
)
def test_what_does_not_fit_is_told_completely(delivered: list[str], sentences: list[str]) -> None:
    reasons = fit_columns(delivered, EXPECTED)
    assert isinstance(reasons, tuple)
    assert [str(reason) for reason in reasons] == sentences


def test_a_repeated_column_nobody_asked_for_is_only_extra() -> None:
    assert isinstance(fit_columns([*EXPECTED, "x", "x", ""], EXPECTED), Fit)
