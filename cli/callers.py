"""Callers of a product's endpoint: rows asked for one by one, at a steady rate, and a tally of who answered.

They are live traffic like any other: what they ask is logged and counts as evidence. Nothing is retried, since a
failed request is what a caller would have seen.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lifecycle.errors import UsageError

if TYPE_CHECKING:
    import httpx
    import pyarrow as pa

    from cli.context import Here
    from lifecycle.spec import Product

# A function environment answers one request at a time; two callers keep two of them warm and no more.
_THREADS = 2
_TIMEOUT_SECONDS = 30.0
_OK = 200


@dataclass(frozen=True)
class Tally:
    """Answers by model version, and requests that got none: refused, failed or not answered."""

    answered: Mapping[str, int]
    failed: int

    @property
    def asked(self) -> int:
        """Return how many requests were made."""
        return sum(self.answered.values()) + self.failed

    def since(self, earlier: Tally) -> Tally:
        """Return what came after an earlier tally."""
        later = {version: n - earlier.answered.get(version, 0) for version, n in self.answered.items()}
        return Tally({version: n for version, n in later.items() if n}, self.failed - earlier.failed)


@dataclass
class Callers:
    """Ask for predictions of `bodies`, over and over, `per_second` times a second, `limit` times or until left."""

    url: str
    bodies: Sequence[bytes]
    per_second: float
    limit: int | None = None
    _answered: Counter[str] = field(default_factory=Counter)
    _failed: int = 0
    _turns: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to ask."""
        begun = time.monotonic()
        self._threads = [threading.Thread(target=self._ask, args=(begun,), daemon=True) for _ in range(_THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking and wait for the answers that are under way."""
        self._stop.set()
        self.wait()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until every request was made; say whether that was within `seconds`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def tally(self) -> Tally:
        """Return who answered so far."""
        with self._lock:
            return Tally(dict(self._answered), self._failed)

    def _ask(self, begun: float) -> None:
        import httpx

        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            while not self._stop.is_set():
                with self._lock:
                    turn = next(self._turns)
                if self.limit is not None and turn >= self.limit:
                    return
                if self._stop.wait(max(0.0, begun + turn / self.per_second - time.monotonic())):
                    return
                self._note(_answer(client, self.url, self.bodies[turn % len(self.bodies)]))

    def _note(self, version: str | None) -> None:
        with self._lock:
            if version is None:
                self._failed += 1
            else:
                self._answered[version] += 1


def callers(here: Here, product: str, file: Path | None, *, per_second: float, limit: int | None = None) -> Callers:
    """Return callers that ask for the rows of a Parquet or CSV file, or of the product's sample.

    Raises UsageError when the file has no rows or lacks a column of a request, ReleaseError without an endpoint.
    """
    from cli import endpoint

    spec = here.product(product)
    path = file or here.settings.products / product / "sample" / "rows.parquet"
    url = f"{endpoint.address(here.settings, product)}invocations"
    return Callers(url, bodies(spec, read(path)), per_second, limit)


def read(path: Path) -> pa.Table:
    """Read a Parquet or CSV file. Raises UsageError."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        return parquet.read_table(path) if path.suffix == ".parquet" else csv.read_csv(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"{path} cannot be read.", detail=f"{error}.", resolution="Give Parquet or CSV.") from error


def bodies(product: Product, table: pa.Table) -> tuple[bytes, ...]:
    """Return one request per row, with the columns a request carries. Raises UsageError when one is missing."""
    names = inputs(product)
    missing = [name for name in names if name not in table.column_names]
    if missing or not table.num_rows:
        found = f"It lacks {', '.join(missing)}." if missing else "It has no rows."
        raise UsageError(f"These rows cannot be asked for: {product.name} needs other ones.", detail=found)
    rows = table.select(names).to_pylist()
    return tuple(json.dumps(request(names, [row])).encode() for row in rows)


def inputs(product: Product) -> list[str]:
    """Return the columns a request carries."""
    return [column.name for column in product.inputs]


def request(names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return a request of some rows in MLflow's protocol, as JSON can say it."""
    return {"dataframe_split": {"columns": names, "data": [[_plain(row[name]) for name in names] for row in rows]}}


def _plain(value: object) -> object:
    """Return a value as JSON can say it: what is no number or no text is missing, a time is text."""
    if value == "" or (isinstance(value, float) and value != value):  # noqa: PLR0124  # NaN differs from itself
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _answer(client: httpx.Client, url: str, body: bytes) -> str | None:
    """Return the model version that answered, or None when nobody did."""
    import httpx

    from tasks.endpoint import signed

    headers = {"content-type": "application/json", **signed("POST", url, body)}
    try:
        answer = client.post(url, content=body, headers=headers)
    except httpx.HTTPError:
        return None
    return answer.headers.get("x-model-version") if answer.status_code == _OK else None
