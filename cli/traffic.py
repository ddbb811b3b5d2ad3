"""`tropism rollback`: give the traffic back to a model that served before, and prove it at the endpoint."""

from __future__ import annotations

import getpass
import uuid
from dataclasses import dataclass
from typing import Annotated

import typer

from cli import context, orders, output
from lifecycle.errors import UsageError


@dataclass(frozen=True)
class RolledBack:
    """`rollback`: from one model version to another; `endpoint` is the version the endpoint itself answers.

    `pending` names what the sweep still brings along.
    """

    product: str
    from_: str | None
    to: str | None
    function_version: str | None
    endpoint: str | None
    reason: str
    pending: tuple[str, ...]


def rollback(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the ledger with your name.")],
    to: Annotated[
        str | None,
        typer.Option(
            help="The model version to go back to. Without it the previous one; in a release, the champion alone."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as an object.")] = False,
) -> None:
    """Give the traffic to a model that served before. Works while Prefect and MLflow are down.

    The target is proven in the serving runtime first; then traffic moves, and the endpoint itself is asked who
    answers. Exit code 1 when it does not answer as the model asked for.

    Example: tropism rollback flights --reason "too many late alarms"
    """
    here = context.here(product)
    if not reason.strip():
        raise UsageError("A rollback needs a reason.", resolution='Say why: `--reason "…"`.')
    found = back(here, product, reason, to)
    if as_json:
        output.emit(found)
    else:
        tell(found)
    if found.endpoint != found.to:
        raise typer.Exit(1)


def back(here: context.Here, product: str, reason: str, to: str | None) -> RolledBack:
    """Roll back and ask the endpoint who answers now."""
    from flows.going_back import roll_back
    from tasks import endpoint

    orders.impatient()
    done = roll_back(product, reason, to=to, actor=getpass.getuser(), request=uuid.uuid4().hex)
    answers = endpoint.serving(here.settings, product)
    return RolledBack(
        product=product,
        from_=done.previous,
        to=done.model_version,
        function_version=done.function_version,
        endpoint=answers.model_version if answers else None,
        reason=reason,
        pending=done.pending,
    )


def tell(found: RolledBack) -> None:
    """Print what a rollback did."""
    output.say(f"{found.product} went back from model {found.from_} to model {found.to}.")
    output.say(f"The endpoint answers as model {found.endpoint} (function version {found.function_version}).")
    if found.pending:
        output.say(f"The sweep brings along: {', '.join(found.pending)}.")
