"""Whatever bytes arrive: an answer comes, it raises nothing, and every row is in exactly one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecycle.codes import Code
from lifecycle.faults import settle
from lifecycle.spec import parse
from tasks.cells import Refused, Rows, without_faults
from tasks.judging import judge_rows
from tasks.reading import find_repeats, read, to_frame
from tasks.suites import Suite, load_suite

PAIRS = parse(
    """
name: pairs
task: regression
grain: [id]
time: at
columns:
  - {name: id, type: long}
  - {name: size, type: double, nullable: true, input: false}
  - {name: kind, type: string, nullable: true}
  - {name: at, type: datetime, nullable: true}
target: {column: size}
features: {numbers: [id]}
limits: {max_bytes: 100000, max_rows: 1000, max_field_characters: 20, max_quarantined_share: 0.3}
evaluation: {metric: rmse, floors: {rmse: 1}}
""",
    source="pairs",
)
HEADER = "id,size,kind,at"
CELL = st.one_of(
    st.integers(-3, 3).map(str),
    st.floats().map(str),
    st.sampled_from(["", "NA", "inf", "x", '"a,b"', '"a\nb"', '"', "2024-01-01", "2024-13-01", "é", "x" * 30, " 1 "]),
)
LINE = st.one_of(
    st.tuples(st.integers(0, 20).map(str), st.sampled_from(["1.5", "", "2"]), CELL, st.just("2024-01-01")).map(
        ",".join
    ),
    st.lists(CELL, min_size=1, max_size=6).map(",".join),
    st.just(HEADER),
    st.just(""),
)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder: Path = tmp_path_factory.mktemp("expectations")
    rules = [
        {
            "type": "expect_column_values_to_be_between",
            "severity": "warning",
            "kwargs": {"column": "size", "max_value": 1.9},
            "meta": {"why": "Small parts."},
        }
    ]
    (folder / "pairs_raw.json").write_text(json.dumps({"name": "pairs_raw", "expectations": rules}))
    return load_suite(folder, "pairs_raw")


@given(st.lists(LINE, max_size=25), st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_lines_are_read_or_refused_and_every_row_is_counted_once(lines: list[str], end: str, closed: bool) -> None:  # noqa: FBT001
    data = end.join([HEADER, *lines]).encode() + (end.encode() if closed else b"")
    answer = read("landing/pairs/a.csv", data, PAIRS)
    if isinstance(answer, Refused):
        assert answer.reasons
        assert all(reason.code in set(Code) for reason in answer.reasons)
        return
    assert_consistent(answer)


def assert_consistent(rows: Rows) -> None:
    table, positions = without_faults(rows, rows.faults)
    faults = [*rows.faults, *find_repeats(to_frame(table), positions, PAIRS.grain)]
    settled = settle(rows.received, faults, PAIRS.limits.max_quarantined_share)
    assert settled.counts.received == settled.counts.validated + settled.counts.quarantined
    assert len(rows.lines) == rows.received
    assert (rows.lines[1:] > rows.lines[:-1]).all()
    good, _ = without_faults(rows, faults)
    assert good.num_rows == int(settled.kept.sum())
    ids = good.column("id").to_pylist()
    assert None not in ids
    assert len(ids) == len(set(ids)), "the grain is unique in what is left"


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.csv.gz", "a.parquet", "a"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_refused_with_a_code(data: bytes, name: str) -> None:
    answer = read(f"landing/pairs/{name}", data, PAIRS)
    assert isinstance(answer, Refused)
    assert {reason.code for reason in answer.reasons} <= set(Code)


@given(st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_gate_keeps_the_counts(suite: Suite, data: Any) -> None:
    lines = data.draw(st.lists(LINE, min_size=1, max_size=15))
    answer = read("landing/pairs/a.csv", "\n".join([HEADER, *lines, ""]).encode(), PAIRS)
    if isinstance(answer, Rows):
        verdict = judge_rows(answer, PAIRS, suite)
        assert verdict.counts.received == answer.received
        assert (0 if verdict.kept is None else verdict.kept.num_rows) == verdict.counts.validated
        assert (0 if verdict.held is None else verdict.held.num_rows) == (
            0 if verdict.kept is None else verdict.counts.quarantined
        )
