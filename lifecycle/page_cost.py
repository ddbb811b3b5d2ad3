"""What the product's work cost, beside an instance that is always on. Pure."""

from __future__ import annotations

from lifecycle.charts import Chart, Limit, Series
from lifecycle.page import Empty, Fact, Notice, Panel
from lifecycle.page_source import Source


def panel(source: Source) -> Panel:
    """Return the bill by stage; uses that nobody measured are named, never guessed."""
    bill = source.bill
    if bill is None:
        missing = "What this product used was not measured yet: the next look measures and prices it."
        return Panel("cost", "Cost", empty=Empty(missing, f"tropism monitor {source.name}"))
    unknown = ", ".join(bill.unknown)
    per = "no prediction" if bill.per_thousand is None else _dollars(bill.per_thousand)
    facts = (
        Fact("Measured work", _dollars(bill.total), "US dollars, free tiers left out"),
        Fact("A thousand predictions", per),
        Fact("Always on instead", _dollars(bill.always_on), "an instance over the same time"),
        Fact("Prices of", f"{bill.prices.on:%Y-%m-%d}", "us-east-1, Linux on x86"),
    )
    chart = Chart(
        "across",
        "Cost by stage",
        "US dollars",
        "stage",
        tuple(bill.stages),
        (Series("cost", tuple(bill.stages.values())),),
        "Measured use times the price list.",
        (Limit("always on", bill.always_on, "muted"),),
    )
    notices = (Notice("noted", f"Not measured, so not in the sum: {unknown}."),) if unknown else ()
    return Panel("cost", "Cost", notices=notices, facts=facts, charts=(chart,))


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4g}"
