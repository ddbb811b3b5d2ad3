"""`tropism batches`: what was delivered and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, deliveries, output
from cli.shapes import FileState, Rows, Why

if TYPE_CHECKING:
    from lifecycle.delivery import Delivery


@dataclass(frozen=True)
class Batch:
    """`batches`: one batch, by its newest telling delivery; `deliveries` counts how often its bytes came.

    `batch_id` is null while a delivery is being worked on. `difference`: how its columns differ from the product's.
    `waits_until`: how long a delivery of several files waits for those its `reasons` name.
    """

    batch_id: str | None
    file: str
    state: FileState
    landed_at: str
    rows: Rows | None
    reasons: tuple[Why, ...]
    deliveries: int
    flow_run: str
    difference: tuple[str, ...] = ()
    waits_until: str | None = None


def batches(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="Only what left rows in quarantine, with every reason.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of batches.")] = False,
) -> None:
    """List the batches of a product, newest first.

    Example: tropism batches flights --quarantined
    """
    here = context.here(product)
    found = [*collect(deliveries.read_all(here.bucket, product))]
    shown = [one for one in found if not quarantined or _left_rows(one)]
    if as_json:
        output.emit(shown)
    elif not found:
        output.say(f"Nothing was delivered to {product} yet. Bring data: `tropism drop {product} FILE --wait`.")
    elif not shown:
        output.say(f"Nothing of {product} is quarantined; {len(found)} known.")
    else:
        _tell(shown, reasons=quarantined)


def collect(records: tuple[Delivery, ...]) -> tuple[Batch, ...]:
    """Return one batch per content, newest first; what is being worked on stands alone."""
    by_content: dict[str, list[Delivery]] = {}
    for record in records:
        by_content.setdefault(record.batch_id or record.delivery_id, []).append(record)
    return tuple(_batch(same) for same in by_content.values())


def _batch(same: list[Delivery]) -> Batch:
    telling = next((record for record in same if record.state != "duplicate"), same[0])
    return Batch(
        batch_id=telling.batch_id,
        file=deliveries.file_of(telling),
        state="landed" if telling.state == "claimed" else telling.state,
        landed_at=output.stamp(telling.claimed_at),
        rows=deliveries.rows(telling.rows),
        reasons=tuple(deliveries.why(reason) for reason in telling.reasons),
        deliveries=len(same),
        flow_run=telling.owner,
        difference=telling.change.lines() if telling.change else (),
        waits_until=output.stamp(telling.waits_until) if telling.state == "waiting" and telling.waits_until else None,
    )


def _left_rows(batch: Batch) -> bool:
    return batch.state == "quarantined" or (batch.rows is not None and batch.rows.quarantined > 0)


def _tell(shown: list[Batch], *, reasons: bool) -> None:
    output.table(
        ("batch", "file", "state", "received", "validated", "quarantined", "landed (UTC)", "times"),
        [
            (
                output.short(one.batch_id or "-"),
                one.file,
                one.state,
                *_counts(one.rows),
                one.landed_at,
                str(one.deliveries),
            )
            for one in shown
        ],
        right=("received", "validated", "quarantined", "times"),
    )
    for one in (one for one in shown if reasons or one.state == "waiting"):
        until = f" waits until {one.waits_until}" if one.waits_until else ""
        output.say(f"{output.short(one.batch_id or '-')} {one.file}{until}")
        for reason in one.reasons:
            output.say(f"  {sentence(reason)}")
        for line in one.difference:
            output.say(f"    {line}")


def sentence(reason: Why) -> str:
    """Say a reason as the delivery itself says it."""
    from lifecycle.batch import Reason

    return str(Reason(reason.code, reason.column, reason.found, reason.expected, reason.rows))


def _counts(rows: Rows | None) -> tuple[str, str, str]:
    if rows is None:
        return "", "", ""
    return output.number(rows.received), output.number(rows.validated), output.number(rows.quarantined)
