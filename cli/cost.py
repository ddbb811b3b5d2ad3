"""`tropism cost`: what a product's work was measured to use, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from cli.spans import span

if TYPE_CHECKING:
    from lifecycle.cost import Bill

_UNITS = {
    "gb_seconds": "GB-s",
    "requests": "requests",
    "vcpu_seconds": "vCPU-s",
    "memory_gb_seconds": "GB-s of tasks",
    "stored_gb": "GB kept",
    "logged_gb": "GB logged",
    "delivered_gb": "GB delivered",
}
_UNKNOWN = "not measured"


@dataclass(frozen=True)
class Priced:
    """The price table used: its day, its region, dollars for each unit, and where each price stands."""

    on: str
    region: str
    dollars: Mapping[str, float]
    sources: Mapping[str, str]


@dataclass(frozen=True)
class StageCost:
    """One stage: what it used and US dollars. Null is not measured, and not in the dollars; `gaps` names the rest."""

    stage: str
    gb_seconds: float | None
    requests: float | None
    vcpu_seconds: float | None
    memory_gb_seconds: float | None
    stored_gb: float | None
    logged_gb: float | None
    delivered_gb: float | None
    dollars: float
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """`cost`: one product over a time, in US dollars.

    `laptop`: the seconds are this machine's, priced as if they were AWS's. `compute` leaves out what is stored, logged
    and delivered; `always_on` is what an instance (`instance`) would have cost in the same time.
    """

    product: str
    since: str
    until: str
    laptop: bool
    stages: tuple[StageCost, ...]
    total: float
    compute: float
    predictions: int | None
    per_thousand: float | None
    always_on: float
    instance: str
    unknown: tuple[str, ...]
    prices: Priced


def cost(
    product: Annotated[
        str | None, typer.Argument(metavar="PRODUCT", help="The product; without it, each of them.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back: 12h, 30d.")] = "30d",
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of costs.")] = False,
) -> None:
    """Show measured use by stage, priced by the table in lifecycle/prices.py, beside an instance that is always on.

    What nobody measured is named and is never taken for nothing. On a laptop these are laptop seconds at AWS prices.

    Example: tropism cost flights --since 7d
    """
    here, over = context.here(product), span(since, "--since")
    from datetime import UTC, datetime

    from tasks.usage import measure_cost

    now = datetime.now(UTC)
    names = (product,) if product else here.products()
    found = []
    for name in names:
        with output.progress(f"measuring {name}", quiet=as_json):
            found.append((name, measure_cost(here.settings, name, now - over, now)))
    if as_json:
        output.emit([shape(name, one, output.stamp(now - over), output.stamp(now)) for name, one in found])
        return
    for name, one in found:
        tell(name, one)


def shape(product: str, found: Bill, since: str, until: str) -> Cost:
    """Return a bill as scripts see it."""
    from lifecycle.prices import SOURCES

    stages = tuple(
        StageCost(
            stage=one.stage,
            dollars=found.stages[one.stage],
            gaps=one.gaps,
            **{name: getattr(one, name) for name in _UNITS},
        )
        for one in found.usage
    )
    return Cost(
        product=product,
        since=since,
        until=until,
        laptop=found.laptop,
        stages=stages,
        total=found.total,
        compute=found.compute,
        predictions=found.predictions,
        per_thousand=found.per_thousand,
        always_on=found.always_on,
        instance=found.prices.instance,
        unknown=found.unknown,
        prices=Priced(
            on=found.prices.on.isoformat(),
            region=found.prices.region,
            dollars={name: getattr(found.prices, name) for name in SOURCES},
            sources=SOURCES,
        ),
    )


def tell(product: str, found: Bill) -> None:
    """Print one product's stages, and what they come to."""
    output.heading(f"{product}, the last {found.over.total_seconds() / 86_400:.3g} days")
    rows = [[one.stage, _used(one), _dollars(found.stages[one.stage])] for one in found.usage]
    output.table(
        ("stage", "used", "US dollars"), [*rows, ["together", "", _dollars(found.total)]], right=("US dollars",)
    )
    if found.per_thousand is None:
        output.say(f"A thousand predictions: {_UNKNOWN if found.predictions is None else 'there were none'}.")
    else:
        output.say(f"A thousand predictions: {_dollars(found.per_thousand)}, of {found.predictions:,}.")
    always = f"{_dollars(found.always_on)} for an instance that is always on ({found.prices.instance})"
    output.say(f"Computing: {_dollars(found.compute)}, beside {always}.")
    output.say(f"Prices of {found.prices.on:%Y-%m-%d} in {found.prices.region}, without free tiers.")
    if found.unknown:
        output.say(f"Not measured, so not in the sum: {'; '.join(found.unknown)}.")
    if found.laptop:
        output.say("These are seconds of this machine at AWS's prices, not a bill.")


def _used(one: object) -> str:
    amounts = ((getattr(one, name), unit) for name, unit in _UNITS.items())
    told = [f"{unit} {_UNKNOWN}" if found is None else f"{found:,.4g} {unit}" for found, unit in amounts if found != 0]
    return ", ".join(told) or "nothing"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.2g}"
