"""What Great Expectations drops without a word is refused here, and a rule that cannot judge never lets pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle.errors import SuiteError
from tasks.quality import judge
from tasks.suite_table import page
from tasks.suites import build, load_suite

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {
    "type": "expect_column_values_to_be_between",
    "severity": "critical",
    "kwargs": {"column": "a", "min_value": 0},
    "meta": {"why": "It counts something."},
}


def rule(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def about(kind: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return rule(type=kind, severity=severity, kwargs=kwargs)


def written(folder: Path, *rules: Any, name: str = "s_raw", **more: Any) -> Path:
    (folder / "s_raw.json").write_text(json.dumps({"name": name, "expectations": list(rules), **more}))
    return folder


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no expectations": ({"expectations": []}, "It has no expectations, and an empty suite lets everything pass."),
    "another name": ({"name": "t_raw"}, "Its name is not 's_raw', of small letters, digits, - and _."),
    "an id": ({"id": "3f"}, "It holds more than name, meta and expectations; ids are not committed."),
    "a rule's id": (
        {"expectations": [rule(id="3f")]},
        "Expectation 0 (expect_column_values_to_be_between): it has id; ids are not committed.",
    ),
    "a bad severity": (
        {"expectations": [rule(severity="fatal")]},
        "Expectation 0 (expect_column_values_to_be_between): its severity is none of critical, warning, info.",
    ),
    "no severity": (
        {"expectations": [GOOD, {key: value for key, value in GOOD.items() if key != "severity"}]},
        "Expectation 1 (expect_column_values_to_be_between): its severity is none of critical, warning, info.",
    ),
    "no reason": (
        {"expectations": [rule(meta={})]},
        "Expectation 0 (expect_column_values_to_be_between): meta.why does not say why.",
    ),
    "an unknown code": (
        {"expectations": [rule(meta={"why": "x", "code": "ODD"})]},
        "Expectation 0 (expect_column_values_to_be_between): meta.code 'ODD' is no code of a reason.",
    ),
    "no type": ({"expectations": [rule(type="values")]}, "Expectation 0: it has no type that starts with `expect_`."),
    "no arguments": (
        {"expectations": [rule(kwargs=None)]},
        "Expectation 0 (expect_column_values_to_be_between): it has no kwargs.",
    ),
    "a misspelt key": (
        {"expectations": [rule(kwarg={})]},
        "Expectation 0 (expect_column_values_to_be_between): it has kwarg; ids are not committed.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_suite_that_would_be_misread_is_refused(case: str, tmp_path: Path) -> None:
    changes, detail = REFUSED[case]
    whole = {"name": "s_raw", "expectations": [GOOD], **changes}
    (tmp_path / "s_raw.json").write_text(json.dumps(whole))
    with pytest.raises(SuiteError) as refused:
        load_suite(tmp_path, "s_raw")
    assert refused.value.detail == detail


def test_two_rules_on_quantiles_of_one_column_are_refused(tmp_path: Path) -> None:
    """Great Expectations 1.24 computes the quantiles of the first one and judges both by them."""
    kwargs = [{"column": "a", "quantile_ranges": {"quantiles": [q], "value_ranges": [[0, 9]]}} for q in (0.1, 0.9)]
    rules = [rule(type="expect_column_quantile_values_to_be_between", kwargs=one) for one in kwargs]
    with pytest.raises(SuiteError, match=r"Expectation 1 .*'a' has another such rule; put all quantiles into one"):
        load_suite(written(tmp_path, *rules), "s_raw")


def test_a_missing_suite_names_those_there_are(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    with pytest.raises(SuiteError, match=r"There is no expectation suite 'x_raw'.* holds s_raw"):
        load_suite(tmp_path, "x_raw")


def test_a_suite_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s_raw.json").write_text("{")
    with pytest.raises(SuiteError, match="It is not JSON"):
        load_suite(tmp_path, "s_raw")


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (about("expect_column_values_to_be_purple", column="a"), "Great Expectations knows no such type"),
        (about("expect_column_values_to_be_between", column="a", minimum=0), "its arguments are refused"),
        (about("expect_column_values_to_be_between", min_value=0), "its arguments are refused"),
        (about("expect_column_mean_to_be_between", "warning", column="a", min_value=0), "it names no rows"),
        (about("expect_table_row_count_to_be_between", "warning", min_value=0), "it names no rows"),
    ],
)
def test_a_rule_that_great_expectations_would_drop_is_refused(
    broken: dict[str, Any], detail: str, tmp_path: Path
) -> None:
    suite = load_suite(written(tmp_path, GOOD, broken), "s_raw")
    with pytest.raises(SuiteError, match=f"Expectation 1 .*{detail}"):
        build(suite)


FRAME = pd.DataFrame(
    {"a": [1.0, -5.0, None, -7.0], "b": [np.nan] * 4, "s": ["x", "y", None, "secret"], "k": [1, 1, 2, 3], "c": [1] * 4}
)


def judged(folder: Path, *rules: dict[str, Any]) -> Any:
    return judge(FRAME, load_suite(written(folder, *rules), "s_raw"))


def test_a_critical_failure_quarantines_the_batch_and_tells_the_extremes(tmp_path: Path) -> None:
    answer = judged(tmp_path, GOOD)
    assert answer.verdict == "quarantine_batch"
    assert [str(reason) for reason in answer.reasons] == ["RANGE a: found -7 to -5, expected at least 0 (2 rows)."]


def test_warnings_quarantine_their_rows_each_once(tmp_path: Path) -> None:
    answer = judged(
        tmp_path,
        rule(severity="warning"),
        about("expect_column_values_to_be_in_set", "warning", column="s", value_set=["x", "y"]),
    )
    assert (answer.verdict, answer.rows.tolist()) == ("quarantine_rows", [1, 3])
    assert [str(reason) for reason in answer.reasons] == [
        "RANGE a: found -7 to -5, expected at least 0 (2 rows).",
        "CATEGORY s: found other values, expected one of x, y (1 row).",
    ]


def test_info_is_a_remark(tmp_path: Path) -> None:
    answer = judged(tmp_path, rule(severity="info"))
    assert (answer.verdict, answer.reasons, len(answer.notes), answer.rows.tolist()) == ("pass", (), 1, [])


@pytest.mark.parametrize("severity", ["critical", "warning"])
@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_column_values_to_be_between", {"column": "b", "min_value": 0}),
        ("expect_column_values_to_be_in_set", {"column": "b", "value_set": [1]}),
        ("expect_column_values_to_be_unique", {"column": "b"}),
    ],
)
def test_a_rule_that_finds_no_value_has_not_judged_and_blocks(
    kind: str, kwargs: dict[str, Any], severity: str, tmp_path: Path
) -> None:
    """Great Expectations calls each of these a success."""
    answer = judged(tmp_path, about(kind, severity, **kwargs))
    assert answer.verdict == "quarantine_batch"
    assert [(reason.code, reason.found) for reason in answer.reasons] == [("NOT_JUDGED", "no value at all in b")]


@pytest.mark.parametrize("severity", ["critical", "warning"])
@pytest.mark.parametrize(
    ("kwargs", "found"),
    [
        ({"column": "gone", "min_value": 0}, "expect_column_values_to_be_between broke: MetricResolutionError"),
        ({"column": "s", "min_value": 0}, "expect_column_values_to_be_between broke: MetricResolutionError"),
    ],
)
def test_a_rule_that_breaks_has_not_judged_and_blocks_and_quotes_no_value(
    kwargs: dict[str, Any], found: str, severity: str, tmp_path: Path
) -> None:
    answer = judged(tmp_path, about("expect_column_values_to_be_between", severity, **kwargs))
    assert answer.verdict == "quarantine_batch"
    assert [(reason.code, reason.found) for reason in answer.reasons] == [("NOT_JUDGED", found)]


def test_an_empty_frame_is_never_passed_by_a_rule_on_values(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, GOOD), "s_raw")
    assert judge(FRAME.head(0), suite).verdict == "quarantine_batch"


def test_a_null_rate_is_told_in_percent(tmp_path: Path) -> None:
    answer = judged(tmp_path, about("expect_column_values_to_not_be_null", column="s", mostly=0.9))
    assert [str(reason) for reason in answer.reasons] == [
        "NULL_RATE s: found 25.00 % otherwise, expected a value in 90.0% of the rows at least (1 row)."
    ]


def test_rows_are_named_for_rules_over_several_columns(tmp_path: Path) -> None:
    answer = judged(
        tmp_path,
        about("expect_compound_columns_to_be_unique", "warning", column_list=["k", "c"]),
        about("expect_column_pair_values_to_be_equal", "warning", column_A="a", column_B="k"),
    )
    assert answer.verdict == "quarantine_rows"
    assert [reason.code for reason in answer.reasons] == ["UNIQUE", "CROSS_FIELD"]


def test_the_page_about_the_suites_is_current() -> None:
    assert (ROOT / "expectations/README.md").read_text() == page(ROOT / "expectations"), "run `make docs`"
