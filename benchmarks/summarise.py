"""Summing up the prediction log: how long, and how much memory, for how many predictions.

The records are made one by one and never held, so what grows is what summing up keeps. Run it with the number of
predictions: `python benchmarks/summarise.py 10000000`; a million without.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from lifecycle.bundle import Bundle
from lifecycle.profiles import read
from tasks.summaries import Model, Models, Reading, sum_up
from tests.monitor.conftest import draw, made

ROWS_PER_REQUEST = 10
DISTINCT = 2_000
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
MB = 1 << 10  # ru_maxrss counts kilobytes on Linux


def lines(predictions: int, bundle: Bundle) -> Iterator[bytes]:
    """Yield the log of so many predictions over one hour, each request of ten rows with an id of its own."""
    rows = draw(5, DISTINCT * ROWS_PER_REQUEST, missing=0.02)
    names = list(rows.columns)
    plain = [[None if value != value else value for value in rows.columns[name].tolist()] for name in names]  # noqa: PLR0124  NaN
    table = list(zip(*plain, strict=True))
    scores = np.random.default_rng(6).random(len(table)).tolist()
    requests = predictions // ROWS_PER_REQUEST
    for number in range(requests):
        at = (number % DISTINCT) * ROWS_PER_REQUEST
        yield json.dumps(
            {
                "event": "prediction.answered",
                "at": (BEGIN + timedelta(hours=number / requests)).isoformat(),
                "request_id": f"r-{number:012d}",
                "product": "loans",
                "model_version": "1",
                "bundle": bundle.digest,
                "function_version": "1",
                "status": 200,
                "rows": ROWS_PER_REQUEST,
                "columns": names,
                "features": table[at : at + ROWS_PER_REQUEST],
                "scores": scores[at : at + ROWS_PER_REQUEST],
                "latency_ms": 4.0,
            }
        ).encode()


def main(predictions: int) -> None:
    """Print one line per tenth of the predictions, and the sums."""
    with tempfile.TemporaryDirectory() as folder:
        bundle, _ = made(Path(folder))
        models = Models("none", "none", {bundle.digest: Model(bundle, read(bundle.reference))})
        reading, begun, before = Reading(models, before=np.empty(0, dtype=np.uint64)), time.process_time(), _peak()
        print(f"before: {before:,.0f} MB\n\n| predictions | CPU seconds | peak MB |\n|---|---|---|")
        path = Path(folder, "rows.parquet")
        sum_up(reading, _told(lines(predictions, bundle), predictions // ROWS_PER_REQUEST // 10, begun), path)
        part = reading.part(BEGIN, "")
        seconds, size = time.process_time() - begun, len(part.model_dump_json())
        print(f"| {predictions:,} | {seconds:,.0f} | {_peak():,.0f} |")
        print(f"\n{part.records:,} records in {len(part.sketches)} sketches; sums {size >> 10:,} kB, ", end="")
        print(f"rows {path.stat().st_size >> 20:,} MB; {seconds / predictions * 1e6:.0f} s per million predictions.")


def _told(made: Iterator[bytes], every: int, begun: float) -> Iterator[bytes]:
    for number, line in enumerate(made):
        if number and number % every == 0:
            count = number * ROWS_PER_REQUEST
            print(f"| {count:,} | {time.process_time() - begun:,.0f} | {_peak():,.0f} |", flush=True)
        yield line


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
