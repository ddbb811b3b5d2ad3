"""The head of the page: what serves, since when and why, and what to know before all else. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lifecycle.charts import lasting, moment, number, percent
from lifecycle.control import Contender
from lifecycle.page import MOODS, Fact, Mood, Notice
from lifecycle.page_source import Source
from lifecycle.response import breaker_open_until
from lifecycle.taken import taken

# A look is late when two more should have followed it.
_LATE = 3
_SHOWN = 3


def headline(source: Source) -> str:
    """Say in one sentence what answers requests."""
    record = source.record
    if record.champion is None:
        return "No model serves yet."
    share = f"{percent(1 - record.weight)} of the requests" if record.weight else "every request"
    beside = ""
    if record.challenger is not None:
        takes = f"takes {percent(record.weight)}" if record.weight else "waits for its first requests"
        beside = f"; model {record.challenger.model_version} {takes}"
    return f"Model {record.champion.model_version} answers {share}{beside}."


def mood(source: Source) -> Mood:
    """Return how the product is, as the last look saw it; without one nobody knows."""
    look = source.last_look
    return look.state if look is not None else "undecidable"


def word(source: Source) -> str:
    """Return the same in a word or two."""
    return MOODS[mood(source)] if source.last_look is not None else "not looked at yet"


def facts(source: Source) -> tuple[Fact, ...]:
    """Return what serves, since when and why, and what was before it."""
    record, look = source.record, source.last_look
    told = [Fact("Last look", MOODS[look.state], f"{moment(look.at)} UTC") if look else Fact("Last look", "never")]
    if record.champion is not None:
        told += [*_serving(record.champion, source)]
    if record.previous is not None:
        told.append(Fact("Before it", f"model {record.previous.model_version}", "what a rollback goes back to"))
    return tuple(told)


def notices(source: Source) -> tuple[Notice, ...]:
    """Return what to know before all else, the gravest first."""
    return tuple(_notices(source))


def breaker_until(source: Source) -> datetime | None:
    """Return until when no training is asked for, or None when nothing holds trainings back."""
    until = breaker_open_until(taken(source.entries, source.now), source.product.monitor.respond)
    return until if until is not None and source.now < until else None


def _serving(champion: Contender, source: Source) -> Iterator[Fact]:
    yield Fact("Serves", f"model {champion.model_version}", f"since {moment(champion.since)} UTC")
    yield Fact("Because", champion.reason)
    metric = source.product.evaluation.metric
    value = source.reference.metrics.get(metric) if source.reference else None
    if source.reference is not None and value is not None:
        rows = source.reference.holdout.rows
        yield Fact(f"Holdout {metric}", number(value), f"on {rows:,} rows nobody trained on")
    yield Fact("Bundle", champion.bundle[:12], f"function version {champion.function_version or 'none yet'}")
    if champion.experiment:
        yield Fact("Experiment", champion.experiment, "several models share the requests")


def _notices(source: Source) -> Iterator[Notice]:
    name, look, every = source.name, source.last_look, source.product.monitor.every
    if source.record.frozen:
        yield Notice("warned", f"Frozen: nothing but serving goes on. `tropism unfreeze {name} --reason …` ends it.")
    if source.fault:
        yield Notice("breached", source.fault)
    pressing = source.watch.pressing
    for one in pressing[:_SHOWN]:
        yield Notice("breached", f"In breach since {moment(one.since)} UTC: {one.last}")
    if len(pressing) > _SHOWN:
        yield Notice("breached", f"{len(pressing) - _SHOWN} more metrics are in breach; the drift panel names them.")
    until = breaker_until(source)
    if until is not None:
        refusals = source.product.monitor.respond.refusals
        yield Notice(
            "breached",
            f"The breaker is open: {refusals} trainings in a row came to nothing, so no breach starts another before "
            f"{moment(until)} UTC. The fault is in what they are trained on.",
        )
    if look is not None and look.blind:
        yield Notice("undecidable", f"Nothing could be judged about {', '.join(look.blind)}.")
    if look is not None and source.now - look.at > _LATE * every:
        late = f"The last look was at {moment(look.at)} UTC and one is due every {lasting(every)}."
        yield Notice("warned", f"{late} Look now: `tropism monitor {name}`.")
