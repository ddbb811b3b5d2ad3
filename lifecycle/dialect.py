"""How a CSV file nobody has described yet is written: its encoding, its separator, its decimal sign.

Used once, when a product is drawn up. What it finds is written into `product.yaml` and from then on declared:
ingest guesses nothing.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from typing import Literal, get_args

from lifecycle.reading import UTF8_MARK

Separator = Literal[",", ";", "\t", "|"]
Decimal = Literal[".", ","]
SEPARATORS: tuple[Separator, ...] = get_args(Separator)

_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# Enough lines to tell a separator from a sign that only occurs in texts.
_LOOKED_AT = 200
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_POINT_NUMBER = re.compile(r"[+-]?\d+\.\d+")


def encoding_of(data: bytes) -> str | None:
    """Return the encoding of a text, None when it is none that can be told.

    UTF-8 is recognised by itself, UTF-16 by its mark. Anything else is taken for Windows' western one, which has
    five bytes that stand for nothing.
    """
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    for name in ("utf-8", "cp1252"):
        try:
            data.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return None


def separator_of(text: str) -> Separator:
    """Return the sign that cuts the most lines into the same number of fields, more than one; a comma in doubt."""
    lines = text.removeprefix(UTF8_MARK.decode()).splitlines()[:_LOOKED_AT]
    scored = [(*_consistency(lines, sign), -at) for at, sign in enumerate(SEPARATORS)]
    return SEPARATORS[-max(scored)[-1]]


def decimal_of(columns: Sequence[Sequence[str]], separator: Separator) -> Decimal:
    """Return the decimal sign of some cells by column: a comma where numbers have one and no column has points."""
    if separator == ",":
        return "."
    commas = [_share(cells, _COMMA_NUMBER) for cells in columns]
    points = [_share(cells, _POINT_NUMBER) for cells in columns]
    return "," if any(share > 0 for share in commas) and not any(share > 0 for share in points) else "."


def _consistency(lines: Sequence[str], sign: str) -> tuple[float, int]:
    """Return the share of lines with the usual number of fields, 0 when that is one, and the number."""
    try:
        counts = Counter(len(record) for record in csv.reader(StringIO("\n".join(lines)), delimiter=sign) if record)
    except csv.Error:
        return 0.0, 0
    if not counts:
        return 0.0, 0
    fields, times = counts.most_common(1)[0]
    share = times / counts.total()
    return (round(share, 1), fields) if fields > 1 else (0.0, 0)


def _share(cells: Sequence[str], pattern: re.Pattern[str]) -> float:
    """Return the share of filled cells that match, 0 unless nearly all do: texts hold commas as well."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    numbers = [cell for cell in filled if pattern.fullmatch(cell) or cell.lstrip("+-").isdigit()]
    if not filled or len(numbers) < 0.95 * len(filled):
        return 0.0
    return sum(pattern.fullmatch(cell) is not None for cell in filled) / len(filled)
