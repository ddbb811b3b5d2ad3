"""What a delivered file is and whether its text can be read at all: rules on bytes, before any parser sees them.

The bytes decide, not the name; a name that says something else than the bytes is refused. Nothing is repaired
but the byte order mark of UTF-8, which is dropped.
"""

from __future__ import annotations

import codecs
from enum import StrEnum
from itertools import pairwise

from lifecycle.batch import Limits, Reason
from lifecycle.codes import Code

UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_ARCHIVES = {b"PK\x03\x04": "a ZIP archive", b"BZh": "a bzip2 file", b"\xfd7zXZ\x00": "an xz file",
             b"\x28\xb5\x2f\xfd": "a zstd file", b"ORC": "an ORC file", b"\xd0\xcf\x11\xe0": "an Excel file",
             b"%PDF": "a PDF", b"SQLite format 3\x00": "a SQLite database"}  # fmt: skip
_DOCUMENTS = {b"<": "an HTML or XML page", b"{": "a JSON document", b"[": "a JSON document"}
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_ONE_BYTE = ("iso8859", "cp125", "latin", "mac", "koi8")
_STEP = 1 << 20


class Format(StrEnum):
    """What a file is by its first bytes. Everything that is nothing else is taken for text."""

    PARQUET = "Parquet"
    GZIP = "gzip"
    TEXT = "text"


def format_of(data: bytes) -> Format:
    """Tell the format from the first bytes."""
    if data.startswith(b"PAR1"):
        return Format.PARQUET
    return Format.GZIP if data.startswith(b"\x1f\x8b") else Format.TEXT


def refuse_file(key: str, data: bytes) -> Reason | None:
    """Return why a file cannot be what its name says, or is of no use at all, else None."""
    if not data:
        return Reason(Code.EMPTY_FILE, None, "0 bytes", "a header and rows")
    name, found = key.rpartition("/")[2].lower(), format_of(data)
    if name.endswith((".parquet", ".pq")) and found is not Format.PARQUET:
        return Reason(Code.NOT_PARQUET, None, f"{_looks_like(data)} under the name of a Parquet file", "Parquet bytes")
    if name.endswith((".csv", ".csv.gz", ".tsv", ".txt")) and found is Format.PARQUET:
        return Reason(Code.NOT_CSV, None, "Parquet bytes under the name of a CSV file", "CSV, plain or gzip")
    return None


def refuse_text(data: bytes) -> Reason | None:
    """Return why bytes are no CSV text in UTF-8, with the place where it shows, else None."""
    if not data.strip():
        return Reason(Code.EMPTY_FILE, None, f"{len(data)} bytes of white space", "a header and rows")
    for mark, name in _OTHER_MARKS.items():
        if data.startswith(mark):
            return Reason(Code.ENCODING, None, f"the byte order mark of {name}", "UTF-8")
    if (kind := _looks_like(data)) != "text":
        return Reason(Code.NOT_CSV, None, kind, "CSV, plain or gzip, or Parquet")
    if (place := data.find(b"\0")) >= 0:
        found = f"{data.count(0):,} NUL bytes, the first at byte {place:,}, line {_line(data, place):,}"
        return Reason(Code.NUL_BYTES, None, found, "none")
    return _refuse_encoding(data)


def refuse_size(size: int, limits: Limits) -> Reason | None:
    """Return why so many bytes are too many, else None."""
    if size > limits.max_bytes:
        return Reason(Code.TOO_LARGE, None, f"{size:,} bytes", f"at most {limits.max_bytes:,} bytes")
    return None


def refuse_shape(rows: int, columns: int, limits: Limits) -> Reason | None:
    """Return why a table of this shape is not decoded, else None.

    Its bytes say little: a Parquet file of 3.6 MB may hold 200 million rows.
    """
    for code, what, found, most in (
        (Code.TOO_MANY_ROWS, "rows", rows, limits.max_rows),
        (Code.TOO_MANY_COLUMNS, "columns", columns, limits.max_columns),
        (Code.TOO_MANY_CELLS, "cells", rows * columns, limits.max_cells),
    ):
        if found > most:
            return Reason(code, None, f"{found:,} {what}", f"at most {most:,}")
    return None


def refuse_expansion(unpacked: int, packed: int, limits: Limits) -> Reason | None:
    """Return why so many unpacked bytes out of so few packed ones are refused, else None."""
    most = min(limits.max_bytes, int(packed * limits.max_expansion))
    if unpacked > most:
        return Reason(Code.EXPANSION, None, f"more than {most:,} bytes out of {packed:,}", f"at most {most:,}")
    return None


def transcode(data: bytes, encoding: str) -> bytes | Reason:
    """Return text of a declared encoding as UTF-8, or why it is not of that encoding.

    Every byte is a letter in the encodings of one byte each, so text that reads as UTF-8 beyond ASCII is refused:
    it would become other letters without a word.
    """
    name = codecs.lookup(encoding).name
    if name == "utf-8":
        return data
    if name.startswith(_ONE_BYTE) and not data.isascii() and _refuse_encoding(data) is None:
        return Reason(Code.ENCODING, None, "UTF-8", name)
    try:
        return data.decode(name).encode()
    except UnicodeDecodeError as error:
        found = f"a byte 0x{data[error.start]:02x} that is not {name} at byte {error.start:,}"
        return Reason(Code.ENCODING, None, found, name)


def other_separator(header: str, expected: tuple[str, ...], separator: str = ",") -> str | None:
    """Return the name of another separator that would split a header into expected names, else None."""
    for other, name in SEPARATORS.items():
        if other == separator:
            continue
        names = {part.strip().strip('"') for part in header.split(other)}
        if 2 * len(names & set(expected)) >= len(expected):
            return name
    return None


def _looks_like(data: bytes) -> str:
    start = data.removeprefix(UTF8_MARK).lstrip()
    if format_of(data) is not Format.TEXT:
        return f"{format_of(data)} bytes"
    known = {**_ARCHIVES, **_DOCUMENTS}
    return next((kind for magic, kind in known.items() if start.startswith(magic)), "text")


def _refuse_encoding(data: bytes) -> Reason | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start, end in pairwise([*range(0, len(data), _STEP), len(data)]):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start:end], final=end == len(data))
        except UnicodeDecodeError as error:
            place = start - pending + error.start
            found = f"a byte 0x{data[place]:02x} that is not UTF-8 at byte {place:,}, line {_line(data, place):,}"
            return Reason(Code.ENCODING, None, found, "UTF-8")
    return None


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1
