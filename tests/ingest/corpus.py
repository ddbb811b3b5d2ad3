"""Fifty-eight things a producer may send instead of a month of departures, made from real rows of July 2013.

Each case is a file and the end it must come to. Only the rows are real; everything that is wrong with them is made
here, from a seed: the same cases are the same bytes.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

NAME = "flights-2013-07.csv"
PARQUET = "flights-2013-07.parquet"
ERROR_PAGE = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n'
# In the manner of the Big List of Naughty Strings: what has broken somebody's parser, page, sheet or log.
NAUGHTY = (
    "undefined", "null", "None", "NaN", "-1/2", "1E02", "0x0", "1,000", "1;2", "'", '"', '""', "','", '","', "\\",
    "\\\\n", "%s%n", "${7*7}", "{{7*7}}", "$(id)", "`id`", "; DROP TABLE flights;--", "1 OR 1=1", "=1+1", "+1+1",
    "-1+1", "@SUM(1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x","y")', "\tN1", " N1", "N1 ", "<script>alert(1)",
    "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "javascript:alert(1)", "&lt;b&gt;", "]]>", "<!--", "../..",
    "/etc/passwd", "C:\\nul", "CON", "a|b", "a`b", "*bold*", "[a](http://x)", "田中さん", "Ω≈ç√∫", "Ж", "ÅÍÎ", "ﷺ",
    "مرحبا", "\u202eN1", "\u200bN1", "\ufeffN1", "e\u0301", "👩‍👩‍👧", "🇺🇸", "ᚠᛇᚻ", "z̷̞a̷l̷g̷o̷",
    "two\nlines", "two\r\nlines", "\x1b[31mred", "\x07", "\x7f", "N" * 99, "n12345", "N0123", "NO",
)  # fmt: skip


def csv(frame: pd.DataFrame, **options: Any) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n", **options).encode()


def parquet(frame: pd.DataFrame | pa.Table) -> bytes:
    sink = io.BytesIO()
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, sink, write_page_checksum=True)
    return sink.getvalue()


def in_zone(frame: pd.DataFrame, zone: str) -> pa.Table:
    """Return rows whose times are instants in a zone, as Parquet knows them."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    at = table.schema.get_field_index("time_hour")
    instants = pd.to_datetime(frame["time_hour"]).dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return table.set_column(at, "time_hour", pa.array(instants, pa.timestamp("us", zone)))


@dataclass(frozen=True)
class Material:
    """July, evenly spread, and what is mixed into it."""

    july: pd.DataFrame
    june: pd.DataFrame
    march: pd.DataFrame

    @property
    def n(self) -> int:
        return len(self.july)

    @cached_property
    def text(self) -> bytes:
        return csv(self.july)

    @cached_property
    def lines(self) -> list[bytes]:
        return self.text.split(b"\n")

    @cached_property
    def parquet(self) -> bytes:
        return parquet(in_zone(self.july, "UTC"))

    def some(self, rows: int, seed: int = 7) -> list[int]:
        """Return `rows` different row numbers."""
        return sorted(np.random.default_rng(seed).choice(self.n, rows, replace=False).tolist())

    def with_cells(self, column: str, rows: list[int], values: Any) -> pd.DataFrame:
        """Return July with other values, of whatever kind, in some cells of a column."""
        changed = self.july.copy()
        changed[column] = changed[column].astype(object)
        changed.loc[rows, column] = values
        return changed

    def with_column(self, **columns: Any) -> bytes:
        return csv(self.july.assign(**columns))


@dataclass(frozen=True)
class Case:
    """A file and its end. `reasons` and `notes`: code and column; `held`: rows kept back of an accepted file."""

    make: Callable[[Material], bytes]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    held: int = 0
    name: str = NAME
    state: str = ""

    @property
    def ends(self) -> str:
        return self.state or ("validated" if self.held or not self.reasons else "quarantined")


