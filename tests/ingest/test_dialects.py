"""Files in the dialect their product declares: encodings, separators, decimal signs, forms of dates."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.spec import Product, parse
from tasks.cells import Refused, Rows
from tasks.reading import read

TEXT = """
name: parts
task: regression
grain: [id]
time: made
reading: READING
columns:
  - {name: id, type: long}
  - {name: name, type: string}
  - {name: weight, type: double, input: false}
  - {name: made, type: datetime, format: "%d.%m.%Y %H:%M"}
target: {column: weight}
features: {numbers: [id]}
evaluation: {metric: rmse, floors: {rmse: 1}}
"""
LINES = ["id;name;weight;made", "1;Köln;1,5;31.12.2023 23:59", "2;Ulm;-2;01.01.2024 00:00", ""]


def product(**reading: str) -> Product:
    return parse(TEXT.replace("READING", str(reading or {})), source="parts")


GERMAN = product(separator=";", decimal=",", encoding="cp1252")


def rows(data: bytes, wanted: Product = GERMAN) -> list[dict[str, Any]]:
    found = read("landing/parts/a.csv", data, wanted)
    assert isinstance(found, Rows)
    assert [str(fault.reason) for fault in found.faults] == []
    return found.table.to_pylist()


def reasons(data: bytes, wanted: Product = GERMAN) -> list[str]:
    found = read("landing/parts/a.csv", data, wanted)
    listed = found.reasons if isinstance(found, Refused) else [fault.reason for fault in found.faults]
    return [str(reason) for reason in listed]


def test_a_file_in_its_products_own_dialect_is_read() -> None:
    first, second = rows("\n".join(LINES).encode("cp1252"))
    assert (first["name"], first["weight"], first["made"].isoformat()) == ("Köln", 1.5, "2023-12-31T23:59:00+00:00")
    assert (second["name"], second["weight"]) == ("Ulm", -2.0)


@pytest.mark.parametrize(("encoding", "written"), [("utf-16", "utf-16"), ("utf-8", "utf-8-sig"), ("utf-8", "utf-8")])
def test_the_same_rows_come_out_of_every_encoding(encoding: str, written: str) -> None:
    wanted = product(separator=";", decimal=",", encoding=encoding)
    assert rows("\n".join(LINES).encode(written), wanted) == rows("\n".join(LINES).encode("cp1252"))


def test_text_of_another_encoding_is_refused_and_never_becomes_other_letters() -> None:
    text = "\n".join(LINES)
    assert reasons(text.encode()) == ["ENCODING: found UTF-8, expected cp1252."]
    assert reasons(text.encode("cp1252"), product(separator=";", encoding="utf-16")) != []
    assert reasons("id;name\n\x81".encode("latin-1")) == [
        "ENCODING: found a byte 0x81 that is not cp1252 at byte 8, expected cp1252."
    ]


def test_another_separator_is_refused_by_name() -> None:
    text = "\n".join(LINES).replace(",", ".").replace(";", ",").encode("cp1252")
    assert reasons(text) == ["DIALECT: found fields separated by commas, expected 4 by semicolons."]


@pytest.mark.parametrize("weight", ["1.5", "1.234,5", "1,2,3"])
def test_a_number_that_may_mean_either_costs_its_row(weight: str) -> None:
    text = "\n".join([*LINES[:2], f"2;Ulm;{weight};01.01.2024 00:00", ""]).encode()
    assert reasons(text.replace("Köln".encode(), b"Koln")) == [
        "TYPE weight: found something else, expected a number (1 row)."
    ]


@pytest.mark.parametrize("made", ["2024-01-01 00:00", "32.01.2024 00:00", "01.01.24 00:00"])
def test_a_date_in_another_form_costs_its_row(made: str) -> None:
    text = "\n".join([*LINES[:1], "1;Ulm;1,5;31.12.2023 23:59", f"2;Ulm;2;{made}", ""]).encode()
    assert reasons(text) == ["TYPE made: found something else, expected an ISO 8601 date (1 row)."]


def test_a_quoted_field_may_hold_the_separator_and_a_line_end() -> None:
    text = "\n".join([LINES[0], '1;"a;b\nc";1,5;31.12.2023 23:59', ""]).encode()
    assert rows(text)[0]["name"] == "a;b\nc"


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [({"encoding": "klingon"}, "Python knows no encoding 'klingon'"), ({"decimal": ","}, "cannot be the decimal sign")],
)
def test_a_dialect_that_cannot_be_is_refused(reading: dict[str, str], sentence: str) -> None:
    with pytest.raises(Exception, match=sentence):
        product(**reading)
