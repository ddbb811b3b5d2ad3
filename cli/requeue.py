"""`tropism requeue`: let what is quarantined land again, after a suite, a product or the code was mended."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import board, context, deliveries, follow, output
from cli.drop import TIMEOUT_SECONDS, shape, tell
from cli.landing import Landed
from cli.shapes import Dropped
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from cli.context import Here
    from lifecycle.delivery import Delivery
    from tasks.requeues import Asked

_PREFIX = 4  # characters of a batch id at least; fewer would match by chance


@dataclass(frozen=True)
class Requeued:
    """`requeue`: one batch. `attempt` counts how often it was requeued, `key` is where its bytes landed.

    `state`: landed now, under_way since somebody asked before, or same_rules: it was judged again already and
    nothing has changed since, so nothing landed. `ended` is null without `--wait`.
    """

    batch_id: str
    file: str
    state: Literal["landed", "under_way", "same_rules"]
    attempt: int
    key: str
    delivery_id: str
    by: str
    reason: str
    ended: Dropped | None = None


def requeue(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    batches: Annotated[
        list[str] | None, typer.Argument(metavar="BATCH", help="Batch ids, or the starts of them, or file names.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything of the product that is quarantined.")] = False,
    reason: Annotated[str, typer.Option(help="What was mended; it goes into the ledger.")] = "no reason given",
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Whose word it is; your login name without.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow each batch to its end.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to follow at most.")] = TIMEOUT_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list with one object per batch.")] = False,
) -> None:
    """Judge quarantined files and rows again, by today's rules: their bytes land once more, under a key of their own.

    A batch that is under way, or was judged by the same rules already, is left alone. Of a batch with quarantined
    rows the whole file is judged again and published anew. Exit code 1 when with --wait something stays quarantined.

    Example: tropism requeue flights 3f9a1c --reason "the suite knows the new airport" --wait
    """
    from tasks import requeues

    here = context.here(product)
    wanted = _wanted(here, product, batches or [], everything=everything)
    rules = requeues.rules_digest(here.settings.products, here.settings.expectations, product)
    by = requeues.Asker((name or getpass.getuser()).strip(), reason.rstrip("."), datetime.now(UTC), rules)
    follower = follow.start(here, product)
    asked = [requeues.ask(here.bucket, product, batch, by) for batch in wanted]
    found = [_shape(product, one) for one in asked]
    if wait:
        landed = [_landed(one) for one in asked if one.state != "same_rules"]
        with board.opened(silent=as_json) as shown:
            sights = follower.follow(landed, timeout=timeout, show=shown.show)
        ended = {sight.landed.delivery_id: shape(here, product, sight) for sight in sights}
        found = [replace(one, ended=ended.get(one.delivery_id)) for one in found]
    _answer(product, found, as_json=as_json)
    if any(one.ended is not None and one.ended.state == "quarantined" for one in found):
        raise typer.Exit(1)


def _wanted(here: Here, product: str, names: Sequence[str], *, everything: bool) -> list[str]:
    """Return full batch ids, each once. Raises UsageError for what names no batch, or several."""
    from tasks import requeues

    if everything == bool(names):
        raise UsageError(
            "Say which batches, or --all.", resolution=f"List them with `tropism batches {product} --quarantined`."
        )
    if everything:
        return list(requeues.quarantined(here.bucket, product))
    known = deliveries.read_all(here.bucket, product)
    return list(dict.fromkeys(_batch(product, one, known) for one in names))


def _batch(product: str, name: str, known: Sequence[Delivery]) -> str:
    if len(name) >= _PREFIX:
        ids = {one.batch_id for one in known if one.batch_id and one.batch_id.startswith(name.lower())}
        if len(ids) == 1:
            return str(ids.pop())
        if ids:
            raise UsageError(f"{name!r} is the start of {len(ids)} batch ids.", resolution="Give more characters.")
    newest = next((one for one in known if name in (deliveries.file_of(one), one.key) and one.batch_id), None)
    if newest is None:
        raise UsageError(
            f"No batch of {product} is called {name!r}.",
            resolution=f"List them with `tropism batches {product} --quarantined`.",
        )
    return str(newest.batch_id)


def _shape(product: str, one: Asked) -> Requeued:
    from lifecycle.keys import landing_prefix

    wish = one.requeue
    file = wish.origin.key.removeprefix(landing_prefix(product))
    return Requeued(
        wish.batch_id, file, one.state, wish.attempt, wish.key, one.delivery_id, wish.actor, wish.reason
    )  # fmt: skip


def _landed(one: Asked) -> Landed:
    wish = one.requeue
    return Landed(Path(wish.origin.key), wish.key, wish.object_version, wish.batch_id, one.delivery_id, 0)


def _answer(product: str, found: list[Requeued], *, as_json: bool) -> None:
    if as_json:
        output.emit(found)
        return
    if not found:
        output.say(f"Nothing of {product} is quarantined.")
    for one in found:
        output.say(f"{output.short(one.batch_id)} {one.file}: {_SAYS[one.state].format(one=one)}")
        if one.ended is not None:
            tell(one.ended)


_SAYS = {
    "landed": "landed again, attempt {one.attempt}, as {one.key}",
    "under_way": "under way already, attempt {one.attempt}, asked for by {one.by}",
    "same_rules": (
        "left alone: attempt {one.attempt} was judged by the same rules. Change product.yaml or the suite first"
    ),
}
