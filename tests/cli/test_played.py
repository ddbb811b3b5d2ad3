"""What a play-back reads, what of it lands, and how it goes on where it was stopped."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from cli import answers
from cli.answers import Answer, Place
from cli.played import Played, played
from lifecycle import spec
from lifecycle.errors import UsageError
from tests.cli.conftest import PRODUCT_YAML

PARCELS = spec.parse(PRODUCT_YAML, source="product.yaml")
TEXT = """id,at,weight,late
01,2026-03-01 10:00:00,1.50,true
02,2026-03-02 10:00:00,,false
03,,2.0,true
04,2026-03-01T09:00:00+02:00,"3",
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parcels.csv"
    path.write_text(TEXT)
    return path


def read(path: Path) -> Played:
    (found,) = played(PARCELS, [path])
    return found


def test_a_part_of_a_csv_file_says_what_the_whole_one_says(file: Path, tmp_path: Path) -> None:
    found = read(file)
    (tmp_path / "parts").mkdir()
    part = found.part(np.datetime64("2026-03-02"), tmp_path / "parts")
    assert (part.name, part.read_text().replace('"', "")) == (
        file.name,
        "id,at,weight,late\n01,2026-03-01 10:00:00,1.50,true\n04,2026-03-01T09:00:00+02:00,3,\n",
    )
    assert found.part(None, tmp_path) == file


def test_times_are_read_in_utc_and_what_is_missing_stays_so(file: Path) -> None:
    found = read(file)
    assert [str(one) for one in found.times.astype("datetime64[m]")] == [
        "2026-03-01T10:00",
        "2026-03-02T10:00",
        "NaT",
        "2026-03-01T07:00",
    ]
    assert found.labels == [True, False, True, None]
    assert [row["weight"] for row in found.inputs] == [1.5, None, 2.0, 3.0]


def test_a_part_of_a_parquet_file_keeps_its_types(file: Path, tmp_path: Path) -> None:
    whole = csv.read_csv(file, convert_options=csv.ConvertOptions(column_types={"at": pa.string()}))
    path = tmp_path / "parcels.parquet"
    parquet.write_table(whole, path)
    (tmp_path / "parts").mkdir()
    part = parquet.read_table(read(path).part(np.datetime64("2026-03-02"), tmp_path / "parts"))
    assert part.equals(whole.take([0, 3]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,at,late\n1,2026-03-01,true\n", "It lacks weight."),
        ("id,at,weight,late\n1,,2,true\n", "No row has a at."),
        ("id,at,weight,late\n1,soon,2,true\n", "ISO 8601"),
    ],
)
def test_a_file_that_cannot_be_played_is_named_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as raised:
        read(path)
    assert "wrong.csv" in str(raised.value)


def test_two_files_of_one_name_and_a_product_without_time_are_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="Two files are called"):
        played(PARCELS, [file, file])
    timeless = PARCELS.model_copy(update={"time": None})
    with pytest.raises(UsageError, match="no time column"):
        played(timeless, [file])


def test_answers_are_read_back_and_a_torn_line_is_as_if_it_never_was(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    kept = answers.read(path)
    kept.add([Place("a", 0), Place("a", 1)], [Answer("x-0", 0.25), Answer("x-1", (0.5, 0.5))], "1")
    kept.note("told 2026-03-08")
    with path.open("a") as out:
        out.write('{"model_version": "2", "ro')
    again = answers.read(path)
    assert (again.given, again.model_of, again.requests) == (kept.given, kept.model_of, 1)
    assert again.is_done("told 2026-03-08")
    again.add([Place("b", 0)], [Answer("y-0", 0.1)], "2")
    assert answers.read(path).model_of == {Place("a", 0): "1", Place("a", 1): "1", Place("b", 0): "2"}


@pytest.mark.parametrize("line", ["no json", "[]", '{"rows": [[1, 2, 3]]}', "{}"])
def test_another_file_is_refused_as_such(tmp_path: Path, line: str) -> None:
    path = tmp_path / "other.txt"
    path.write_text(f"{line}\n")
    with pytest.raises(UsageError, match="holds no answers"):
        answers.read(path)
