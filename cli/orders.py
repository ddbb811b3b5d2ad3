"""`tropism approve | hold | abort | freeze | unfreeze`: what people say about releases.

A word is in force at once, in the control record, with its reason and a name in the ledger. It works while Prefect
and MLflow are down.
"""

from __future__ import annotations

import getpass
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from flows.following import Work
    from flows.ordering import Obeyed

_NO_REASON = "no reason given"
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_PRODUCT = typer.Argument(metavar="PRODUCT", help="The product.")
_ALL = typer.Argument(metavar="PRODUCT", help="The product; without it, every one.")
_WHY = typer.Option(help="Why; it goes into the ledger.")
_NAME = typer.Option("--as", metavar="NAME", help="Whose word it is; your login name without.")
_JSON = typer.Option("--json", help="Print what was done as an object.")


@dataclass(frozen=True)
class Order:
    """`approve`, `hold`, `abort`, `freeze`, `unfreeze`: a word that is in force now.

    `model` is the model under release, else the one that serves; `weight` the share (0-1) of requests that a model
    under release has now. `changed` is false when the word was in force before. `pending` names what the sweep
    brings along.
    """

    product: str
    order: str
    model: str | None
    state: str | None
    weight: float
    by: str
    reason: str
    changed: bool
    pending: tuple[str, ...]


def approve(
    product: Annotated[str, _PRODUCT],
    reason: Annotated[str, _WHY] = _NO_REASON,
    name: Annotated[str | None, _NAME] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Let a release go on: it may begin, a hold ends, and other scores than the champion's are accepted.

    A product with `release.approval: required` waits for this before any traffic moves, from a named person who did
    not train the model.

    Example: tropism approve flights --reason "seen by the model board" --as ada
    """
    from flows import ordering

    work = _work(product, name)
    _tell(ordering.approve(work, reason), work, reason, as_json=as_json)


def hold(
    product: Annotated[str, _PRODUCT],
    reason: Annotated[str, _WHY] = _NO_REASON,
    name: Annotated[str | None, _NAME] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Keep a release where it is until it is approved or aborted. Harm takes it back all the same.

    Example: tropism hold flights --reason "the new airport opens today"
    """
    from flows import ordering

    work = _work(product, name)
    _tell(ordering.hold(work, reason), work, reason, as_json=as_json)


def abort(
    product: Annotated[str, _PRODUCT],
    reason: Annotated[str, _WHY] = _NO_REASON,
    name: Annotated[str | None, _NAME] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Take a release back at once: the champion answers every request, then the records follow.

    Example: tropism abort flights --reason "wrong holidays in the calendar"
    """
    from flows import ordering

    work = _work(product, name)
    _tell(ordering.abort(work, reason, uuid.uuid4().hex), work, reason, as_json=as_json)


def freeze(
    reason: Annotated[str, _WHY],
    product: Annotated[str | None, _ALL] = None,
    name: Annotated[str | None, _NAME] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Stop everything but serving: what lands waits, nothing is trained or released, no release goes on.

    What is at work ends as it would have. Predictions, the guard, rollback and abort still work.

    Example: tropism freeze flights --reason "end of the quarter"
    """
    _everywhere("freeze", product, reason, name, as_json=as_json)


def unfreeze(
    reason: Annotated[str, _WHY],
    product: Annotated[str | None, _ALL] = None,
    name: Annotated[str | None, _NAME] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Let things go on; what waited is woken at once.

    Example: tropism unfreeze flights --reason "the books are closed"
    """
    _everywhere("unfreeze", product, reason, name, as_json=as_json)


def impatient() -> None:
    """Have MLflow asked once: a person waits, and what it would have been told the sweep brings along."""
    for setting, value in _IMPATIENT.items():
        os.environ.setdefault(setting, value)


def _everywhere(word: str, product: str | None, reason: str, name: str | None, *, as_json: bool) -> None:
    from flows import ordering

    if not reason.strip():
        raise UsageError(f"A {word} needs a reason.", resolution='Say why: `--reason "..."`.')
    say = ordering.freeze if word == "freeze" else ordering.unfreeze
    here = context.here(product)
    works = [_work(one, name) for one in ((product,) if product else here.products())]
    done = [_order(say(work, reason), work, reason) for work in works]
    if as_json:
        output.emit(done)
        return
    for one in done:
        _sentence(one)


def _work(product: str, name: str | None) -> Work:
    from flows.following import IN_A_HURRY, Work
    from lifecycle.control import Actor
    from tasks.step import directly

    impatient()
    here = context.here(product)
    by = Actor((name or getpass.getuser()).strip(), datetime.now(UTC), cause="command")
    return Work(directly, here.settings, product, by, waits=IN_A_HURRY)


def _order(done: Obeyed, work: Work, reason: str) -> Order:
    return Order(
        product=done.product,
        order=done.word,
        model=done.model_version,
        state=done.state,
        weight=done.weight,
        by=work.by.name,
        reason=reason,
        changed=done.changed,
        pending=done.pending,
    )


def _tell(done: Obeyed, work: Work, reason: str, *, as_json: bool) -> None:
    found = _order(done, work, reason)
    if as_json:
        output.emit(found)
    else:
        _sentence(found)


def _sentence(found: Order) -> None:
    """Say what is in force now."""
    of = f"the release of model {found.model}"
    now = {
        "approve": f"{of} is approved by {found.by}",
        "hold": f"{of} stays at {found.weight:.0%} of the requests, held by {found.by}",
        "abort": f"{of} is taken back; the champion answers every request",
        "freeze": "frozen; it serves, and nothing else happens",
        "unfreeze": "not frozen any more",
    }[found.order]
    output.say(f"{found.product}: {now}{'' if found.changed else ', as before'}.")
    if found.pending:
        output.say(f"The sweep brings along: {', '.join(found.pending)}.")
