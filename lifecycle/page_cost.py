"""What the product's work cost, beside an instance that is always on. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.charts import Chart, Limit, Series, Table, lasting, number
from lifecycle.cost import AMOUNTS, Bill
from lifecycle.page import Empty, Fact, Notice, Panel
from lifecycle.page_source import Source

_HEADS = ("stage", *(name.replace("_", " ").replace("gb", "GB").replace("vcpu", "vCPU") for name in AMOUNTS), "dollars")

# A millionth of a dollar is nobody's bill.
_LEAST = 1e-6


def panel(source: Source) -> Panel:
    """Return the bill by stage; uses that nobody measured are named, never guessed."""
    bill = source.bill
    if bill is None:
        empty = Empty("What this product used was not measured.", f"tropism cost {source.name}")
        return Panel("cost", "Cost", empty=empty)
    return Panel(
        "cost",
        "Cost",
        f"Measured use of the last {lasting(bill.over)} at the prices of {bill.prices.on:%Y-%m-%d}, in US dollars.",
        notices=tuple(_notices(bill)),
        facts=_facts(bill),
        charts=(_chart(bill),) if bill.total else (),
        tables=(_table(bill),) if bill.total else (),
        empty=None
        if bill.total
        else Empty("Nothing that was measured cost anything yet.", f"tropism cost {source.name}"),
    )


def _notices(bill: Bill) -> Iterator[Notice]:
    if bill.laptop:
        yield Notice("noted", "These are seconds of a laptop at AWS's prices, not a bill.")
    gaps = [f"{one.stage}: {gap}" for one in bill.usage for gap in one.gaps]
    if bill.unknown:
        dashes = "what has a dash below" if len(gaps) < len(bill.unknown) else ""
        yield Notice("noted", f"Not measured, so not in the sum: {'; '.join(filter(None, (*gaps, dashes)))}.")


def _facts(bill: Bill) -> tuple[Fact, ...]:
    per = "no prediction" if bill.per_thousand is None else _dollars(bill.per_thousand)
    return (
        Fact("Measured work", _dollars(bill.total), f"{_dollars(bill.compute)} of it to compute"),
        Fact("A thousand predictions", per, f"{number(bill.predictions)} were made"),
        Fact("Always on instead", _dollars(bill.always_on), f"{bill.prices.instance}, over the same time"),
    )


def _chart(bill: Bill) -> Chart:
    return Chart(
        "across",
        "Cost by stage",
        "US dollars",
        "stage",
        tuple(bill.stages),
        (Series("measured use", tuple(bill.stages.values())),),
        "Measured use times the price list; free tiers are left out.",
        (Limit("always on", bill.always_on, "muted"),),
    )


def _table(bill: Bill) -> Table:
    rows = tuple(
        (one.stage, *(number(getattr(one, name)) for name in AMOUNTS), _dollars(bill.stages[one.stage]))
        for one in bill.usage
    )
    return Table(_HEADS, rows, frozenset(_HEADS[1:]), "What was used. A dash was not measured.")


def _dollars(amount: float) -> str:
    if 0 < amount < _LEAST:
        return f"under ${_LEAST:f}"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.3g}"
