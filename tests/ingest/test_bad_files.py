"""What producers send instead of what they should, as bytes, and the one sentence each gets."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifecycle.batch import Limits
from lifecycle.spec import parse
from tasks.cells import Refused, Rows
from tasks.judging import judge_rows
from tasks.reading import read
from tasks.suites import load_suite

PARTS = parse(
    """
name: parts
task: regression
grain: [id]
time: made
columns:
  - {name: id, type: long}
  - {name: name, type: string, nullable: true}
  - {name: ok, type: boolean, nullable: true}
  - {name: weight, type: double, nullable: true, input: false}
  - {name: made, type: datetime}
target: {column: weight}
features: {numbers: [id]}
limits: {max_bytes: 2000000, max_rows: 5000, max_columns: 50, max_field_characters: 100, max_quarantined_share: 0.05}
evaluation: {metric: rmse, floors: {rmse: 1}}
""",
    source="parts",
)
HEADER = "id,name,ok,weight,made"
RECORDS = [f"{n},part {n},true,{n / 4},2024-01-01T00:00:00Z" for n in range(100)]
GOOD = "\n".join([HEADER, *RECORDS, ""]).encode()


def with_record(number: int, text: str) -> bytes:
    return "\n".join([HEADER, *RECORDS[:number], text, *RECORDS[number + 1 :], ""]).encode()


def with_header(header: str) -> bytes:
    return "\n".join([header, *RECORDS, ""]).encode()


def table(**columns: Any) -> pa.Table:
    base = {
        "id": pa.array(range(100)),
        "name": pa.array([f"part {n}" for n in range(100)]),
        "ok": pa.array([True] * 100),
        "weight": pa.array([n / 4 for n in range(100)]),
        "made": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 100),
    }
    return pa.table({**base, **columns})


def as_parquet(content: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(content, sink, write_page_checksum=True, **options)
    return sink.getvalue()


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


PARQUET = as_parquet(table())
GZIP = gzip.compress(GOOD, mtime=0)

REFUSED: dict[str, tuple[str, bytes, str]] = {
    "no bytes": ("a.csv", b"", "EMPTY_FILE: found 0 bytes, expected a header and rows."),
    "white space": ("a.csv", b" \n\n", "EMPTY_FILE: found 3 bytes of white space, expected a header and rows."),
    "a header only": (
        "a.csv",
        f"{HEADER}\n".encode(),
        "NO_ROWS: found a header and no rows, expected at least one row.",
    ),
    "cut in mid-row": (
        "a.csv",
        GOOD[:1000],
        "TRUNCATED: found a last line, 26, that stops after 1 of 5 fields, expected 5 fields and a line end.",
    ),
    "cut in the last field": (
        "a.csv",
        GOOD[:-7],
        "TRUNCATED made: found a last field that is cut off, expected a whole field and a line end.",
    ),
    "cut inside a quote": (
        "a.csv",
        GOOD + b'100,"part',
        "TRUNCATED: found a last line, 102, that stops after 2 of 5 fields, expected 5 fields and a line end.",
    ),
    "a footer cut off": (
        "a.parquet",
        PARQUET[:-200],
        "PARQUET_FOOTER: found a footer that cannot be read, expected a whole Parquet file.",
    ),
    "a flipped byte in a page": (
        "a.parquet",
        flipped(PARQUET, 100),
        "PARQUET_PAGE: found OSError while reading the pages, expected pages that agree with their checksums.",
    ),
    "CSV named Parquet": (
        "a.parquet",
        GOOD,
        "NOT_PARQUET: found text under the name of a Parquet file, expected Parquet bytes.",
    ),
    "Parquet named CSV": (
        "a.csv",
        PARQUET,
        "NOT_CSV: found Parquet bytes under the name of a CSV file, expected CSV, plain or gzip.",
    ),
    "Parquet inside gzip": (
        "a.csv.gz",
        gzip.compress(PARQUET),
        "NOT_CSV: found Parquet bytes, expected CSV, plain or gzip, or Parquet.",
    ),
    "gzip cut off": (
        "a.csv.gz",
        GZIP[:-20],
        "GZIP_EOF: found a gzip stream that ends early, after 0 bytes, expected a whole stream.",
    ),
    "gzip damaged": (
        "a.csv.gz",
        flipped(GZIP, len(GZIP) - 6),
        "GZIP_DAMAGED: found a gzip stream that is damaged after 0 bytes, expected a whole stream.",
    ),
    "a gzip bomb": (
        "a.csv.gz",
        gzip.compress(bytes(3_000_000)),
        "EXPANSION: found more than 588,200 bytes out of 2,941, expected at most 588,200.",
    ),
    "an error page": (
        "a.csv",
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "NOT_CSV: found an HTML or XML page, expected CSV, plain or gzip, or Parquet.",
    ),
    "a JSON error": (
        "a.csv",
        b'{"error": "denied"}',
        "NOT_CSV: found a JSON document, expected CSV, plain or gzip, or Parquet.",
    ),
    "a ZIP archive": (
        "a.csv",
        b"PK\x03\x04rest",
        "NOT_CSV: found a ZIP archive, expected CSV, plain or gzip, or Parquet.",
    ),
    "NUL bytes": (
        "a.csv",
        GOOD[:1000] + b"\0\0" + GOOD[1000:],
        "NUL_BYTES: found 2 NUL bytes, the first at byte 1,000, line 26, expected none.",
    ),
    "UTF-16": (
        "a.csv",
        GOOD.decode().encode("utf-16"),
        "ENCODING: found the byte order mark of UTF-16, expected UTF-8.",
    ),
    "Latin-1": (
        "a.csv",
        with_record(1, "1,Zürich,true,1,2024-01-01").decode().encode("latin-1"),
        "ENCODING: found a byte 0xfc that is not UTF-8 at byte 65, line 3, expected UTF-8.",
    ),
    "semicolons": (
        "a.csv",
        GOOD.replace(b",", b";"),
        "DIALECT: found fields separated by semicolons, expected 5 by commas.",
    ),
    "no header": (
        "a.csv",
        GOOD.partition(b"\n")[2],
        (
            "NO_HEADER: found none of the 5 names among the 5 fields of the first line, "
            "expected a header with 'id', 'name', 'ok', 'weight', 'made'."
        ),
    ),
    "an open quote": (
        "a.csv",
        with_record(50, '50,"part 50,true,1,2024-01-01'),
        (
            "PARSE: found a quote that opens on line 52 and never closes, "
            "expected every quote closed, a quote inside a field doubled."
        ),
    ),
    "two open quotes": (
        "a.csv",
        with_record(50, '50,"part 50,true,1,2024-01-01\n51,x,true,1,2024-01-01\n52,"y,true,1,2024-01-01'),
        (
            "PARSE: found a record from line 52 over several lines that is not well quoted, "
            "expected every quote closed, a quote inside a field doubled."
        ),
    ),
    "a missing column": (
        "a.csv",
        b"\n".join(line.rpartition(b",")[0] for line in GOOD.split(b"\n")),
        "MISSING_COLUMN made: found no such column, expected a column called 'made'.",
    ),
    "a renamed column": (
        "a.csv",
        with_header("id,name,ok,weight_kg,made"),
        "MISSING_COLUMN weight: found no such column, but 'weight_kg', expected a column called 'weight'.",
    ),
    "other case": (
        "a.csv",
        with_header("id,name,ok,Weight,made"),
        "MISSING_COLUMN weight: found no such column, but 'Weight', expected a column called 'weight'.",
    ),
    "a repeated column": (
        "a.csv",
        b"\n".join(line + b",1" if at else line + b",weight" for at, line in enumerate(GOOD.split(b"\n")[:-1])),
        "DUPLICATE_COLUMN weight: found 2 columns of this name, expected one.",
    ),
    "a repeated column in Parquet": (
        "a.parquet",
        as_parquet(pa.table([*table().columns, table().column("weight")], names=[*table().column_names, "weight"])),
        "DUPLICATE_COLUMN weight: found 2 columns of this name, expected one.",
    ),
    "text for a number in Parquet": (
        "a.parquet",
        as_parquet(table(weight=pa.array(["1"] * 100))),
        "TYPE weight: found the Parquet type string, expected a number (100 rows).",
    ),
    "no rows in Parquet": (
        "a.parquet",
        as_parquet(table().slice(0, 0)),
        "NO_ROWS: found a schema and no rows, expected at least one row.",
    ),
    "too many rows in Parquet": (
        "a.parquet",
        as_parquet(pa.concat_tables([table()] * 51)),
        "TOO_MANY_ROWS: found 5,100 rows, expected at most 5,000.",
    ),
    "too many rows": (
        "a.csv",
        GOOD + "\n".join(RECORDS * 50).encode(),
        "TOO_MANY_ROWS: found 5,100 rows, expected at most 5,000.",
    ),
    "too many columns": (
        "a.csv",
        with_header(HEADER + ",x" * 46),
        "TOO_MANY_COLUMNS: found 51 columns, expected at most 50.",
    ),
    "too many bytes": (
        "a.csv",
        GOOD + b" " * 2_000_000,
        "TOO_LARGE: found 2,004,213 bytes, expected at most 2,000,000 bytes.",
    ),
    "a Parquet bomb of text": (
        "a.parquet",
        as_parquet(table(name=pa.array(["x" * 10_000] * 100)), compression="zstd"),
        "EXPANSION: found more than",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_is_refused_whole_in_one_sentence(case: str) -> None:
    name, data, sentence = REFUSED[case]
    answer = read(f"landing/parts/{name}", data, PARTS)
    assert isinstance(answer, Refused)
    assert str(answer.reasons[0])[: len(sentence)] == sentence
    assert len(answer.reasons) == 1


ROW_FAULTS: dict[str, tuple[bytes, list[str], list[int]]] = {
    "a field too many": (
        with_record(7, RECORDS[7] + ",extra"),
        ["FIELD_COUNT: found 6 fields, expected 5 fields (1 row)."],
        [9],
    ),
    "a field too few": (with_record(7, "7,x"), ["FIELD_COUNT: found 2 fields, expected 5 fields (1 row)."], [9]),
    "text for a number": (
        with_record(7, '7,x,true,"1,400 kg",2024-01-01'),
        ["TYPE weight: found something else, expected a number (1 row)."],
        [9],
    ),
    "half a whole number": (
        with_record(7, "7.5,x,true,1,2024-01-01"),
        ["TYPE id: found something else, expected a whole number (1 row)."],
        [9],
    ),
    "an impossible date": (
        with_record(7, "7,x,true,1,2024-02-30"),
        ["TYPE made: found something else, expected an ISO 8601 date (1 row)."],
        [9],
    ),
    "another truth": (
        with_record(7, "7,x,perhaps,1,2024-01-01"),
        ["TYPE ok: found something else, expected true or false (1 row)."],
        [9],
    ),
    "infinity": (
        with_record(7, "7,x,true,-inf,2024-01-01"),
        ["NON_FINITE weight: found infinity, expected a finite number (1 row)."],
        [9],
    ),
    "an infinite whole number": (
        with_record(7, "inf,x,true,1,2024-01-01"),
        ["NON_FINITE id: found infinity, expected a finite number (1 row)."],
        [9],
    ),
    "no value": (
        with_record(7, ",x,true,1,2024-01-01"),
        ["MISSING_VALUE id: found no value, expected a value (1 row)."],
        [9],
    ),
    "a long field": (
        with_record(7, f"7,{'x' * 101},true,1,2024-01-01"),
        ["FIELD_LENGTH name: found longer text, expected at most 100 characters (1 row)."],
        [9],
    ),
    "the header again": (
        with_record(7, HEADER),
        ["REPEATED_HEADER: found the header again, expected one header (1 row)."],
        [9],
    ),
    "an exact repeat": (
        with_record(7, RECORDS[6]),
        ["DUPLICATE_ROW: found an exact repeat, expected each row once (1 row)."],
        [9],
    ),
    "rows that contradict": (
        with_record(7, "6,x,true,1,2024-01-01"),
        ["CONFLICTING_ROWS: found the same grain with other values, expected one row for each id (2 rows)."],
        [8, 9],
    ),
    "after blank lines and a line break in quotes": (
        with_record(7, '7,"a\nb",true,1,2024-01-01\n\n\nx,y,true,1,2024-01-01'),
        ["TYPE id: found something else, expected a whole number (1 row)."],
        [13],
    ),
}


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("expectations")
    (folder / "parts_raw.json").write_text(
        '{"name": "parts_raw", "expectations": [{"type": "expect_table_row_count_to_be_between", '
        '"severity": "critical", "kwargs": {"min_value": 1}, "meta": {"why": "A delivery has rows."}}]}'
    )
    return load_suite(folder, "parts_raw")


@pytest.mark.parametrize("case", ROW_FAULTS)
def test_bad_rows_are_held_back_with_their_lines_and_the_rest_goes_on(case: str, lenient: Any) -> None:
    data, sentences, lines = ROW_FAULTS[case]
    rows = read("landing/parts/a.csv", data, PARTS)
    assert isinstance(rows, Rows)
    verdict = judge_rows(rows, PARTS, lenient)
    assert [str(reason) for reason in verdict.reasons] == sentences
    assert verdict.held is not None
    assert verdict.held.column("line").to_pylist() == lines
    assert verdict.held.column("record")[0].as_py() in data.decode()
    assert verdict.counts.received == verdict.counts.validated + len(lines)
    assert verdict.kept is not None
    assert verdict.kept.num_rows == verdict.counts.validated


ACCEPTED: dict[str, Callable[[], tuple[str, bytes]]] = {
    "as it should be": lambda: ("a.csv", GOOD),
    "without a last line end": lambda: ("a.csv", GOOD[:-1]),
    "CRLF": lambda: ("a.csv", GOOD.replace(b"\n", b"\r\n")),
    "CR": lambda: ("a.csv", GOOD.replace(b"\n", b"\r")),
    "a byte order mark": lambda: ("a.csv", b"\xef\xbb\xbf" + GOOD),
    "gzip": lambda: ("a.csv.gz", GZIP),
    "gzip under the name of a CSV": lambda: ("a.csv", GZIP),
    "unpacked on its way": lambda: ("a.csv.gz", GOOD),
    "no name to go by": lambda: ("part-0000", GOOD),
    "blank lines": lambda: ("a.csv", GOOD.replace(b"\n", b"\n\n")),
    "quoted": lambda: ("a.csv", GOOD.replace(b"part 7,", b'"part 7",')),
    "as pandas writes whole numbers beside missing ones": lambda: ("a.csv", GOOD.replace(b"\n7,", b"\n7.0,")),
    "reordered": lambda: (
        "a.csv",
        "\n".join(",".join(reversed(line.split(","))) for line in [HEADER, *RECORDS]).encode() + b"\n",
    ),
    "Parquet": lambda: ("a.parquet", PARQUET),
    "Parquet, coded text, many row groups": lambda: (
        "a.parquet",
        as_parquet(table(name=table().column("name").dictionary_encode()), row_group_size=7),
    ),
    "Parquet, long text": lambda: (
        "a.parquet",
        as_parquet(table(name=table().column("name").cast(pa.large_string()))),
    ),
    "Parquet, other types of the same kind": lambda: (
        "a.pq",
        as_parquet(
            table(
                id=pa.array(range(100), pa.int16()),
                weight=pa.array([n / 4 for n in range(100)], pa.float32()),
                made=pa.array(["2024-01-01"] * 100),
            )
        ),
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_harmless_differences_read_as_the_same_rows(case: str) -> None:
    name, data = ACCEPTED[case]()
    rows, plain = read(f"landing/parts/{name}", data, PARTS), read("landing/parts/a.csv", GOOD, PARTS)
    assert isinstance(rows, Rows)
    assert isinstance(plain, Rows)
    assert rows.faults == ()
    assert rows.table.equals(plain.table)


def test_an_extra_column_is_remarked_and_left_out() -> None:
    data = b"\n".join(line + (b",B7" if at else b",gate") for at, line in enumerate(GOOD.split(b"\n")[:-1]))
    rows = read("landing/parts/a.csv", data, PARTS)
    assert isinstance(rows, Rows)
    assert [str(note) for note in rows.notes] == ["EXTRA_COLUMN: found 1 more: 'gate', expected left out."]
    assert rows.table.column_names == HEADER.split(",")


def test_an_unnamed_index_column_is_left_out() -> None:
    data = b"\n".join((b"%d," % at if at else b",") + line for at, line in enumerate(GOOD.split(b"\n")[:-1]))
    rows = read("landing/parts/a.csv", data, PARTS)
    assert isinstance(rows, Rows)
    assert rows.faults == ()


def test_more_bad_rows_than_the_limit_refuse_the_batch_and_tell_both(lenient: Any) -> None:
    lines = [HEADER, *(text.replace(f",{n / 4},", ",heavy,") if n < 6 else text for n, text in enumerate(RECORDS)), ""]
    rows = read("landing/parts/a.csv", "\n".join(lines).encode(), PARTS)
    assert isinstance(rows, Rows)
    verdict = judge_rows(rows, PARTS, lenient)
    assert (verdict.kept, verdict.counts.quarantined) == (None, 100)
    assert [str(reason) for reason in verdict.reasons] == [
        "TYPE weight: found something else, expected a number (6 rows).",
        "TOO_MANY_BAD_ROWS: found 6 of 100 rows bad (6.0%), expected at most 5.0% (6 rows).",
    ]


def test_repeats_do_not_count_as_bad_rows(lenient: Any) -> None:
    rows = read("landing/parts/a.csv", GOOD + GOOD, PARTS)
    assert isinstance(rows, Rows)
    verdict = judge_rows(rows, PARTS, lenient)
    assert (verdict.counts.received, verdict.counts.validated) == (201, 100)


def test_every_flipped_byte_of_a_parquet_file_is_noticed_or_harmless() -> None:
    """With page checksums no flipped byte of the data may read as another value."""
    plain = read("a.parquet", PARQUET, PARTS)
    assert isinstance(plain, Rows)
    for place in np.random.default_rng(5).integers(4, len(PARQUET) - 8, 200):
        answer = read("a.parquet", flipped(PARQUET, int(place)), PARTS)
        assert isinstance(answer, Refused) or answer.table.equals(plain.table), f"byte {place}"


def test_a_parquet_file_whose_damage_could_not_be_noticed_is_remarked() -> None:
    """Without page checksums 171 of 200 flipped bits of a month read as other values, so somebody should know."""
    sink = io.BytesIO()
    pq.write_table(table(), sink)
    unchecked, checked = (read("a.parquet", data, PARTS) for data in (sink.getvalue(), PARQUET))
    assert isinstance(unchecked, Rows)
    assert isinstance(checked, Rows)
    assert [note.code for note in unchecked.notes] == ["NO_CHECKSUMS"]
    assert checked.notes == ()
    assert unchecked.table.equals(checked.table)


def test_a_field_of_two_million_characters_costs_one_row() -> None:
    product = PARTS.model_copy(update={"limits": Limits(max_field_characters=100)})
    rows = read("a.csv", with_record(7, f"7,{'x' * 2_000_000},true,1,2024-01-01"), product)
    assert isinstance(rows, Rows)
    assert [(fault.code, fault.rows.tolist()) for fault in rows.faults] == [("FIELD_LENGTH", [7])]


def test_reasons_never_quote_what_a_row_says(lenient: Any) -> None:
    number = "4111111111111111"
    data = with_record(7, f"{number}x,{number},{number},{number}x,{number}").replace(
        b"part 8,", number.encode() * 9 + b","
    )
    rows = read("a.csv", data, PARTS)
    assert isinstance(rows, Rows)
    verdict = judge_rows(rows, PARTS, lenient)
    assert verdict.reasons
    assert all(number not in str(reason) for reason in (*verdict.reasons, *verdict.notes))
