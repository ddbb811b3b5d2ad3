"""The gate: Great Expectations looks at a frame, and its results become findings of our own.

It runs in a context that lives in memory, keeps nothing and calls nobody. What the findings mean is decided in
`lifecycle/quality.py`; reading the suites is `tasks/suites.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lifecycle.batch import Reason
from lifecycle.codes import Code
from lifecycle.errors import SuiteError
from lifecycle.faults import Positions
from lifecycle.quality import Finding, Judgement
from tasks.describing import code_of, expected, found
from tasks.suites import Rule, Suite, build

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

# These say something about a column without any value; every other rule needs one to have judged.
_NEED_NO_VALUE = frozenset(
    {"expect_column_values_to_not_be_null", "expect_column_values_to_be_null", "expect_column_to_exist"}
)


def judge(frame: pd.DataFrame, suite: Suite) -> Judgement:
    """Judge a frame whose rows are numbered from 0. Raises SuiteError when a rule cannot be used at all.

    A rule that breaks on this frame, or finds no value to look at, has not judged: it counts as failed.
    """
    results = _validate(frame, suite)
    by_rule = {result.expectation_config.meta["rule"]: result for result in results}
    if sorted(by_rule) != list(range(len(suite.rules))):
        raise SuiteError(
            f"The suite {suite.name} was not judged to the end.",
            detail=f"{len(by_rule)} of {len(suite.rules)} expectations were evaluated.",
            resolution="Nothing passes by such a judgement. Look at the rules that are missing.",
        )
    findings = (_finding(frame, rule, by_rule[at]) for at, rule in enumerate(suite.rules))
    return Judgement(suite.name, suite.sha256, len(by_rule), tuple(found for found in findings if found is not None))


def _validate(frame: pd.DataFrame, suite: Suite) -> list[ExpectationValidationResult]:
    import great_expectations as gx  # noqa: PLC0415  3 seconds and 280 MB
    from great_expectations.data_context.types.base import (  # noqa: PLC0415
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    built = build(suite)
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(batch_parameters={"dataframe": frame})
    return list(batch.validate(built, result_format={"result_format": "COMPLETE"}).results)


def _finding(frame: pd.DataFrame, rule: Rule, result: ExpectationValidationResult) -> Finding | None:
    column = ", ".join(rule.columns) or None
    if broken := _exception(result.exception_info):
        reason = Reason(Code.NOT_JUDGED, column, f"{rule.type} broke: {broken}", expected(rule))
        return Finding(rule.type, rule.severity, reason)
    empty = [name for name in rule.columns if name in frame and not frame[name].notna().any()]
    if empty and rule.type not in _NEED_NO_VALUE:
        reason = Reason(Code.NOT_JUDGED, column, f"no value at all in {', '.join(empty)}", expected(rule))
        return Finding(rule.type, rule.severity, reason)
    if result.success:
        return None
    rows = _rows(result.result)
    told = found(frame, rule, result.result, rows)
    reason = Reason(code_of(rule), column, told, expected(rule), None if rows is None else len(rows))
    return Finding(rule.type, rule.severity, reason, rows)


def _rows(result: dict[str, Any]) -> Positions | None:
    listed = result.get("unexpected_index_list")
    return np.unique(np.asarray(listed, dtype=np.int64)) if listed else None


def _exception(info: dict[str, Any]) -> str | None:
    """Return the kind of exception a rule raised, else None. Its text may quote a row, so it is left out.

    Great Expectations reports either one exception or one per metric, each with its text and traceback.
    """
    reports = [info] if "raised_exception" in info else list(info.values())
    for report in reports:
        if report.get("raised_exception"):
            last = str(report.get("exception_traceback") or "").strip().rpartition("\n")[2]
            return last.partition(":")[0].rpartition(".")[2] or "an exception"
    return None
