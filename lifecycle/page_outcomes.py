"""How well the model did once the truth was known, with intervals, and how far the labels are. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lifecycle.charts import Chart, Limit, Series, Table, lasting, moment, number, percent, toned
from lifecycle.ledger import Entry
from lifecycle.looks import Look
from lifecycle.maturity import newest_due, newest_ended
from lifecycle.page import Empty, Fact, Panel
from lifecycle.page_source import Source
from lifecycle.performance import Realised

_NEWEST = 60
_HEADS = ("predictions made", "model", "state", "metric", "value", "interval", "holdout", "labelled")


def panel(source: Source) -> Panel:
    """Return realised performance, what is only provisional, estimates, and the maturity of labels."""
    title, told = "Performance", [one for one in source.entries if one.action == "measure"]
    # A model that serves no more is told of later than the one after it.
    finals = sorted(told, key=lambda one: str(one.evidence["until"]))[-_NEWEST:]
    provisional = _provisional(source.looks)
    charts = [*_realised(source, finals, provisional), *_estimated(source)]
    facts = tuple(_facts(source))
    empty = None if finals else _empty(source)
    tables = (_table(finals, provisional),) if finals or provisional else ()
    return Panel("performance", title, _lead(source), facts=facts, charts=tuple(charts), tables=tables, empty=empty)


def _lead(source: Source) -> str:
    policy = source.product.monitor
    due = policy.outcomes.due
    if source.record.champion is None:
        return "Nothing serves yet, so there is nothing to be right or wrong."
    if due is None:
        return "No labels are expected of this product: nothing will say how right its answers were."
    told = newest_due(policy, source.now)
    ended = newest_ended(policy, source.now)
    final = f"Final are predictions made until {moment(told.until)} UTC. " if told else ""
    coming = f"those of predictions until {moment(ended.until)} UTC are still coming"
    return f"{final}Labels come within {lasting(due)}; {coming}."


def _empty(source: Source) -> Empty:
    if source.product.monitor.outcomes.due is None:
        missing = "A product that says `monitor: outcomes: due:` has its labels waited for, and missing ones told."
        return Empty(missing, f"edit products/{source.name}/product.yaml")
    missing = "No window has all its labels yet, so there is no realised performance."
    return Empty(missing, f"tropism labels {source.name} FILE")


def _facts(source: Source) -> Iterator[Fact]:
    counted = next((one.labels for one in reversed(source.looks) if one.labels is not None), None)
    if counted is not None:
        changed = f"{counted.corrected:,} corrected, {counted.repeated:,} said again, {counted.withdrawn:,} withdrawn"
        yield Fact("Labels", number(counted.current), changed)
        if counted.parked is not None:
            yield Fact("Parked", number(counted.parked), "labels of predictions that the log does not hold")
    look = next((one for one in reversed(source.looks) if one.estimate is not None), None)
    if look is not None and look.estimate is not None:
        told = look.estimate
        past = (
            f"off by {number(told.past_error)} in {told.windows} earlier {'window' if told.windows == 1 else 'windows'}"
        )
        note = "its own error is not known yet" if told.past_error is None else past
        yield Fact(f"Estimated {told.metric}", number(told.value), note)


def _provisional(looks: tuple[Look, ...]) -> list[Realised]:
    """Return the newest word on each window that may still change."""
    found = {one.provisional.since: one.provisional for one in looks if one.provisional is not None}
    return [found[since] for since in sorted(found)][-1:]


def _realised(source: Source, finals: list[Entry], provisional: list[Realised]) -> Iterator[Chart]:
    if not finals and not provisional:
        return
    metric = source.product.evaluation.metric
    ends = [datetime.fromisoformat(str(one.evidence["until"])) for one in finals]
    told = [one for one in provisional if one.until not in ends]
    places = (*ends, *(one.until for one in told))
    after, before = (None,) * len(told), (None,) * len(finals)
    series = [
        Series(
            "final",
            (*_of(finals, "value"), *after),
            "first",
            lower=(*_of(finals, "lower"), *after),
            upper=(*_of(finals, "upper"), *after),
        )
    ]
    if told:
        series.append(
            Series(
                "provisional",
                (*before, *(one.value for one in told)),
                "third",
                lower=(*before, *(one.lower for one in told)),
                upper=(*before, *(one.upper for one in told)),
                hollow=True,
            )
        )
    series.append(Series("estimated before", (*_of(finals, "estimated"), *after), "second", hollow=True))
    holdout = (*_of(finals, "holdout"), *(one.holdout for one in told))
    series.append(Series("holdout", holdout, "muted", dashed=True))
    sure = source.product.monitor.outcomes.confidence
    caption = f"Bars are {percent(sure)} bootstrap intervals. Hollow points may change as labels come."
    shown = tuple(one for one in series if any(value is not None for value in one.values))
    yield Chart(
        "points", f"Realised {metric}", "end of the window (UTC)", f"{metric} ({_UNIT})", places, shown, caption
    )


_UNIT = "on labelled predictions"


def _of(entries: list[Entry], name: str) -> tuple[float | None, ...]:
    found = (one.evidence.get(name) for one in entries)
    return tuple(float(one) if isinstance(one, int | float) else None for one in found)


def _estimated(source: Source) -> Iterator[Chart]:
    told = [(look.at, look.estimate) for look in source.looks if look.estimate is not None]
    if not any(one.value is not None for _, one in told):
        return
    metric, last = told[-1][1].metric, told[-1][1]
    values = tuple(one.value for _, one in told)
    errors = [one.past_error for _, one in told]
    bounds = [
        tuple(
            None if value is None or error is None else value + sign * error
            for value, error in zip(values, errors, strict=True)
        )
        for sign in (-1, 1)
    ]
    series = Series("estimate", values, toned(1), lower=bounds[0], upper=bounds[1])
    limits = (Limit("holdout", last.holdout, "muted"),) if last.holdout is not None else ()
    caption = "Expected from the scores alone, before labels come; bars are its own error in earlier windows."
    places = tuple(at for at, _ in told)
    yield Chart(
        "lines",
        f"Estimated {metric}",
        "time of the look (UTC)",
        f"{metric} (expected)",
        places,
        (series,),
        caption,
        limits,
    )


def _table(finals: list[Entry], provisional: list[Realised]) -> Table:
    rows = [_final(one) for one in reversed(finals)]
    rows[:0] = [_told(one) for one in provisional]
    return Table(_HEADS, tuple(rows), frozenset({"value", "holdout", "labelled"}), "Every window with labels.")


def _final(entry: Entry) -> tuple[str, ...]:
    told = entry.evidence
    numbers = {name: _of([entry], name)[0] for name in ("value", "lower", "upper", "holdout", "labels", "predictions")}
    since, until = (datetime.fromisoformat(str(told[name])) for name in ("since", "until"))
    return (
        f"{since:%Y-%m-%d} to {until:%Y-%m-%d}",
        f"model {entry.to}",
        "final",
        str(told["metric"]),
        number(numbers["value"]),
        f"{number(numbers['lower'])} to {number(numbers['upper'])}",
        number(numbers["holdout"]),
        f"{number(numbers['labels'])} of {number(numbers['predictions'])}",
    )


def _told(found: Realised) -> tuple[str, ...]:
    return (
        f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}",
        "the one that serves",
        found.state,
        found.metric,
        number(found.value),
        f"{number(found.lower)} to {number(found.upper)}",
        number(found.holdout),
        f"{found.labels:,} of {found.predictions:,}",
    )
