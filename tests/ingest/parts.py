"""A small product whose rules the tests change: its files, and deliveries of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PRODUCT = """\
# Parts, as the works deliver them.
name: parts
task: regression # a number
grain: [id]
time: made
columns:
  - { name: id, type: long, input: false } # key
  - { name: name, type: string, nullable: true, input: false }
  # the two that matter
  - { name: size, type: long } # in mm
  - { name: weight, type: double, input: false }
  - { name: made, type: datetime, input: false }
target: { column: weight } # what is predicted
features:
  numbers: [size] # all there is
limits: { max_quarantined_share: 0.2 }
evaluation: { metric: rmse, floors: { rmse: 1 } }
"""
MOST_SIZE = 100
HEADER = "id,name,size,weight,made"


def rule(kind: str, severity: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "severity": severity, "kwargs": kwargs, "meta": {"why": "As it always was."}}


def sizes(most: int) -> dict[str, Any]:
    return rule("column_values_to_be_between", "warning", column="size", min_value=0, max_value=most)


def rows(most: int) -> dict[str, Any]:
    return rule("table_row_count_to_be_between", "critical", min_value=5, max_value=most)


def suite(root: Path, *rules: dict[str, Any]) -> None:
    text = json.dumps({"name": "parts_raw", "meta": {"about": "Parts."}, "expectations": list(rules)}, indent=1)
    (root / "expectations" / "parts_raw.json").write_text(text + "\n")


def write(root: Path) -> None:
    """Write the product and its suite: at most a hundred rows, sizes up to a hundred."""
    (root / "products" / "parts").mkdir(parents=True)
    (root / "expectations").mkdir()
    (root / "products" / "parts" / "product.yaml").write_text(PRODUCT)
    suite(root, rows(100), sizes(MOST_SIZE))


def record(number: int, *more: object, size: object = None) -> str:
    cells = (number, f"part {number}", number if size is None else size, number / 4, "2024-01-01T00:00:00Z", *more)
    return ",".join(str(cell) for cell in cells)


def csv(records: Iterable[str], header: str = HEADER) -> bytes:
    return "\n".join([header, *records, ""]).encode()
