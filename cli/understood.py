"""What `tropism init` understood, for people: a few lines, each with the word that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import output

if TYPE_CHECKING:
    from cli.initialised import Initialised
    from lifecycle.guessing import Part
    from lifecycle.product_writing import Understood
    from tasks.drafting import Draft

_LOUD = ("giveaway", "later")
_SHOWN = 12


def tell(found: Draft) -> None:
    """Print what was understood."""
    known = found.understood
    held = f", {found.rows.quarantined:,} of which would be held back" if found.rows.quarantined else ""
    output.say(f"{found.rows.received:,} rows{held}, {len(known.parts)} columns.")
    output.facts(_facts(known), indent=2)
    if found.repeats:
        what = "kept, each a row of its own" if known.repeats else "of each the first counts"
        output.say(f"{found.repeats:,} rows repeat another one exactly: {what}.")
    used = [part for part in known.parts if part.role in _FEATURES]
    output.say(f"Learned from: {_names(used)}.")
    for part in known.parts:
        if part.role in _QUIET:
            output.say(f"  {part.name}: left out, {part.why}")
    for part in known.parts:
        if part.role in _LOUD:
            output.warn(f"{part.name} is left out: {part.why}.")
    for name, remark in known.remarks.items():
        output.say(f"  {name}: {remark}")
    for note in known.notes:
        output.warn(f"{note}.")


def tell_rehearsal(answer: Initialised) -> None:
    """Print what would become of a first model."""
    seen = answer.rehearsed
    if seen is None:
        return
    scores = ", ".join(f"{metric} {value:.4g}" for metric, value in seen.metrics.items())
    if seen.would_serve:
        output.say(f"A first model would serve: {scores} on {seen.judged:,} rows it never saw.")
        return
    output.warn(f"A first model would not serve{f': {scores} on {seen.judged:,} rows' if scores else ''}.")
    for reason in seen.reasons:
        output.say(f"  {reason}")


def _facts(known: Understood) -> list[tuple[str, str]]:
    policy = known.sizing.evaluation
    floors = ", ".join(f"{metric} {floor:g}" for metric, floor in policy.floors.items())
    asked = f", asked about {known.task.classes[1]!r}" if known.task.classes else ""
    return [
        ("target", f"{known.target}: {known.task.task}, {known.task.why}{asked}  (--task)"),
        ("time", f"{known.time or 'none: a share of all rows judges, drawn by their content'}  (--time)"),
        ("key", f"{', '.join(known.grain) or _keyless(known)}  (--key)"),
        ("judged", f"by {policy.metric} on about {known.sizing.judging:,} rows; a first model needs {floors}"),
    ]


def _keyless(known: Understood) -> str:
    return "none: each row is its own" if known.repeats else "none: an equal row is the same row again"


def _names(parts: list[Part]) -> str:
    shown = ", ".join(part.name for part in parts[:_SHOWN])
    more = len(parts) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown or "the time alone"


_FEATURES = ("number", "category", "encoded", "text", "date", "missing")
_QUIET = ("identifier", "constant", "empty", "key")
