"""`tropism labels`: tell which predictions came true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from cli.deliveries import why
from cli.shapes import Why
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from tasks.labels import Taken


@dataclass(frozen=True)
class ToldLabels:
    """`labels`: one file. `told` rows were read, `refused` ones say nothing; `fault`: why the whole file does not."""

    file: str
    rows: int
    told: int
    refused: int
    reasons: tuple[Why, ...]
    fault: str | None


def labels(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV, Parquet or JSON lines.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of files.")] = False,
) -> None:
    """Upload label files: a column `prediction_id`, one `label` or the target's name, and `at` if it is known.

    Labels may come late, twice and corrected: the one true since last counts, earlier ones stay as history. Any S3
    client may write below labels/PRODUCT/ as well. Exit code 1 when a row or a file says nothing.

    Example: tropism labels flights february.csv
    """
    here = context.here(product)
    if missing := [str(file) for file in files if not file.is_file()]:
        raise UsageError(f"There is no file {missing[0]}.")
    from datetime import UTC, datetime, timedelta

    from lifecycle.keys import labels_prefix
    from tasks import labels as book
    from tasks.clients import s3

    declared = here.product(product)
    keys = {f"{labels_prefix(product)}{file.name}": str(file) for file in files}
    if len(keys) < len(files):
        raise UsageError("Two files have the same name.", resolution="Give them one after the other.")
    for key, name in keys.items():
        s3().upload_file(name, here.bucket, key)
    # Stores date an object by their own clock, which may run ahead of this one.
    taken = book.take(here.bucket, declared, datetime.now(UTC) + timedelta(hours=1), timedelta(days=1))
    found = [shape(one, keys[one.key]) for one in taken if one.key in keys]
    if as_json:
        output.emit(found)
    else:
        tell(product, found)
    if any(one.refused or one.fault for one in found):
        raise typer.Exit(1)


def shape(taken: Taken, file: str) -> ToldLabels:
    """Return what became of a file as scripts see it."""
    reasons = tuple(map(why, taken.reasons))
    return ToldLabels(file, taken.rows, taken.told, taken.rows - taken.told, reasons, taken.fault)


def tell(product: str, found: list[ToldLabels]) -> None:
    """Print what was read, and every reason that a row says nothing."""
    for one in found:
        if one.fault:
            output.say(f"{one.file}: {one.fault}")
            continue
        output.say(f"{one.file}: {one.told:,} of {one.rows:,} rows tell a label.")
        for reason in one.reasons:
            where = f" in {reason.column}" if reason.column else ""
            output.say(
                f"  {reason.rows or 0:,} rows{where}: {reason.found}, expected {reason.expected} ({reason.code})"
            )
    output.say(f"What they say about the model: `tropism monitor {product}`.")
