"""Lines and records of a CSV text."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.lines import layout


@pytest.mark.parametrize(
    ("data", "numbers", "texts"),
    [
        (b"a\nb\n", [1, 2], ["a", "b"]),
        (b"a\nb", [1, 2], ["a", "b"]),
        (b"a\r\nb\r\n", [1, 2], ["a", "b"]),
        (b"a\rb\r", [1, 2], ["a", "b"]),
        (b"\n\na\n\r\n\nb\n\n", [3, 6], ["a", "b"]),
        (b'a\n"x\n\ny"\nb\n', [1, 2, 5], ["a", '"x\n\ny"', "b"]),
        (b'a\n"say ""x\ny"""\nb\n', [1, 2, 4], ["a", '"say ""x\ny"""', "b"]),
        (b'a\n5" pipe\nb\n', [1, 2, 3], ["a", '5" pipe', "b"]),
    ],
)
def test_records_know_their_lines_and_their_text(data: bytes, numbers: list[int], texts: list[str]) -> None:
    records = layout(data).records(len(numbers))
    assert records is not None
    assert records.numbers.tolist() == numbers
    assert [records.text(data, index) for index in range(len(records))] == texts


def test_records_that_cannot_be_counted_are_not_guessed() -> None:
    assert layout(b'a\n"x\ny\nz\n').records(2) is None


@pytest.mark.parametrize(("data", "line"), [(b"a\nb\n", None), (b'a\n"b\n', 2), (b'"a"\n"b"\n""",\n', 3), (b"", None)])
def test_the_open_quote_is_on_the_first_line_with_an_odd_number(data: bytes, line: int | None) -> None:
    assert layout(data).open_line == line


@given(st.lists(st.lists(st.text('ab,"\n \r', max_size=6), min_size=2, max_size=2), min_size=1, max_size=8))
def test_whatever_a_csv_writer_writes_has_as_many_records_as_were_written(rows: list[list[str]]) -> None:
    sink = io.StringIO(newline="")
    csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    data = sink.getvalue().encode()
    records = layout(data).records(len(rows))
    assert records is not None
    texts = [records.text(data, index) for index in range(len(records))]
    assert [next(csv.reader(io.StringIO(text, newline=""))) for text in texts] == rows
