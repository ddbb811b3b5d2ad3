"""The release under way: its steps, what both models answered, how strongly that speaks, and what was decided. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.batch import Reason
from lifecycle.charts import ABSENT, Chart, Limit, Series, Table, moment, number, percent
from lifecycle.control import Rollout
from lifecycle.evidence import GUARDS, Arm, StepEvidence, ceiling_log_e, harm_log_e, split_log_e
from lifecycle.ledger import Entry
from lifecycle.outlook import outlook
from lifecycle.page import Empty, Fact, Panel, Stage
from lifecycle.page_source import Source
from lifecycle.rollout import LEANING
from lifecycle.stepping import State, state_of

_TRAFFIC = frozenset(
    {"step", "promote", "take_back", "roll_back", "approve", "hold", "abort", "start_experiment", "stop_experiment"}
)
_NEWEST = 12
_SAYS: dict[State, str] = {
    "waiting": "waits for a person's approval",
    "moving": "is being carried out",
    "rolling_back": "goes back",
    "baking": "is watched at its step",
    "held": "is held",
}


def panel(source: Source) -> Panel:
    """Return where the release stands and on what evidence; without one, the last changes of traffic."""
    record, state = source.record, state_of(source.record)
    title, history = "Release", _history(source.entries)
    if state is None or (record.rollout is None and record.champion is None):
        missing = "No release is under way: the next model that passes its gate starts one."
        command = f"tropism drop {source.name} FILE --wait"
        return Panel("release", title, tables=history, empty=Empty(missing, command))
    rollout, challenger = record.rollout, record.challenger
    if rollout is None or challenger is None:
        return Panel("release", title, f"A change of the champion {_SAYS[state]}.", tables=history)
    lead = f"The release of model {challenger.model_version} {_SAYS[state]}. {challenger.reason}"
    return Panel(
        "release",
        title,
        lead,
        facts=tuple(_facts(rollout, record.weight, source)),
        stages=_stages(rollout),
        charts=tuple(_charts(rollout)),
        tables=(*_tables(rollout), *history),
    )


def reasons_table(reasons: tuple[Reason, ...], caption: str) -> Table:
    """Return reasons as rows: the rule, what was found, what was expected."""
    rows = tuple(
        (one.code, one.column or "", one.found, one.expected, "" if one.rows is None else f"{one.rows:,}")
        for one in reasons
    )
    return Table(("code", "about", "found", "expected", "rows"), rows, frozenset({"rows"}), caption)


def _facts(rollout: Rollout, weight: float, source: Source) -> Iterator[Fact]:
    progress, plan = rollout.progress, rollout.plan
    yield Fact("Step", f"{progress.step + 1} of {len(plan.steps)}", f"since {moment(progress.since)} UTC")
    yield Fact("Its share", percent(weight), "of the requests")
    yield Fact("Looks", number(rollout.ticks), f"next at {moment(rollout.next_tick)} UTC")
    found = outlook(rollout, source.now)
    if found is not None:
        noticed = f"{found.ratio:.1f} times" if found.ratio is not None else "none"
        yield Fact("Notices", noticed, "smallest ratio of errors taken back nine times in ten, at this traffic")
    if rollout.approved_by:
        yield Fact("Approved by", rollout.approved_by)
    if rollout.held_by:
        yield Fact("Held by", rollout.held_by)


def _stages(rollout: Rollout) -> tuple[Stage, ...]:
    at = rollout.progress.step
    return tuple(
        Stage(f"{share:g} %", "done" if step < at else "now" if step == at else "next", _seen(rollout, step))
        for step, share in enumerate(rollout.plan.steps)
    )


def _seen(rollout: Rollout, step: int) -> str:
    found = rollout.evidence.at(step)
    requests = found.challenger.requests if found else None
    return "" if requests is None else f"{requests:,} requests"


def _charts(rollout: Rollout) -> Iterator[Chart]:
    evidence, plan = rollout.evidence, rollout.plan
    tests = {"split of requests": split_log_e(evidence)}
    for guard in GUARDS:
        tests[f"{guard} against the champion"] = harm_log_e(evidence, guard, plan.margin)
    if any(not one.compares for one in evidence.steps):
        for guard in GUARDS:
            tests[f"{guard} at full weight"] = ceiling_log_e(evidence, guard, plan.ceilings.of(guard))
    if evidence.labels is not None:
        tests["labels"] = evidence.labels.log_e
    yield Chart(
        "across",
        "Evidence against the challenger",
        "log e-value (no unit)",
        "test",
        tuple(tests),
        (Series("log e", tuple(tests.values())),),
        "A test that passes its limit takes the release back; one beyond the leaning keeps it where it is.",
        (Limit("leans to harm", LEANING, "warn"), Limit("taken back", plan.threshold, "bad")),
    )
    step = evidence.at(rollout.progress.step)
    if step is not None and step.compares and step.challenger.scores and step.champion.scores:
        yield _scores(step, step.challenger.scores, step.champion.scores)


def _scores(step: StepEvidence, ours: tuple[int, ...], theirs: tuple[int, ...]) -> Chart:
    return Chart(
        "bars",
        "Scores of both models at this step",
        "score (bins, the lowest first)",
        "share of answers (%)",
        tuple(str(at + 1) for at in range(len(ours))),
        (Series("champion", _shares(theirs), "muted"), Series("challenger", _shares(ours), "first")),
        f"Counted over the same time, at a weight of {percent(step.weight)}; equal models have equal bars.",
    )


def _shares(counts: tuple[int, ...]) -> tuple[float | None, ...]:
    total = sum(counts)
    return tuple(100 * one / total if total else None for one in counts)


def _tables(rollout: Rollout) -> Iterator[Table]:
    heads = ("step", "model", "requests", "failed", "slow", "invalid", "acted on")
    steps = rollout.evidence.steps
    rows = tuple((f"{100 * one.weight:g} %", name, *_counts(arm)) for one in steps for name, arm in one.arms())
    replayed = sum(one.replayed for one in steps)
    said = f" {replayed:,} logged requests were replayed and are in no row." if replayed else ""
    if rows:
        yield Table(heads, rows, frozenset(heads[2:]), f"What both models answered. A dash is not known.{said}")
    if rollout.reasons:
        yield reasons_table(rollout.reasons, "Why it stands where it stands: the reasons of the last look.")


def _counts(arm: Arm) -> tuple[str, ...]:
    return tuple(number(one) for one in (arm.requests, arm.errors, arm.slow, arm.invalid, arm.actions))


def _history(entries: tuple[Entry, ...]) -> tuple[Table, ...]:
    changes = [one for one in entries if one.action in _TRAFFIC][-_NEWEST:][::-1]
    rows = tuple(
        (moment(one.at), one.action.replace("_", " "), one.from_ or ABSENT, one.to or ABSENT, one.actor, one.reason)
        for one in changes
    )
    heads = ("time (UTC)", "what", "from model", "to model", "by", "why")
    return (Table(heads, rows, caption="The last changes of traffic, the newest first."),) if rows else ()
