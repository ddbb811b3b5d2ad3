"""The figures of a played year as text: the months, and for the documentation a chart and the windows as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.year_figures import Month, Window, Year

_HEAD = ("delivery", "labelled rows", "the loop", "January's model", "gain")
_WINDOWS = ("model", "asked (UTC)", "predictions", "labels", "AUC in the ledger", "worked out again")


def months(year: Year) -> str:
    """Return a table of the months, the mean last, and what else must hold."""
    rows = [_month(one) for one in (*year.months, year.mean)]
    same = sum(one.told == one.again for one in year.windows)
    return "\n".join(
        [
            *_lines(_HEAD, rows),
            "",
            f"- {sum(year.challenges.values())} trainings: {counted(year.challenges)}.",
            f"- {len(year.windows)} final performances in the ledger, {same} equal to the bit when worked out again.",
            f"- {year.odd} answers of the January model differ from its bundle's own scores.",
        ]
    )


def page(year: Year, said: Mapping[str, Any], seconds: float, how: str) -> str:
    """Return all of it. `said`: what `tropism replay` printed of itself; `how` it was played."""
    answered = sum(said["answered"].values())
    paused = f"{said['paused'] / 60:.0f}"
    facts = [
        f"- {how}: {said['requests']:,} requests, {answered:,} rows answered, {said['labels']:,} labels told.",
        f"- {said['days']} days in {seconds / 60:.0f} minutes. In {paused} of them the clock stood still.",
    ]
    return "\n".join([months(year), *facts, "", *_chart(year), "", *_lines(_WINDOWS, map(_window, year.windows)), ""])


def counted(verdicts: Mapping[str, int]) -> str:
    """Say how many of each there were."""
    return ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in verdicts.items())


def _month(one: Month) -> tuple[str, ...]:
    return one.name, f"{one.rows:,}", f"{one.loop:.4f}", f"{one.static:.4f}", f"{one.gain:+.4f}"


def _window(one: Window) -> tuple[str, ...]:
    predictions, labels, value = one.told
    again = "equal" if one.told == one.again else str(one.again)
    return one.model, f"{one.since:%H:%M} to {one.until:%H:%M}", f"{predictions:,}", f"{labels:,}", repr(value), again


def _chart(year: Year) -> Iterator[str]:
    yield "```mermaid"
    yield "xychart-beta"
    yield '  title "AUC by month: the loop, and below it the January model"'
    yield f"  x-axis [{', '.join(one.name[-2:] for one in year.months)}]"
    yield '  y-axis "AUC of what was answered" 0.5 --> 0.8'
    for name in ("loop", "static"):
        yield f"  line [{', '.join(f'{getattr(one, name):.3f}' for one in year.months)}]"
    yield "```"


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cells) + " |"
