"""Score a validated batch, or any file, with the champion's bundle: the numbers its endpoint would answer.

The bundle comes from inside the published function version, so neither MLflow nor the endpoint is needed. Scores go
to `scores/<product>/<model version>/`, the data before the manifest; the manifest is written once, and whoever finds
it does nothing more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle import spec
from lifecycle.batch import Reason, shown
from lifecycle.errors import BatchError, ReleaseError
from lifecycle.refusal import ContractError
from lifecycle.scoring import Refusal, ScoresManifest, scores_key
from lifecycle.settings import Settings
from lifecycle.spec import Product
from tasks import batches, control, function_versions, scores
from tasks.cells import Refused, Rows, without_faults
from tasks.reading import read
from tasks.score_files import Part, Source, Written, write_scores
from tasks.scorer import Scorer
from tasks.scores import Named

# Rows decoded at a time: some MB of wide rows, and few calls.
_DECODED = 16_384


@dataclass(frozen=True)
class Model:
    """The model that serves a product, opened."""

    product: Product
    bucket: str
    model_version: str
    function_version: str
    scorer: Scorer


def champion(settings: Settings, product: str) -> Model:
    """Open the model that serves. Raises ReleaseError when none does, BundleError when its bundle is not intact."""
    held = control.read(settings.bucket, product).record.champion
    if held is None or held.function_version is None:
        raise ReleaseError(
            f"Product {product} serves no model, so nothing can be scored.",
            resolution=f"Bring data with `tropism drop {product} FILE --wait`.",
        )
    function = settings.predict_function(product)
    bundle = function_versions.bundle_of(settings.bucket, function, held.function_version)
    described = spec.load(settings.products, product)
    return Model(described, settings.bucket, held.model_version, held.function_version, Scorer(bundle))


def score_batch(model: Model, batch_id: str, out: Path | None = None) -> ScoresManifest:
    """Score a validated batch and return the manifest that stands; scored before, nothing is written.

    With `out` the scores go there and nothing is stored. Raises BatchError when there is no such batch, or its columns
    are not what the model needs.
    """
    known = scores.find(model.bucket, model.product.name, model.model_version, batch_id)
    if known is not None and out is None:
        return known
    manifest = batches.find_batch(model.bucket, model.product.name, batch_id)
    if manifest is None:
        raise BatchError(
            f"There is no validated batch {model.product.name}/{shown(batch_id)}.",
            resolution=f"List them with `tropism batches {model.product.name}`.",
        )
    of = Named(batch_id, manifest.key, manifest.object_version)
    with tempfile.TemporaryDirectory(prefix="score-") as name:
        data = Path(name) / "data.parquet"
        scores.download(model.bucket, manifest, data)
        with pq.ParquetFile(data, page_checksum_verification=True, pre_buffer=False) as file:
            return _score(model, of, Source(file.schema_arrow, _parts(file)), out)


def score_bytes(model: Model, of: Named, data: bytes, out: Path | None = None) -> ScoresManifest:
    """Score a file as it was delivered, by the reading of a delivery and the contract of a request.

    With `out` the scores go there and nothing is stored; else scored before, nothing is written. Rows that cannot be
    read, or break the contract, have their reason in place of a score. Raises BatchError when the whole file does.
    """
    known = scores.find(model.bucket, model.product.name, model.model_version, of.batch_id)
    if known is not None and out is None:
        return known
    rows = read(of.source, data, _requested(model))
    if isinstance(rows, Refused):
        raise BatchError(f"{of.source} cannot be scored.", detail=" ".join(map(str, rows.reasons)))
    table, positions = without_faults(rows, rows.faults)
    return _score(model, of, Source(table.schema, (Part(table, positions),), _faulty(rows)), out)


def _score(model: Model, of: Named, source: Source, out: Path | None) -> ScoresManifest:
    """Write the scores to `out`, or store and commit them."""
    with tempfile.TemporaryDirectory(prefix="scores-") as name:
        path = out or Path(name) / "scores.parquet"
        try:
            known = [name for name in model.product.grain if name not in model.product.sensitive]
            written = write_scores(path, model.scorer, source, known)
        except ContractError as error:
            raise BatchError(
                f"{of.source} cannot be scored by model {model.model_version}.", detail=str(error)
            ) from error
        if out is not None:
            return _scores(model, of, written, path, str(path))
        key = scores_key(model.product.name, model.model_version, of.batch_id, "parquet")
        return scores.commit(model.bucket, path, _scores(model, of, written, path, key))


def _requested(model: Model) -> Product:
    """Return the product as a request sees it: the columns of the model's contract, which has no target."""
    described = {column.name: column for column in model.product.columns}
    columns = tuple(
        described.get(one.name) or spec.Column(name=one.name, type=one.type, nullable=one.nullable)
        for one in model.scorer.bundle.contract.columns
    )
    return model.product.model_copy(update={"columns": columns})


def _faulty(rows: Rows) -> Iterator[Refusal]:
    """Yield the rows that could not be read, each once, by the first thing that is wrong with it."""
    met: set[int] = set()
    for fault in rows.faults:
        told = str(Reason(fault.code, fault.column, fault.found, fault.expected))
        for row in fault.rows.tolist():
            if row not in met:
                met.add(row)
                yield Refusal(row, str(fault.code), told)


def _parts(file: pq.ParquetFile) -> Iterator[Part]:
    start = 0
    for batch in file.iter_batches(batch_size=_DECODED, use_threads=False):
        yield Part(pa.Table.from_batches([batch]), np.arange(start, start + batch.num_rows, dtype=np.int64))
        start += batch.num_rows


def _scores(model: Model, of: Named, written: Written, path: Path, key: str) -> ScoresManifest:
    return ScoresManifest(
        product=model.product.name,
        batch_id=of.batch_id,
        source=of.source,
        object_version=of.object_version,
        model_version=model.model_version,
        bundle=model.scorer.bundle.digest,
        function_version=model.function_version,
        scored_at=datetime.now(UTC),
        rows=written.rows,
        unseen=written.unseen,
        refused=written.refused,
        data=scores.stored(path, key),
    )
