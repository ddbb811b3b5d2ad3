"""The suites that init writes for twelve tables: silent on rows nobody looked at, loud on every mutation.

A suite is drawn up from every second row. Of the other half, parts drawn by chance are delivered and trained on.
"""

from __future__ import annotations

import gzip
import importlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from benchmarks.own_tables import Table, tables
from lifecycle.batch import Limits
from lifecycle.labels import read_labels
from tasks.cells import Rows
from tasks.drafting import Wanted, draft
from tasks.features import ProductFiles, fit_features, read_product, shown
from tasks.judging import judge
from tasks.landing import Content
from tasks.quality import judge as judge_frame
from tasks.reading import read, to_frame
from tasks.snapshot import frame_of
from tasks.suites import Suite, load_suite
from tests.expectations.test_suites import MUTATIONS

with warnings.catch_warnings():
    # It imports a module that Python has deprecated, and the test run turns warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("great_expectations")

RESAMPLES, ALARMS, MOST_ROWS = 20, 0.01, 60_000
DEFECTS = ("RANGE wind_speed: found 1048.36,",)
"""What is wrong in the tables as they were published, so that an alarm is true: no wind blows at 1,048 mph."""
Indices = NDArray[np.intp]
Part = Callable[[Indices], bytes]


@dataclass(frozen=True)
class Drawn:
    """A product drawn up from one half of each file, and the other halves: their rows, and any of them as a file."""

    root: Path
    files: ProductFiles
    rest: tuple[tuple[str, Indices, Part], ...]

    @property
    def suites(self) -> tuple[Suite, ...]:
        return tuple(load_suite(self.root / "expectations", f"{self.files.product.name}_{one}") for one in KINDS)

    def taken(self, name: str, body: bytes) -> tuple[pa.Table | None, list[str]]:
        """Return what the gate keeps of a delivery, and every sentence it says."""
        content = Content("x", len(body), body)
        verdict = judge(f"landing/x/{name}", content, self.files.product, self.root / "expectations")
        return verdict.kept, [str(one) for one in (*verdict.reasons, *verdict.notes)]

    def features(self, *tables: pa.Table) -> pd.DataFrame:
        """Return the features of rows as training shows them to the gate."""
        product = self.files.product
        rows = frame_of(list(tables), self.files.read, product)
        labels = read_labels(product.task, product.target, rows.columns[product.target.column])
        return shown(fit_features(self.files, rows.columns, np.arange(rows.rows), labels))


KINDS = ("raw", "features")


def parts(path: Path) -> tuple[int, Part]:
    """Return how many rows a file has, and how any of them are written as such a file."""
    body = path.read_bytes()
    if path.suffix == ".parquet":
        whole = pq.read_table(path)

        def some(rows: Indices) -> bytes:
            sink = io.BytesIO()
            pq.write_table(whole.take(rows), sink, write_page_checksum=True)
            return sink.getvalue()

        return whole.num_rows, some
    packed = path.suffix == ".gz"
    head, *lines = (gzip.decompress(body) if packed else body).splitlines(keepends=True)

    def lines_of(rows: Indices) -> bytes:
        text = b"".join([head, *(lines[row] for row in rows)])
        return gzip.compress(text, 1) if packed else text

    return len(lines), lines_of


@pytest.fixture(scope="module")
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    table: Table = request.param
    root = tmp_path_factory.mktemp(table.name)
    paths = table.write(root)
    rest = []
    for path in paths:
        rows, part = parts(path)
        used = np.arange(0, rows, max(1, rows // MOST_ROWS))
        rest.append((path.name, used[1::2], part))
        path.write_bytes(part(used[::2]))
    for name, body in draft(table.name, paths, table.target, Wanted(), Limits()).files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    return Drawn(root, read_product(root / "products", table.name), tuple(rest))


@pytest.mark.faults
@pytest.mark.parametrize("drawn", tables(), indirect=True, ids=lambda table: table.name)
def test_the_other_half_raises_at_most_one_alarm_in_a_hundred(
    drawn: Drawn, record_property: Callable[[str, object], None]
) -> None:
    random, made, said = np.random.default_rng(11), 0, []
    raw, features = drawn.suites
    for _ in range(RESAMPLES):
        kept = []
        for name, rows, part in drawn.rest:
            count = int(random.integers(len(rows) // 2, len(rows) + 1))
            table, told = drawn.taken(name, part(np.sort(random.choice(rows, count, replace=False))))
            assert table is not None, told
            kept.append(table)
            said += told
            made += len(raw.rules)
        found = judge_frame(drawn.features(*kept), features)
        said += [str(one) for one in (*found.reasons, *found.notes)]
        made += len(features.rules)
    false = [one for one in said if not one.startswith(DEFECTS)]
    record_property("alarms", f"{len(false)} of {made}, beside {len(said) - len(false)} true ones")
    assert len(false) <= ALARMS * made, false


@pytest.mark.faults
@pytest.mark.parametrize("drawn", tables(), indirect=True, ids=lambda table: table.name)
def test_every_rule_fails_on_its_own_mutation(drawn: Drawn) -> None:
    product = drawn.files.product
    sample = read("x.parquet", (drawn.root / f"products/{product.name}/sample/rows.parquet").read_bytes(), product)
    assert isinstance(sample, Rows)
    for suite, frame in zip(drawn.suites, (to_frame(sample.table), drawn.features(sample.table)), strict=True):
        assert judge_frame(frame, suite).findings == ()
        for at, rule in enumerate(suite.rules):
            mutated = list(MUTATIONS[rule.type](frame, rule))
            assert mutated, at
            for how, broken in mutated:
                (finding,) = judge_frame(broken, replace(suite, rules=(rule,))).findings
                assert finding.reason.code != "NOT_JUDGED", (rule, how)
                assert finding.severity == rule.severity
