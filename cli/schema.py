"""`tropism schema`: how the columns that are delivered differ from the product's, and taking the difference over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import changes, context, deliveries, output

if TYPE_CHECKING:
    from lifecycle.delivery import Delivery
    from lifecycle.schema_change import SchemaChange
    from lifecycle.spec import Product


@dataclass(frozen=True)
class Evolved:
    """`schema`: the newest difference that the product does not say yet; without one only the first two are filled.

    `difference` is a line per column: + added, - removed, ~ renamed or retyped; `breaking` when deliveries are
    refused for it. `changes` is what it would make of the files, or has made of them when it was applied.
    """

    product: str
    state: Literal["unchanged", "proposed", "applied"]
    batch_id: str | None = None
    file: str | None = None
    breaking: bool = False
    difference: tuple[str, ...] = ()
    changes: str = ""
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def schema(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    batch: Annotated[
        str | None, typer.Argument(metavar="BATCH", help="The start of a batch id or a file name; the newest without.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Change product.yaml and the suites.")] = False,
    learn: Annotated[bool, typer.Option("--learn", help="Make features of new columns as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the difference as an object.")] = False,
) -> None:
    """Show how delivered columns differ from product.yaml, as a change of its files; --apply makes it.

    An added column is kept and judged from then on, a renamed one gets an alias, a removed one leaves the product,
    a retyped one gets its new type. Comments stay. Afterwards `tropism requeue` takes the batch in again. A second
    --apply finds nothing to change.

    Example: tropism schema flights --apply
    """
    here = context.here(product)
    root = here.settings.products.parent
    known = here.product(product)
    found = _newest(known, deliveries.read_all(here.bucket, product), batch)
    if found is None:
        answer = Evolved(product, "unchanged")
    else:
        from tasks.proposals import propose

        record, change = found
        proposal = propose(here.bucket, root, known, str(record.batch_id), change, learn=learn)
        answer = Evolved(
            product=product,
            state="applied" if apply else "proposed",
            batch_id=record.batch_id,
            file=deliveries.file_of(record),
            breaking=change.breaking,
            difference=change.lines(),
            changes=changes.differences(root, proposal.files),
            files=tuple(proposal.files),
            notes=proposal.notes,
        )
        if apply:
            changes.write(root, proposal.files)
    if as_json:
        output.emit(answer)
    else:
        _tell(answer)


def _newest(product: Product, records: Sequence[Delivery], wanted: str | None) -> tuple[Delivery, SchemaChange] | None:
    """Return the newest delivery whose columns differ in a way the product does not say yet, and how."""
    from lifecycle.schema_change import remaining

    for record in records:
        if record.change is None or record.batch_id is None or not _is(record, wanted):
            continue
        left = remaining(record.change, product)
        if left and (left.breaking or any(one.type for one in left.added)):
            return record, left
    return None


def _is(record: Delivery, wanted: str | None) -> bool:
    names = (deliveries.file_of(record), record.key)
    return wanted is None or wanted in names or str(record.batch_id).startswith(wanted.lower())


def _tell(answer: Evolved) -> None:
    if answer.state == "unchanged":
        output.say(f"The columns of {answer.product} are as product.yaml says: nothing to change.")
        return
    how = "breaks the contract" if answer.breaking else "goes beyond the contract"
    output.say(f"{answer.file}, batch {output.short(str(answer.batch_id))}, {how}:")
    for line in answer.difference:
        output.say(f"  {line}")
    output.say(answer.changes)
    for note in answer.notes:
        output.say(note)
    if answer.state == "proposed":
        output.say(f"Nothing was written. Take it over with `tropism schema {answer.product} --apply`.")
        return
    for name in answer.files:
        output.say(f"wrote {name}")
    output.say(f"Then `tropism requeue {answer.product} {output.short(str(answer.batch_id))}`.")