def ragged(m: Material) -> bytes:
    return b"\n".join(line + b",extra" if at % 499 == 5 else line for at, line in enumerate(m.lines))


def unbalanced(m: Material) -> bytes:
    fields = m.lines[500].split(b",")
    fields[9] = b'"' + fields[9]
    return b"\n".join([*m.lines[:500], b",".join(fields), *m.lines[501:]])


def shifted_clock(m: Material) -> bytes:
    minutes = (m.july["sched_dep_time"] // 100 * 60 + m.july["sched_dep_time"] % 100 + 240) % 1440
    return m.with_column(sched_dep_time=minutes // 60 * 100 + minutes % 60, hour=minutes // 60)


def next_decade(m: Material) -> bytes:
    return m.with_column(year=2031, time_hour=m.july["time_hour"].str.replace("2013", "2031"))


def impossible_dates(m: Material) -> bytes:
    changed = m.july.copy()
    changed.loc[5, "day"] = 32
    changed.loc[6, "sched_dep_time"] = 2575
    changed.loc[7, "month"] = 13
    return csv(changed)


def as_text(m: Material) -> bytes:
    return parquet(m.july.assign(flight=m.july["flight"].astype(str), distance=m.july["distance"].astype(str)))


def contradicting(m: Material) -> bytes:
    return csv(pd.concat([m.july, m.july.head(25).assign(arr_delay=999)]))


def damaged_page(m: Material) -> bytes:
    damaged = bytearray(m.parquet)
    middle = len(damaged) // 2
    damaged[middle : middle + 64] = bytes(64)
    return bytes(damaged)


def repeated_name(m: Material) -> bytes:
    return csv(m.july.rename(columns={"hour": "distance"}))


CASES: dict[str, Case] = {
    "00 clean": Case(lambda m: m.text),
    "00 clean Parquet": Case(lambda m: m.parquet, name=PARQUET),
    # how it came
    "01 no bytes": Case(lambda _: b"", ("EMPTY_FILE",)),
    "02 a header only": Case(lambda m: m.lines[0] + b"\n", ("NO_ROWS",)),
    "03 cut in mid-row": Case(lambda m: m.text[: m.text.index(b"\n", int(len(m.text) * 0.6)) - 40], ("TRUNCATED",)),
    "04 Parquet cut off": Case(lambda m: m.parquet[: int(len(m.parquet) * 0.7)], ("PARQUET_FOOTER",), name=PARQUET),
    "05 flipped bits in a page": Case(damaged_page, ("PARQUET_PAGE",), name=PARQUET),
    "06 CSV named Parquet": Case(lambda m: m.text, ("NOT_PARQUET",), name=PARQUET),
    "07 Parquet named CSV": Case(lambda m: m.parquet, ("NOT_CSV",)),
    "08 gzip named CSV": Case(lambda m: gzip.compress(m.text, mtime=0)),
    "09 gzip cut off": Case(lambda m: gzip.compress(m.text, mtime=0)[:-2000], ("GZIP_EOF",), name=f"{NAME}.gz"),
    "10 an error page": Case(lambda _: ERROR_PAGE, ("NOT_CSV",)),
    "11 NUL bytes": Case(lambda m: m.text[:50_000] + bytes(4096) + m.text[50_000:], ("NUL_BYTES",)),
    # how it is written
    "12 a byte order mark": Case(lambda m: b"\xef\xbb\xbf" + m.text),
    "13 UTF-16": Case(lambda m: m.text.decode().encode("utf-16"), ("ENCODING",)),
    "14 Latin-1": Case(
        lambda m: csv(m.with_cells("tailnum", list(range(50)), "Zürich")).decode().encode("latin-1"), ("ENCODING",)
    ),
    "15 semicolons, decimal comma": Case(lambda m: csv(m.july, sep=";", decimal=","), ("DIALECT",)),
    "16 CRLF": Case(lambda m: m.text.replace(b"\n", b"\r\n")),
    "17 no header": Case(lambda m: b"\n".join(m.lines[1:]), ("NO_HEADER",)),
    "18 an unnamed index column": Case(
        lambda m: csv(m.july.reset_index().rename(columns={"index": ""})), notes=("EXTRA_COLUMN",)
    ),
    "19 ragged rows": Case(ragged, ("FIELD_COUNT",), held=3),
    "20 an unbalanced quote": Case(unbalanced, ("PARSE",)),
    "21 two files in one": Case(lambda m: m.text + m.text, ("REPEATED_HEADER", "DUPLICATE_ROW"), held=1501),
    "22 two months in one": Case(lambda m: csv(pd.concat([m.july, m.june.head(255)])), ("PERIOD time_hour",), held=255),
    # which columns
    "23 a column missing": Case(
        lambda m: csv(m.july.drop(columns="sched_dep_time")), ("MISSING_COLUMN sched_dep_time",)
    ),
    "24 the label missing": Case(lambda m: csv(m.july.drop(columns="arr_delay")), notes=("NO_LABELS arr_delay",)),
    "25 a column renamed": Case(
        lambda m: csv(m.july.rename(columns={"distance": "distance_mi"})), ("MISSING_COLUMN distance",)
    ),
    "26 a column more": Case(lambda m: m.with_column(gate="B7"), notes=("EXTRA_COLUMN",)),
    "27 columns in another order": Case(lambda m: csv(m.july[m.july.columns[::-1]])),
    "28 names in capitals": Case(lambda m: csv(m.july.rename(columns=str.upper)), ("MISSING_COLUMN *",)),
    "29 a name twice": Case(repeated_name, ("MISSING_COLUMN hour", "DUPLICATE_COLUMN distance")),
    "30 numbers with a unit": Case(
        lambda m: m.with_column(distance=[f"{value:,} mi" for value in m.july["distance"]]),
        ("TYPE distance", "TOO_MANY_BAD_ROWS"),
    ),
    "31 text among numbers": Case(
        lambda m: csv(m.with_cells("distance", m.some(3), "N/A?")), ("TYPE distance",), held=3
    ),
    "32 nulls among numbers": Case(
        lambda m: csv(m.with_cells("distance", m.some(45), None)), ("MISSING_VALUE distance",), held=45
    ),
    "32 more nulls than allowed": Case(
        lambda m: csv(m.with_cells("distance", m.some(90), None)), ("MISSING_VALUE distance", "TOO_MANY_BAD_ROWS")
    ),
    "33 Parquet numbers as text": Case(as_text, ("TYPE flight", "TYPE distance"), name=PARQUET),
    "34 Parquet times in a zone": Case(lambda m: parquet(in_zone(m.july, "Asia/Tokyo")), name=PARQUET),
    # which values
    "35 kilometres": Case(
        lambda m: m.with_column(distance=(m.july["distance"] * 1.609).round().astype(int)),
        ("DISTRIBUTION distance", "DISTRIBUTION distance", "RANGE distance"),
    ),
    "36 seconds": Case(
        lambda m: m.with_column(arr_delay=m.july["arr_delay"] * 60, dep_delay=m.july["dep_delay"] * 60),
        ("DISTRIBUTION dep_delay", "DISTRIBUTION arr_delay", "RANGE dep_delay", "RANGE arr_delay", "TOO_MANY_BAD_ROWS"),
    ),
    "37 a shifted clock": Case(shifted_clock, ("DISTRIBUTION hour", "RANGE sched_dep_time")),
    "38 -999 for nothing": Case(
        lambda m: csv(m.with_cells("arr_delay", m.some(60), -999)), ("RANGE arr_delay",), held=60
    ),
    "39 an empty column": Case(lambda m: m.with_column(carrier=None), ("MISSING_VALUE carrier", "TOO_MANY_BAD_ROWS")),
    "40 a new airline, 8 %": Case(
        lambda m: csv(m.with_cells("carrier", m.some(120), "ZZ")), ("CATEGORY carrier",), notes=("CATEGORY carrier",)
    ),
    "40 a new airline, 3 %": Case(
        lambda m: csv(m.with_cells("carrier", m.some(45), "ZZ")), notes=("CATEGORY carrier",)
    ),
    "41 other case and blanks": Case(
        lambda m: m.with_column(carrier=m.july["carrier"].str.lower() + " "),
        ("CATEGORY carrier",),
        notes=("CATEGORY carrier",),
    ),
    "42 infinity": Case(lambda m: csv(m.with_cells("distance", m.some(21), np.inf)), ("NON_FINITE distance",), held=21),
    "43 impossible dates": Case(
        impossible_dates,
        ("RANGE month", "RANGE day", "RANGE sched_dep_time"),
        notes=("DISTRIBUTION month",),
        held=3,
    ),
    "44 another year": Case(next_decade, ("PERIOD time_hour", "PERIOD")),
    "45 a constant column": Case(lambda m: m.with_column(distance=1000), ("DISTRIBUTION distance",)),
    "46 one class only": Case(lambda m: csv(m.july[m.july["arr_delay"].fillna(0) < 15])),
    "47 the label's sign flipped": Case(
        lambda m: m.with_column(arr_delay=-m.july["arr_delay"]),
        ("DISTRIBUTION arr_delay", "CROSS_FIELD dep_delay, arr_delay", "RANGE arr_delay", "TOO_MANY_BAD_ROWS"),
    ),
    "48 labels shuffled": Case(
        lambda m: m.with_column(arr_delay=np.random.default_rng(7).permutation(m.july["arr_delay"].to_numpy()))
    ),
    "49 a column that tells the label": Case(
        lambda m: m.with_column(is_late=(m.july["arr_delay"] >= 15).astype("Int64")), notes=("EXTRA_COLUMN",)
    ),
    # how much, how often, when
    "50 repeated rows": Case(
        lambda m: csv(pd.concat([m.july, m.july.sample(150, random_state=1)])), ("DUPLICATE_ROW",), held=150
    ),
    "51 the same under another name": Case(lambda m: m.text, ("DUPLICATE_BATCH",), state="duplicate"),
    "52 rows of an older month": Case(lambda m: csv(m.march), notes=("LATE",), name="late.csv"),
    "52 rows of an older month under this month's name": Case(lambda m: csv(m.march), ("PERIOD time_hour", "PERIOD")),
    "53 a fiftieth of the rows": Case(lambda m: csv(m.july.iloc[::50]), ("ROW_COUNT",), notes=("NULL_RATE wind_gust",)),
    "53 six rows": Case(
        lambda m: csv(m.july.iloc[:1500:250]),
        ("ROW_COUNT", "DISTRIBUTION distance", "NULL_RATE wind_dir", "NOT_JUDGED wind_gust"),
        notes=("NULL_RATE wind_gust",),
    ),
    "54 ten times the rows": Case(lambda m: csv(pd.concat([m.july] * 10)), ("DUPLICATE_ROW",), held=13_500),
    "55 rows that contradict": Case(contradicting, ("CONFLICTING_ROWS",), held=50),
    "56 naughty strings": Case(
        lambda m: csv(m.with_cells("tailnum", m.some(len(NAUGHTY)), NAUGHTY)), ("PATTERN tailnum",), held=len(NAUGHTY)
    ),
    "57 formulas and markup": Case(
        lambda m: csv(
            m.with_cells("tailnum", m.some(20), ['=HYPERLINK("http://x","y")', "<script>alert(1)</script>"] * 10)
        ),
        ("PATTERN tailnum",),
        held=20,
    ),
    "58 a huge field": Case(
        lambda m: csv(m.with_cells("tailnum", [0], "x" * 2_000_000)), ("FIELD_LENGTH tailnum",), held=1
    ),
}
