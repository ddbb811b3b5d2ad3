"""`tropism history`: every decision about a product, from the ledger, with the chain verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from cli.shapes import Json
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from lifecycle.ledger import ChainVerdict, Entry


@dataclass(frozen=True)
class Decided:
    """`history`: one decision; `from` and `to` are model versions, `evidence` names its numbers."""

    seq: int
    at: str
    actor: str
    cause: str
    action: str
    from_: str | None
    to: str | None
    reason: str
    evidence: Mapping[str, Json]


def history(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    at: Annotated[str | None, typer.Option(help="Up to this time: 2026-03-01 or 2026-03-01T12:00:00+00:00.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of decisions.")] = False,
) -> None:
    """Show every decision about a product, oldest first, and whether the ledger is untouched.

    Exit code 1 when the chain of the ledger is broken.

    Example: tropism history flights --at 2026-03-01
    """
    until = instant(at) if at else None
    here = context.here(product)
    from tasks import ledger

    verdict = ledger.check(here.bucket, product)
    entries = ledger.entries(here.bucket, product)
    shown = [entry for entry in entries if until is None or entry.at <= until]
    if as_json:
        output.emit([decided(entry) for entry in shown])
    else:
        _tell(product, shown, verdict, until)
    if not verdict.holds:
        output.warn(f"The ledger of {product} does not hold: {verdict.reason} Look with `tropism verify {product}`.")
        raise typer.Exit(1)


def decided(entry: Entry) -> Decided:
    """Return a ledger entry as scripts see it."""
    return Decided(
        seq=entry.seq,
        at=output.stamp(entry.at),
        actor=entry.actor,
        cause=entry.cause,
        action=entry.action,
        from_=entry.from_,
        to=entry.to,
        reason=entry.reason,
        evidence=entry.evidence,
    )


def instant(text: str) -> datetime:
    """Read a time; without an offset it is UTC, a date alone is its last moment. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a time.", detail="Expected ISO 8601, like 2026-03-01 or 2026-03-01T12:00:00."
        ) from error
    if len(text) == len("2026-03-01"):
        found = found.replace(hour=23, minute=59, second=59, microsecond=999999)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tell(product: str, shown: list[Entry], verdict: ChainVerdict, until: datetime | None) -> None:
    if not shown:
        when = f" up to {output.moment(until)}" if until else ""
        output.say(f"Nothing was decided about {product}{when}. Bring data: `tropism drop {product} FILE --wait`.")
        return
    rows = [
        (str(e.seq), output.moment(e.at), e.action, f"{e.from_ or '-'} → {e.to or '-'}", e.actor, e.cause, e.reason)
        for e in shown
    ]
    output.table(("#", "at (UTC)", "action", "model", "actor", "cause", "reason"), rows, right=("#",))
    if until is not None:
        serving = next((entry.to for entry in reversed(shown) if entry.action in {"promote", "roll_back"}), None)
        output.say(f"At {output.moment(until)} model {serving} served." if serving else "No model served then.")
    output.say(f"The ledger holds: {verdict.reason}" if verdict.holds else "The ledger does NOT hold.")
