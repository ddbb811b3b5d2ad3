"""`tropism report`: the page about a product, built anew from what the bucket holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import context, output
from lifecycle.errors import UsageError


@dataclass(frozen=True)
class Built:
    """`report`: where the page lies, and the file it was written to, null when none was wanted."""

    product: str
    url: str
    file: str | None


def report(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    file: Annotated[Path | None, typer.Option("--output", help="Write the page to this file as well.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in this machine's browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print where the page lies as an object.")] = False,
) -> None:
    """Build the page about a product: what serves, the release, traffic, drift, performance, batches, cost.

    It is one file that needs no network. A look at the product builds it as well.

    Example: tropism report flights --open
    """
    here = context.here(product)
    from tasks import report_links, reports

    with output.progress(f"builds the page of {product}", quiet=as_json):
        link = reports.build_report(here.settings, product, datetime.now(UTC))
    if show and file is None:
        file = context.home() / f"{product}.html"
    if file is not None:
        _write(file, report_links.read_report(here.settings, product) or b"")
    if as_json:
        output.emit(Built(product, link.url, str(file.resolve()) if file else None))
    else:
        output.say(f"The page of {product} is at {link.url}")
        if file is not None:
            output.say(f"and in {file}")
    if show and file is not None:
        typer.launch(file.resolve().as_uri())


def _write(file: Path, body: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    except OSError as error:
        raise UsageError(
            f"The page cannot be written to {file}.", detail=f"{error.strerror}.", resolution="Name another --output."
        ) from error
