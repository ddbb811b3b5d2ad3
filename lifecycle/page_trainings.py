"""Every training and every answer to a breach: why it happened and what came of it, read off the ledger. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lifecycle.charts import ABSENT, Chart, Limit, Series, Table, Tone, moment, number
from lifecycle.ledger import Entry
from lifecycle.page import Empty, Fact, Notice, Panel
from lifecycle.page_serving import breaker_until
from lifecycle.page_source import Source
from lifecycle.taken import ACTION, cause_of

_NEWEST = 30
_CHALLENGE = "challenge"


def panel(source: Source) -> Panel:
    """Return trainings with their causes and verdicts, and what was done about breaches."""
    made = [one for one in source.entries if one.action == _CHALLENGE]
    answers = [one for one in source.entries if one.action == ACTION]
    if not made and not answers:
        empty = Empty("Nothing was trained yet.", f"tropism drop {source.name} FILE --wait")
        return Panel("trainings", "Trainings and why", empty=empty)
    return Panel(
        "trainings",
        "Trainings and why",
        notices=_breaker(source),
        facts=_facts(made, answers),
        charts=_improvements(made[-_NEWEST:]),
        tables=(*_trainings(made), *_answers(answers)),
    )


def _breaker(source: Source) -> tuple[Notice, ...]:
    until = breaker_until(source)
    if until is None:
        return ()
    return (Notice("breached", f"The breaker is open until {moment(until)} UTC: no breach starts a training."),)


def _facts(made: Sequence[Entry], answers: Sequence[Entry]) -> tuple[Fact, ...]:
    verdicts = [str(one.evidence.get("verdict")) for one in made]
    asked = sum(one.evidence.get("action") == "retrain" for one in answers)
    return (
        Fact("Trainings", number(len(made))),
        Fact("Passed their gate", number(verdicts.count("promote"))),
        Fact("Refused", number(verdicts.count("refuse"))),
        Fact("Undecidable", number(verdicts.count("undecidable"))),
        Fact("Asked for by a breach", number(asked), f"of {len(answers):,} answers to breaches"),
    )


def _improvements(made: Sequence[Entry]) -> tuple[Chart, ...]:
    shown = [one for one in made if _number(one, "improvement") is not None]
    if not shown:
        return ()
    metric = str(shown[-1].evidence.get("metric", "metric"))
    series = (_verdicts(shown, "passed", "ok"), _verdicts(shown, "refused", "muted"))
    caption = "On the same holdout as the champion; bars are intervals of the paired bootstrap."
    limits = (Limit("the champion", 0.0, "muted"),)
    return (
        Chart(
            "points",
            "Improvement over the champion",
            "time of the training (UTC)",
            f"improvement ({metric})",
            tuple(one.at for one in shown),
            tuple(one for one in series if any(value is not None for value in one.values)),
            caption,
            limits,
        ),
    )


def _verdicts(shown: Sequence[Entry], name: Literal["passed", "refused"], tone: Tone) -> Series:
    """Return the improvements of the trainings with one verdict, and none for the others."""

    def told(field: str) -> tuple[float | None, ...]:
        fits = ((one.evidence.get("verdict") == "promote") == (name == "passed") for one in shown)
        return tuple(_number(one, field) if fit else None for one, fit in zip(shown, fits, strict=True))

    return Series(name, told("improvement"), tone, lower=told("lower"), upper=told("upper"))


def _number(entry: Entry, name: str) -> float | None:
    value = entry.evidence.get(name)
    return float(value) if isinstance(value, int | float) else None


def _trainings(made: Sequence[Entry]) -> tuple[Table, ...]:
    heads = ("time (UTC)", "verdict", "model", "cause", "why")
    rows = tuple(
        (moment(one.at), str(one.evidence.get("verdict", ABSENT)), one.to or ABSENT, _cause(one.cause), one.reason)
        for one in made[-_NEWEST:][::-1]
    )
    return (Table(heads, rows, caption="Trainings, the newest first."),) if rows else ()


def _cause(text: str) -> str:
    """Say what made a training happen; one asked for by a breach names its decision, which is a key."""
    parts = text.split("/")
    asked = len(parts) > 1 and parts[0] == cause_of("retrain")
    return f"breach: {parts[1].replace('_', ' ')}" if asked else text


def _answers(answers: Sequence[Entry]) -> tuple[Table, ...]:
    heads = ("time (UTC)", "action", "cause", "grounds", "why")
    rows = tuple(
        (
            moment(one.at),
            str(one.evidence.get("action", ABSENT)).replace("_", " "),
            str(one.evidence.get("cause", ABSENT)).replace("_", " "),
            str(one.evidence.get("grounds", ABSENT)),
            one.reason,
        )
        for one in answers[-_NEWEST:][::-1]
    )
    return (Table(heads, rows, caption="Answers to breaches, the newest first."),) if rows else ()
