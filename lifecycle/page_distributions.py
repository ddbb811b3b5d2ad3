"""Scores and inputs of the window that was looked at, beside those of the training: where the drift is. Pure.

Numbers are shown in ranges that held equal shares of the training, which are the bins a PSI is made of: equal bars are
no drift, whatever the scale of the column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lifecycle.bins import coarse, totals
from lifecycle.charts import ABSENT, Chart, Series, Table, number, percent
from lifecycle.looks import Look
from lifecycle.measurement import Measurement, Metric
from lifecycle.page import Empty, Panel
from lifecycle.page_source import Source
from lifecycle.profiles import Levels, Numbers, Reference
from lifecycle.sketch import LevelCounts, NumberCounts, Sketch

# Two screens of small charts; the table names every column.
CHARTED, LISTED = 9, 200
_LEVELS = 8
_HEADS = ("column", "share in the model", "PSI", "KS", "missing", "unseen", "rows", "state")


def panel(source: Source) -> Panel:
    """Return the charts of the scores and of the columns that matter most, and a table of all columns."""
    title, window, reference = "Scores and inputs against the training", source.window, source.reference
    if reference is None:
        empty = Empty(
            "Nothing serves yet, or its bundle holds no training profile to compare with.",
            f"tropism drop {source.name} FILE --wait",
        )
        return Panel("distributions", title, empty=empty)
    if window is None or not window.sketch.scored.rows:
        missing = "The model that serves has answered nothing yet that could be compared with its training."
        return Panel("distributions", title, empty=Empty(missing, f"tropism predict {source.name} --file FILE"))
    names = _ordered(reference, source.last_look)
    charts = (_scores(reference, window.sketch), *_columns(reference, window.sketch, names[:CHARTED]))
    lead = (
        f"{window.sketch.rows:,} rows answered by the model that serves, from {window.since:%Y-%m-%d %H:%M} UTC on, "
        f"beside the {reference.rows:,} rows it was trained on. "
    )
    lead += f"{min(CHARTED, len(names))} of {len(names)} columns are drawn: those that alert, then the most important."
    tables = (_table(reference, source.last_look, names),) if source.last_look else ()
    return Panel("distributions", title, lead, charts=charts, tables=tables)


def _ordered(reference: Reference, look: Look | None) -> list[str]:
    """Return every column: those with an effect first, then by importance."""
    effects = [one.column for one in look.effects] if look else []
    known = sorted({**reference.numbers, **reference.categories}, key=lambda one: (-reference.uses(one), one))
    return [*(one for one in effects if one in known), *(one for one in known if one not in effects)]


def _scores(reference: Reference, window: Sketch) -> Chart:
    before, after = reference.scores, window.scored
    places = _ranges(before.edges, range(len(before.counts)))
    series = _both(before.counts, after.counts, "holdout")
    caption = "Ranges of equal share of the holdout: a bar above its neighbour means that such scores came more often."
    return Chart("bars", "Scores", "score (ranges)", "share of answers (%)", places, series, caption)


def _columns(reference: Reference, window: Sketch, names: Sequence[str]) -> Iterator[Chart]:
    for name in names:
        share = f"It has {percent(reference.uses(name))} of the model's gain."
        numbers, levels = reference.numbers.get(name), reference.categories.get(name)
        if numbers is not None and name in window.numbers:
            yield _numbers(name, numbers, window.numbers[name], share)
        elif levels is not None and name in window.categories:
            yield _levels(name, levels, window.categories[name], share)


def _numbers(name: str, before: Numbers, after: NumberCounts, share: str) -> Chart:
    groups = coarse(before.counts, after.present)
    firsts = [at for at, group in enumerate(groups) if at == 0 or group != groups[at - 1]]
    places = _ranges([before.edges[at - 1] for at in firsts[1:]], range(len(firsts)))
    series = _both(
        (*totals(before.counts, groups), before.missing), (*totals(after.counts, groups), after.missing), "training"
    )
    return Chart("bars", name, f"{name} (ranges)", "share of rows (%)", (*places, "missing"), series, share)


def _levels(name: str, before: Levels, after: LevelCounts, share: str) -> Chart:
    kept = sorted(before.levels, key=lambda one: -(before.levels[one] + after.levels.get(one, 0)))[:_LEVELS]
    rest = [one for one in before.levels if one not in kept]
    usual = [before.levels[one] for one in kept]
    now = [after.levels.get(one, 0) for one in kept]
    places = list(kept)
    if rest:
        places.append("others")
        usual.append(sum(before.levels[one] for one in rest))
        now.append(sum(after.levels.get(one, 0) for one in rest))
    series = _both((*usual, before.other, before.missing), (*now, after.unseen.total, after.missing), "training")
    return Chart("bars", name, f"{name} (levels)", "share of rows (%)", (*places, "unseen", "missing"), series, share)


def _both(before: Sequence[int], after: Sequence[int], named: str) -> tuple[Series, Series]:
    return Series(named, _shares(before), "muted"), Series("now", _shares(after), "first")


def _shares(counts: Sequence[int]) -> tuple[float | None, ...]:
    total = sum(counts)
    return tuple(100 * one / total if total else None for one in counts)


def _ranges(edges: Sequence[float], bins: range) -> tuple[str, ...]:
    """Name each range by its bounds; the first and the last are open."""
    if not edges:
        return tuple("all" for _ in bins)
    return tuple(
        f"≤ {number(edges[0])}" if at == 0
        else f"> {number(edges[-1])}" if at == len(edges)
        else f"{number(edges[at - 1])} to {number(edges[at])}"
        for at in bins
    )  # fmt: skip


def _table(reference: Reference, look: Look, names: Sequence[str]) -> Table:
    found: dict[str, dict[Metric, Measurement]] = {}
    for one in look.measurements:
        if one.column is not None:
            found.setdefault(one.column, {})[one.metric] = one
    rows = tuple(_row(name, reference.uses(name), found.get(name, {})) for name in names[:LISTED])
    left = f" {len(names) - LISTED} more are left out." if len(names) > LISTED else ""
    caption = f"Every column as the last look judged it.{left}"
    return Table(_HEADS, rows, frozenset(_HEADS[1:7]), caption)


def _row(name: str, share: float, found: Mapping[Metric, Measurement]) -> tuple[str, ...]:
    def told(metric: Metric, *, as_percent: bool) -> str:
        value = found[metric].statistic if metric in found else None
        return percent(value) if as_percent else number(value)

    states = sorted({one.state for one in found.values()}, key=_grave)
    return (
        name,
        percent(share),
        told(Metric.PSI, as_percent=False),
        told(Metric.KS, as_percent=False),
        told(Metric.MISSING, as_percent=True),
        told(Metric.UNSEEN, as_percent=True),
        number(max((one.n for one in found.values()), default=None)),
        states[0] if states else ABSENT,
    )


def _grave(state: str) -> int:
    return ("breached", "warned", "noted", "undecidable", "ok").index(state)
