"""Files of a product that a command would write: how they differ from those that exist, and writing them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from cli import output


def differences(root: Path, files: Mapping[str, bytes]) -> str:
    """Return how the files differ from those that exist, "" when none does or none exists."""
    lines: list[str] = []
    for name, body in files.items():
        path = root / name
        before = path.read_bytes() if path.is_file() else None
        if before is None or before == body:
            continue
        if name.endswith(".parquet"):
            lines.append(f"{name}: other rows ({len(before):,} bytes there, {len(body):,} proposed)\n")
            continue
        old, new = (part.decode(errors="replace").splitlines(keepends=True) for part in (before, body))
        lines += difflib.unified_diff(old, new, fromfile=name, tofile=f"{name} (proposed)")
    return "".join(lines)


def write(root: Path, files: Mapping[str, bytes]) -> None:
    """Write the files in their order, and the pages that are made from products. A second call writes the same."""
    for name, body in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    _write_pages(root)


def _write_pages(root: Path) -> None:
    """Bring the pages that are made from products up to date: the schema for editors, the table of suites."""
    from cli import product_schema
    from lifecycle.errors import SuiteError
    from tasks.suite_table import write_page

    product_schema.write(root / "products")
    try:
        write_page(root / "expectations")
    except SuiteError as error:  # another product's, whose files are not this command's business
        output.warn(f"expectations/README.md was not written anew. {error}")
