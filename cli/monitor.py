"""`tropism monitor`: look at a product now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from cli.spans import span

if TYPE_CHECKING:
    from lifecycle.looks import Look
    from lifecycle.measurement import Measurement


@dataclass(frozen=True)
class Measured:
    """One measurement: what was found in `n` rows or requests, what was expected, and what chance and power were.

    `statistic` above `threshold` is worth a look, above `breach_at` too much; null where it could not be judged, with
    the reason in `gap`.
    """

    metric: str
    column: str | None
    state: str
    n: int
    statistic: float | None
    threshold: float | None
    breach_at: float | None
    chance: float | None
    power: float | None
    importance: float | None
    gap: str | None


@dataclass(frozen=True)
class Watched:
    """`monitor`: one look. `blind`: what could not be judged at all; `named`: the drifted columns that matter most."""

    product: str
    at: str
    model_version: str | None
    bundle: str | None
    state: str
    blind: tuple[str, ...]
    named: tuple[str, ...]
    requests: int
    rows: int
    since: str | None
    until: str | None
    measurements: tuple[Measured, ...]


def monitor(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    window: Annotated[str | None, typer.Option(help="Over this time: 12h, 30d. Default: the product's own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the look as an object.")] = False,
) -> None:
    """Look at inputs, scores, answers and labels now, and say what is not as it should be.

    With --window nothing is remembered and nothing follows. Exit code 1 when a metric is in breach, or when something
    could not be judged at all.

    Example: tropism monitor flights --window 30d
    """
    here, over = context.here(product), None if window is None else span(window, "--window")
    from datetime import UTC, datetime

    from flows.monitor import look
    from tasks.step import directly

    with output.progress(f"looking at {product}", quiet=as_json):
        found = look(directly, here.settings, product, datetime.now(UTC), over)
    if as_json:
        output.emit(shape(found))
    else:
        tell(found)
    if found.state in ("breached", "undecidable"):
        raise typer.Exit(1)


def shape(found: Look) -> Watched:
    """Return a look as scripts see it."""
    wide = found.wide
    return Watched(
        product=found.product,
        at=output.stamp(found.at),
        model_version=found.model_version,
        bundle=found.bundle,
        state=found.state,
        blind=found.blind,
        named=found.named,
        requests=wide.requests if wide else 0,
        rows=wide.rows if wide else 0,
        since=output.stamp(wide.since) if wide else None,
        until=output.stamp(wide.until) if wide else None,
        measurements=tuple(_measured(one) for one in found.measurements),
    )


def tell(found: Look) -> None:
    """Print what stands out, and one line about the rest."""
    output.say(found.summary())
    quiet = [one for one in found.measurements if one.state == "ok"]
    gaps = [one for one in found.measurements if one.state == "undecidable"]
    output.say(f"{len(quiet)} measurements are as they should be, {len(gaps)} could not be judged.")
    for one in gaps:
        output.say(f"  {one}")


def _measured(one: Measurement) -> Measured:
    return Measured(
        metric=str(one.metric),
        column=one.column,
        state=one.state,
        n=one.n,
        statistic=one.statistic,
        threshold=one.threshold,
        breach_at=one.breach_at,
        chance=one.chance,
        power=one.power,
        importance=one.importance,
        gap=str(one.gap) if one.gap else None,
    )
