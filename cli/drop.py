"""`tropism drop`: put files into the landing zone and, when asked, follow each to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import board, context, deliveries, follow, landing, output
from cli.shapes import Dropped

if TYPE_CHECKING:
    from cli.context import Here
    from cli.follow import Sight
    from cli.landing import Landed

TIMEOUT_SECONDS = 600.0


def drop(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    files: Annotated[list[Path], typer.Argument(help="One file or several, of any kind.", metavar="FILE...")],
    wait: Annotated[bool, typer.Option("--wait", help="Follow each file to its end.")] = False,
    name: Annotated[str | None, typer.Option("--as", help="Land one file under another name.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to follow at most.")] = TIMEOUT_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list with one object per file.")] = False,
) -> None:
    """Upload files to landing/PRODUCT/, as any S3 client may. Their arrival is the event that starts everything.

    A folder whose name ends in .parts is one delivery: its files land together, with a manifest that lists them.

    With --wait each file is followed: checked, validated or quarantined, a model trained on it, judged, released.
    Exit code 1 when a file was quarantined or waits for the end of a freeze, 16 when it has not ended in time.

    Example: tropism drop flights flights-2013-01.csv --wait
    """
    here = context.here(product)
    wanted = landing.plan(product, files, name)
    follower = follow.start(here, product)
    landed = [_put(here, one, quiet=as_json) for one in wanted]
    stop = _stopped(here, product)
    if not wait or stop:
        _answer([_unfollowed(one) for one in landed], as_json=as_json)
        if wait:
            raise typer.Exit(1)
        return
    with board.opened(silent=as_json) as shown:
        sights = follower.follow(landed, timeout=timeout, show=shown.show)
    found = [shape(here, product, sight) for sight in sights]
    _answer(found, as_json=as_json)
    if not as_json:
        _links(here, product, sights)
    if any(one.state == "quarantined" for one in found):
        raise typer.Exit(1)


def shape(here: Here, product: str, sight: Sight) -> Dropped:
    """Return what became of a file as scripts see it."""
    from cli.verdicts import judged

    if sight.delivery is None:
        return _unfollowed(sight.landed)
    record = sight.delivery
    return Dropped(
        file=str(sight.landed.path),
        batch_id=record.batch_id or sight.landed.batch_id,
        state="landed" if record.state == "claimed" else record.state,
        reasons=tuple(deliveries.why(reason) for reason in record.reasons),
        rows=deliveries.rows(record.rows),
        model=judged(here.bucket, product, sight.verdict) if sight.verdict else None,
    )


def tell(found: Dropped) -> None:
    """Print what became of one file."""
    from cli.batches import sentence

    rows = found.rows
    counts = f", {rows.validated:,} of {rows.received:,} rows go on" if rows and found.state == "validated" else ""
    output.say(f"{Path(found.file).name}: batch {output.short(found.batch_id)} {found.state}{counts}")
    for reason in found.reasons:
        output.say(f"  {sentence(reason)}")
    if found.model is not None:
        output.say(f"  model {found.model.version or '(none was made)'}: {found.model.state}")
        for reason in found.model.reasons:
            output.say(f"    {sentence(reason)}")


def _put(here: Here, wanted: landing.Wanted, *, quiet: bool) -> Landed:
    size = (
        sum(path.stat().st_size for path in wanted.path.iterdir())
        if wanted.path.is_dir()
        else wanted.path.stat().st_size
    )
    with output.progress(f"uploading {wanted.path.name} ({size:,} bytes) to {wanted.key}", quiet=quiet):
        return landing.put(here, wanted)


def _stopped(here: Here, product: str) -> bool:
    """Say whether a freeze keeps what lands waiting, and warn of it."""
    from tasks import control

    stop = control.stopped(here.bucket, product)
    if stop is not None:
        output.warn(f"What lands waits: {stop.found}. It goes on after `tropism unfreeze {product}`.")
    return stop is not None


def _unfollowed(landed: Landed) -> Dropped:
    return Dropped(str(landed.path), landed.batch_id, "landed", (), None, None)


def _answer(found: list[Dropped], *, as_json: bool) -> None:
    if as_json:
        output.emit(found)
        return
    for one in found:
        tell(one)


def _links(here: Here, product: str, sights: tuple[Sight, ...]) -> None:
    """Print where to look further: the run that checked each file, the MLflow run, the endpoint."""
    from cli.status import address_of

    prefect = here.prefect()
    for sight in sights:
        if sight.delivery is not None:
            output.say(f"  checked by {prefect.page(sight.delivery.owner)}")
        if sight.verdict is not None:
            output.say(f"  MLflow run {sight.verdict.mlflow_run}")
    address = address_of(here, product)
    if address:
        output.say(f"  endpoint   {address}")
