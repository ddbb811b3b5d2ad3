"""Every suite passes on a golden frame, and every expectation fails on a frame that breaks it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.quality import judge
from tasks.suites import Rule, load_suite

FOLDER = Path(__file__).parents[2] / "expectations"
SUITES = sorted(path.stem for path in FOLDER.glob("*.json"))
RULES = [(name, at) for name in SUITES for at in range(len(load_suite(FOLDER, name).rules))]


def label(case: tuple[str, int]) -> str:
    rule = load_suite(FOLDER, case[0]).rules[case[1]]
    return f"{case[0]}-{case[1]}-{rule.type}-{'-'.join(rule.columns)}"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], pd.DataFrame]:
    def frame(suite: str) -> pd.DataFrame:
        product, _, kind = suite.rpartition("_")
        golden = request.getfixturevalue(f"golden_{kind}" if product == "flights" else f"sample_{kind}")
        return golden if product == "flights" else golden(product)

    return frame


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_passes_on_its_golden_frame(name: str, golden: Callable[[str], pd.DataFrame]) -> None:
    judged = judge(golden(name), load_suite(FOLDER, name))
    assert [str(reason) for reason in (*judged.reasons, *judged.notes)] == []
    assert (judged.verdict, judged.evaluated) == ("pass", len(load_suite(FOLDER, name).rules))


@pytest.mark.parametrize("case", RULES, ids=label)
def test_an_expectation_fails_on_every_frame_that_breaks_it(
    case: tuple[str, int], golden: Callable[[str], pd.DataFrame]
) -> None:
    """An expectation of a new kind has no mutation yet and fails here until somebody says how to break it."""
    suite = load_suite(FOLDER, case[0])
    rule = suite.rules[case[1]]
    frame = golden(case[0]).iloc[::20].reset_index(drop=True)
    alone = replace(suite, rules=(rule,))
    mutated = list(MUTATIONS[rule.type](frame, rule))
    assert mutated
    for how, broken in mutated:
        (finding,) = judge(broken, alone).findings
        assert finding.reason.code != "NOT_JUDGED", how
        assert finding.severity == rule.severity
        assert finding.rows is not None or rule.severity != "warning"


@pytest.mark.parametrize("month", [1, 9, 12])
def test_a_real_month_passes(month: int, raw: Any) -> None:
    """The first month; the fewest delays; the most gaps. July, with its ferry flight, is the golden one."""
    judged = judge(raw(month), load_suite(FOLDER, "flights_raw"))
    assert (judged.verdict, judged.reasons, judged.notes) == ("pass", (), ())


def test_the_one_defective_reading_of_february_costs_exactly_two_rows(raw: Any) -> None:
    frame = raw(2)
    judged = judge(frame, load_suite(FOLDER, "flights_raw"))
    assert judged.verdict == "quarantine_rows"
    assert [str(reason) for reason in judged.reasons] == [
        "RANGE wind_speed: found 1048.36, expected 0 to 150 (2 rows)."
    ]
    held = frame.iloc[judged.rows][["month", "day", "hour", "carrier", "flight", "origin"]]
    assert held.to_numpy().tolist() == [[2, 12, 5, "US", 1117, "EWR"], [2, 12, 5, "UA", 1018, "EWR"]]


Mutation = Iterator[tuple[str, pd.DataFrame]]


def with_values(frame: pd.DataFrame, rule: Rule, value: Any, rows: int) -> pd.DataFrame:
    broken = frame.copy()
    column = broken[rule.kwargs["column"]]
    values = column.astype(object if column.dtype.kind in "OTM" or column.dtype == "str" else "float64")
    values.iloc[:rows] = value
    broken[rule.kwargs["column"]] = values.astype(column.dtype) if column.dtype.kind == "M" else values
    return broken


def enough(frame: pd.DataFrame, rule: Rule) -> int:
    """One row breaks a strict rule; a tolerant one takes all."""
    return 1 if rule.kwargs.get("mostly", 1) == 1 else len(frame)


def bounds(rule: Rule) -> Iterator[tuple[str, Any, int]]:
    for bound, sign in (("min_value", -1), ("max_value", 1)):
        if rule.kwargs.get(bound) is not None:
            yield bound, rule.kwargs[bound], sign


def range_of_values(frame: pd.DataFrame, rule: Rule) -> Mutation:
    for bound, limit, sign in bounds(rule):
        value = pd.Timestamp(limit) + sign * pd.Timedelta(seconds=1) if isinstance(limit, str) else limit + sign
        yield bound, with_values(frame, rule, value, enough(frame, rule))


def missing_values(frame: pd.DataFrame, rule: Rule) -> Mutation:
    keep = int(len(frame) * rule.kwargs.get("mostly", 1))
    yield "nulls", with_values(frame, rule, None, len(frame) - keep + 1)


def other_text(frame: pd.DataFrame, rule: Rule) -> Mutation:
    other = -999 if frame[rule.columns[0]].dtype.kind in "iuf" else "?"
    yield "another value", with_values(frame, rule, other, enough(frame, rule))


def text_length(frame: pd.DataFrame, rule: Rule) -> Mutation:
    yield "long", with_values(frame, rule, "x" * (rule.kwargs["max_value"] + 1), 1)
    yield "short", with_values(frame, rule, "x" * (rule.kwargs["min_value"] - 1), 1)


def mean(frame: pd.DataFrame, rule: Rule) -> Mutation:
    for bound, limit, sign in bounds(rule):
        yield bound, with_values(frame, rule, limit + sign, len(frame))


def spread(frame: pd.DataFrame, rule: Rule) -> Mutation:
    for bound, limit, sign in bounds(rule):
        if sign < 0:
            yield bound, with_values(frame, rule, 1.0, len(frame))
        else:
            yield bound, with_values(with_values(frame, rule, -limit - 1, len(frame)), rule, limit + 1, len(frame) // 2)


def quantiles(frame: pd.DataFrame, rule: Rule) -> Mutation:
    ranges = rule.kwargs["quantile_ranges"]
    for share, (low, high) in zip(ranges["quantiles"], ranges["value_ranges"], strict=True):
        for bound, value in (("low", low - 1), ("high", high + 1)):
            yield f"q{share} {bound}", with_values(frame, rule, value, len(frame))


def row_count(frame: pd.DataFrame, rule: Rule) -> Mutation:
    for bound, limit, sign in bounds(rule):
        rows = limit + sign
        many = pd.concat([frame] * (rows // len(frame) + 1)).head(rows).reset_index(drop=True)
        yield bound, many


def repeated_keys(frame: pd.DataFrame, _: Rule) -> Mutation:
    yield "a repeated key", pd.concat([frame, frame.head(1)]).reset_index(drop=True)


def variety(frame: pd.DataFrame, rule: Rule) -> Mutation:
    for bound, limit, sign in bounds(rule):
        broken = frame.copy()
        broken[rule.kwargs["column"]] = [float(n % (limit + sign)) for n in range(len(frame))]
        yield bound, broken


def swapped(frame: pd.DataFrame, rule: Rule) -> Mutation:
    one, other = rule.kwargs["column_A"], rule.kwargs["column_B"]
    yield "swapped", frame.assign(**{one: frame[other], other: frame[one]})
    yield "the sign flipped", frame.assign(**{other: -frame[other]})


MUTATIONS: dict[str, Callable[[pd.DataFrame, Rule], Mutation]] = {
    "expect_column_values_to_be_between": range_of_values,
    "expect_column_values_to_not_be_null": missing_values,
    "expect_column_values_to_be_in_set": other_text,
    "expect_column_values_to_match_regex": other_text,
    "expect_column_value_lengths_to_be_between": text_length,
    "expect_column_mean_to_be_between": mean,
    "expect_column_stdev_to_be_between": spread,
    "expect_column_quantile_values_to_be_between": quantiles,
    "expect_column_unique_value_count_to_be_between": variety,
    "expect_column_pair_values_a_to_be_greater_than_b": swapped,
    "expect_compound_columns_to_be_unique": repeated_keys,
    "expect_table_row_count_to_be_between": row_count,
}
