"""What was measured, look after look, with the threshold of each look. Pure.

A threshold moves: it is never below what chance explains at the number of rows at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lifecycle.charts import ABSENT, Chart, Series, Table, lasting, number
from lifecycle.looks import Look
from lifecycle.measurement import Measurement, Metric, State
from lifecycle.page import Empty, Fact, Panel
from lifecycle.page_source import Source

CHARTED = 6
_UNITS: dict[Metric, str] = {
    Metric.PSI: "PSI (no unit)",
    Metric.SCORES: "PSI (no unit)",
    Metric.KS: "KS distance (0 to 1)",
    Metric.CLUMP: "rise of one range (share of rows)",
    Metric.MISSING: "share of rows (0 to 1)",
    Metric.UNSEEN: "share of rows (0 to 1)",
}
_ALWAYS = (Metric.SCORES, None)
_HEADS = ("what", "state", "found", "at most", "breach at", "by chance", "power", "n", "why not judged")
Which = tuple[Metric, str | None]


def panel(source: Source) -> Panel:
    """Return the metrics nearest to their thresholds over time, and everything of the last look that is not well."""
    look = source.last_look
    if look is None:
        missing = "Nobody has looked at this product yet."
        return Panel("drift", "Drift over time", empty=Empty(missing, f"tropism monitor {source.name}"))
    shown = _chosen(source)
    picked = f", {len(source.looks)} of {source.looked:,} looks drawn" if source.looked > len(source.looks) else ""
    facts = [Fact("Looks", number(source.looked), f"one every {lasting(source.product.monitor.every)}{picked}")]
    if look.named:
        facts.append(Fact("Columns that matter", ", ".join(look.named), "drifted, and the model's answers with them"))
    notable = [one for one in look.measurements if one.state != "ok" and one.importance != 0]
    return Panel(
        "drift",
        "Drift over time",
        _lead(look),
        facts=tuple(facts),
        charts=tuple(_chart(source, which) for which in shown),
        tables=(_table(notable),) if notable else (),
    )


def _lead(look: Look) -> str:
    """Say how many metrics the last look found how."""
    counts = Counter(one.state for one in look.measurements)
    names: dict[State, str] = {
        "breached": "in breach",
        "warned": "warned",
        "undecidable": "undecidable",
        "noted": "noted",
        "ok": "well",
    }
    told = ", ".join(f"{counts[state]} {name}" for state, name in names.items() if counts[state])
    return f"The last look measured {len(look.measurements)} things: {told}. " + (
        "Drift in a column the model does not use is noted and alerts nobody." if counts["noted"] else ""
    )


def _chosen(source: Source) -> list[Which]:
    """Return the scores, and what came nearest to its threshold in any look; unused columns are left out."""
    nearest: dict[Which, float] = {}
    for look in source.looks:
        for one in look.measurements:
            if one.metric in _UNITS and one.importance != 0 and one.statistic is not None and one.threshold:
                which = (one.metric, one.column)
                nearest[which] = max(nearest.get(which, 0.0), one.statistic / one.threshold)
    order = sorted(nearest, key=lambda which: (which != _ALWAYS, -nearest[which], which))
    return order[:CHARTED]


def _chart(source: Source, which: Which) -> Chart:
    found = [_of(look.measurements, which) for look in source.looks]
    metric, column = which
    name = f"{metric} of {column}" if column else "Scores against the holdout"
    series = (
        Series("found", tuple(one.statistic if one else None for one in found), "first"),
        Series("warned above", tuple(one.threshold if one else None for one in found), "warn", dashed=True),
        Series("in breach above", tuple(one.breach_at if one else None for one in found), "bad", dashed=True),
    )
    last = next((one for one in reversed(found) if one is not None), None)
    caption = f"Last: {last}" if last is not None else "It was not measured in these looks."
    places = tuple(look.at for look in source.looks)
    return Chart("lines", name, "time of the look (UTC)", _UNITS[metric], places, series, caption)


def _of(measurements: Sequence[Measurement], which: Which) -> Measurement | None:
    return next((one for one in measurements if (one.metric, one.column) == which), None)


def _table(found: Sequence[Measurement]) -> Table:
    order = ("breached", "warned", "undecidable", "noted")
    rows = tuple(
        (
            one.name,
            one.state,
            number(one.statistic),
            number(one.threshold),
            number(one.breach_at),
            number(one.chance),
            number(one.power),
            number(one.n),
            one.gap or ABSENT,
        )
        for one in sorted(found, key=lambda one: order.index(one.state))
    )
    caption = "What the last look did not find well. Power: the chance to notice a true change as large as a breach."
    return Table(_HEADS, rows, frozenset(_HEADS[2:8]), caption)
