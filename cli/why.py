"""`tropism why`: from a name to what was decided about it, on what evidence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import context, deliveries, output
from cli.history import instant
from cli.shapes import Json
from cli.why_prediction import is_prediction_id, trace
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from lifecycle.delivery import Delivery
    from lifecycle.ledger import Entry
    from lifecycle.settings import Settings

_PREFIX = 4  # characters of a batch id at least; fewer would match by chance
_VERSION = re.compile(r"v?([1-9][0-9]*)")


@dataclass(frozen=True)
class Explained:
    """`why`: what an id means, the sentences that decided about it, and the numbers behind the last of them."""

    product: str
    id: str
    kind: Literal["delivery", "batch", "model"]
    what: str
    because: tuple[str, ...]
    evidence: Mapping[str, Json]


def why(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A prediction id, a model version, a file name, a delivery id, or a batch id's start."
        ),
    ],
    at: Annotated[
        str | None, typer.Option(help="When a prediction older than a week was made, or the start of that day.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the explanation as an object.")] = False,
) -> None:
    """Explain what became of something and why; a prediction is traced to its sources and computed again.

    Exit code 1 when a prediction does not come out the same.

    Example: tropism why flights flights-2013-07.csv
    """
    here = context.here(product)
    if is_prediction_id(name):
        _prediction(here.settings, product, name, at, as_json=as_json)
        return
    from tasks import ledger

    records = deliveries.read_all(here.bucket, product)
    found = explain(product, name, records, ledger.entries(here.bucket, product))
    if as_json:
        output.emit(found)
        return
    output.say(found.what)
    for sentence in found.because:
        output.say(f"  {sentence}")
    output.facts([(key, str(value)) for key, value in found.evidence.items() if value not in (None, "")], indent=2)


def _prediction(where: Settings, product: str, name: str, at: str | None, *, as_json: bool) -> None:
    from cli import why_told

    found = trace(where, product, name, instant(f"{at}T00:00" if len(at) == len("2026-03-01") else at) if at else None)
    if as_json:
        output.emit(found)
    else:
        why_told.tell(found)
    if found.rescored.verdict == "differs":
        raise typer.Exit(1)


def explain(product: str, name: str, records: Sequence[Delivery], entries: Sequence[Entry]) -> Explained:
    """Return what a name means. Raises UsageError, with the nearest name, when it means nothing or too much."""
    version = _VERSION.fullmatch(name)
    decided = [entry for entry in entries if version and entry.to == version[1]]
    if version and decided:
        return _model(product, version[1], decided)
    one = next((record for record in records if record.delivery_id == name), None)
    if one is not None:
        return _delivery(product, name, one, entries)
    batches = {record.batch_id for record in records if record.batch_id and record.batch_id.startswith(name.lower())}
    if len(name) >= _PREFIX and len(batches) == 1:
        return _batch(product, batches.pop(), records, entries)
    if len(name) >= _PREFIX and batches:
        raise UsageError(f"{name!r} is the start of {len(batches)} batch ids.", resolution="Give more characters.")
    same = [record for record in records if name in (deliveries.file_of(record), record.key)]
    if same:
        return _file(product, name, same, entries)
    raise _unknown(product, name, records, entries)


def _model(product: str, version: str, decided: Sequence[Entry]) -> Explained:
    challenge = next((entry for entry in decided if entry.action == "challenge"), decided[0])
    told = tuple(
        f"{entry.seq}. {output.moment(entry.at)} {entry.action} by {entry.actor} on {entry.cause}: {entry.reason}"
        for entry in decided
    )
    return Explained(product, version, "model", f"Model {version} of {product}", told, challenge.evidence)


def _file(product: str, name: str, same: Sequence[Delivery], entries: Sequence[Entry]) -> Explained:
    """Explain the newest delivery that was more than a repeat; the others are told as well."""
    telling = next((record for record in same if record.state != "duplicate"), same[0])
    found = _delivery(product, name, telling, entries)
    others = tuple(
        f"Also delivered, {output.moment(record.claimed_at)}: {record.message()}"
        for record in same
        if record != telling
    )
    return replace(found, because=(*found.because, *others))


def _delivery(product: str, name: str, record: Delivery, entries: Sequence[Entry]) -> Explained:
    evidence: dict[str, Json] = {
        "delivery": record.delivery_id,
        "file": deliveries.file_of(record),
        "object_version": record.object_version,
        "batch": record.batch_id,
        "claimed_at": output.stamp(record.claimed_at),
        "flow_run": record.owner,
    }
    because = (*(str(note) for note in record.notes), *(record.change.lines() if record.change else ()))
    trained = _of_batch(record.batch_id, entries) if record.batch_id else ()
    return Explained(product, name, "delivery", record.message(), (*because, *trained), evidence)


def _batch(product: str, batch_id: str, records: Sequence[Delivery], entries: Sequence[Entry]) -> Explained:
    same = [record for record in records if record.batch_id == batch_id]
    telling = next((record for record in same if record.state != "duplicate"), same[0])
    evidence: dict[str, Json] = {
        "batch": batch_id,
        "files": ", ".join(sorted({deliveries.file_of(record) for record in same})),
        "deliveries": len(same),
    }
    return Explained(product, batch_id, "batch", telling.message(), _of_batch(batch_id, entries), evidence)


def _of_batch(batch_id: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return who requeued a batch and why, and the sentence of every training that saw it."""
    from lifecycle.requeue import ACTION

    again = [entry for entry in entries if entry.action == ACTION and entry.evidence.get("batch") == batch_id]
    told = tuple(f"Requeued, {output.moment(entry.at)}, by {entry.actor}: {entry.reason}" for entry in again)
    return (*told, *_trained_on(batch_id, entries))


def _trained_on(batch_id: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the sentence of every training that saw a batch."""
    from cli.verdicts import covers

    seen = [entry for entry in entries if covers(entry, batch_id)]
    return tuple(f"Trained on, {output.moment(entry.at)}: {entry.reason}" for entry in seen)


def _unknown(product: str, name: str, records: Sequence[Delivery], entries: Sequence[Entry]) -> UsageError:
    files = sorted({deliveries.file_of(record) for record in records})
    versions = sorted({entry.to for entry in entries if entry.to}, key=int)
    near = difflib.get_close_matches(name, files, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(
        f"Nothing of {product} is called {name!r}.{hint}",
        detail=f"Known are {len(files)} files and the model versions {', '.join(versions) or '(none yet)'}.",
        resolution=f"List them with `tropism batches {product}` and `tropism models {product}`.",
    )
