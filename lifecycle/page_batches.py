"""What was delivered and what became of it, row by row accounted for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.batch import shown
from lifecycle.charts import ABSENT, Chart, Series, Table, Tone, moment, number
from lifecycle.delivery import Delivery
from lifecycle.keys import landing_prefix
from lifecycle.page import Empty, Fact, Panel
from lifecycle.page_source import Source

CHARTED, LISTED = 20, 50
_HEADS = ("landed (UTC)", "file", "batch", "state", "received", "validated", "quarantined", "duplicates", "reasons")


def panel(source: Source) -> Panel:
    """Return the deliveries, the newest first, with the sum that must hold: every row is in exactly one place."""
    found = source.deliveries
    if not found:
        empty = Empty("Nothing was delivered yet.", f"tropism drop {source.name} FILE --wait")
        return Panel("batches", "Batches", empty=empty)
    newest = f" These are the newest {len(found):,} of {source.delivered:,}." if len(found) < source.delivered else ""
    counted = [one for one in found if one.rows is not None]
    return Panel(
        "batches",
        "Batches",
        f"{_account(counted)}{newest}",
        facts=_facts(found),
        charts=(_chart(counted[:CHARTED][::-1]),) if counted else (),
        tables=(_table(found[:LISTED]),),
    )


def _sum(found: Sequence[Delivery], name: str) -> int:
    return sum(getattr(one.rows, name) for one in found if one.rows is not None)


def _account(found: Sequence[Delivery]) -> str:
    validated, quarantined, duplicates = (_sum(found, name) for name in ("validated", "quarantined", "duplicates"))
    parts = f"{validated:,} validated + {quarantined:,} quarantined + {duplicates:,} duplicates"
    return f"{_sum(found, 'received'):,} rows received = {parts}."


def _facts(found: Sequence[Delivery]) -> tuple[Fact, ...]:
    states = ("validated", "quarantined", "duplicate", "ignored")
    told = [Fact(name.capitalize(), number(sum(one.state == name for one in found)), "deliveries") for name in states]
    for name, state in (("Being worked on", "claimed"), ("Waiting for parts", "waiting")):
        if open_ones := sum(one.state == state for one in found):
            told.append(Fact(name, number(open_ones)))
    return tuple(told)


def _chart(found: Sequence[Delivery]) -> Chart:
    places = tuple(f"{one.claimed_at:%m-%d %H:%M} {_file(one)}" for one in found)
    tones: dict[str, Tone] = {"validated": "first", "quarantined": "bad", "duplicates": "muted"}
    series = tuple(
        Series(name, tuple(float(getattr(one.rows, name)) for one in found), tone) for name, tone in tones.items()
    )
    caption = f"The newest {len(found)} deliveries, the newest at the right."
    return Chart("stacked", "Rows of each delivery", "delivery (in order)", "rows", places, series, caption)


def _table(found: Sequence[Delivery]) -> Table:
    caption = f"The newest {len(found)} deliveries. Rows received = validated + quarantined + duplicates, always."
    return Table(_HEADS, tuple(_row(one) for one in found), frozenset(_HEADS[4:8]), caption)


def _row(record: Delivery) -> tuple[str, ...]:
    rows = record.rows
    counts = (None,) * 4 if rows is None else (rows.received, rows.validated, rows.quarantined, rows.duplicates)
    reasons = " ".join(map(str, record.reasons)) or " ".join(map(str, record.notes))
    return (
        moment(record.claimed_at),
        _file(record),
        shown(record.batch_id) if record.batch_id else ABSENT,
        "being worked on" if record.state == "claimed" else record.state,
        *(number(one) for one in counts),
        reasons,
    )


def _file(record: Delivery) -> str:
    return record.key.removeprefix(landing_prefix(record.product))
