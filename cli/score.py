"""`tropism score`: many rows at once, with the model that serves, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from lifecycle.errors import BatchError, UsageError

if TYPE_CHECKING:
    from lifecycle.scoring import ScoresManifest
    from lifecycle.settings import Settings

_PREFIX = 4  # characters of a batch id at least; fewer would match by chance
_LIMIT = 1_000_000


@dataclass(frozen=True)
class ScoredRows:
    """Where the rows went: each has a score, or a reason why it has none."""

    received: int
    scored: int
    refused: int


@dataclass(frozen=True)
class RefusedRows:
    """Rows without a score for one reason: how many, and the first of them, counted from 0."""

    code: str
    rows: int
    first: int
    sentence: str


@dataclass(frozen=True)
class ScoredBatch:
    """`score`: one batch or file. `scores` is where they lie: an s3 address, or the file of `--out`."""

    product: str
    batch_id: str
    source: str
    model_version: str
    bundle: str
    rows: ScoredRows
    refused: tuple[RefusedRows, ...]
    unseen: Mapping[str, int]
    scores: str


def score(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    batch: Annotated[str | None, typer.Option(metavar="ID", help="A validated batch, by the start of its id.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with the columns of a request: CSV or Parquet.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the scores here, as Parquet, and store nothing.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of what was scored.")] = False,
) -> None:
    """Score a batch or a file with the champion; without either, every validated batch it has not scored.

    The scores are those the endpoint answers. A row that breaks the contract has its reason in place of a score.

    Example: tropism score flights --file tomorrow.csv --out scores.parquet
    """
    here = context.here(product)
    if batch is not None and file is not None:
        raise UsageError("A batch and a file were given.", resolution="Give one of them.")
    if out is not None and batch is None and file is None:
        raise UsageError("--out is for one batch or one file.", resolution="Say which: --batch ID or --file FILE.")
    with output.progress(f"scoring {product}", quiet=as_json):
        done = _carry_out(here.settings, product, batch, file, out)
    found = [shape(one, here.bucket, out) for one in done]
    if as_json:
        output.emit(found)
    else:
        tell(found)


def shape(found: ScoresManifest, bucket: str, out: Path | None) -> ScoredBatch:
    """Return what was scored as scripts see it."""
    return ScoredBatch(
        product=found.product,
        batch_id=found.batch_id,
        source=found.source,
        model_version=found.model_version,
        bundle=found.bundle,
        rows=ScoredRows(found.rows.received, found.rows.scored, found.rows.refused),
        refused=tuple(RefusedRows(one.code, one.rows, one.first, one.sentence) for one in found.refused),
        unseen=found.unseen,
        scores=str(out) if out is not None else f"s3://{bucket}/{found.data.key}",
    )


def tell(found: list[ScoredBatch]) -> None:
    """Print what was scored, and every reason a row has no score."""
    if not found:
        output.say("Every validated batch is scored already.")
    for one in found:
        rows = one.rows
        output.say(
            f"{output.short(one.batch_id)} ({one.source}): {rows.scored:,} of {rows.received:,} rows scored "
            f"by model {one.model_version}."
        )
        for reason in one.refused:
            output.say(f"  {reason.rows:,} refused, {reason.code}; the first, row {reason.first}: {reason.sentence}")
        output.say(f"  {one.scores}")


def _carry_out(
    where: Settings, product: str, batch: str | None, file: Path | None, out: Path | None
) -> tuple[ScoresManifest, ...]:
    from flows.score import score_batches
    from tasks import scores, scoring
    from tasks.step import directly

    if file is not None:
        model = scoring.champion(where, product)
        data = _read(file, model.product.limits.max_bytes)
        return (scoring.score_bytes(model, scores.named(file.name, data), data, out),)
    if batch is None:
        return score_batches(directly, where, product)
    batch_id = find_batch(where.bucket, product, batch)
    if out is not None:
        return (scoring.score_batch(scoring.champion(where, product), batch_id, out),)
    return score_batches(directly, where, product, (batch_id,))


def find_batch(bucket: str, product: str, start: str) -> str:
    """Return the id of the validated batch that begins so. Raises UsageError when there is none, or several."""
    from lifecycle.batch import batch_prefix
    from tasks import objects

    prefix = batch_prefix("validated", product, start.lower()).rstrip("/")
    keys = objects.keys(bucket, prefix, limit=_LIMIT) if len(start) >= _PREFIX else []
    found = sorted({key.split("/")[2] for key in keys if key.endswith("/manifest.json")})
    if len(found) == 1:
        return found[0]
    said = f"is the start of {len(found)} batch ids" if found else "is the id of no validated batch"
    more = "Give more characters." if found else f"List them with `tropism batches {product}`."
    raise UsageError(f"{start!r} {said} of {product}.", resolution=more)


def _read(file: Path, most: int) -> bytes:
    try:
        size = file.stat().st_size
        if size > most:
            raise BatchError(
                f"{file} is too large to be scored.", detail=f"It has {size:,} bytes; {most:,} are allowed."
            )
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read.", detail=f"{error}.") from error
