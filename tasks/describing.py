"""An expectation and its result in words: which code, what was found, what was expected.

Numbers may be told by their extremes; the text of a row never is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lifecycle.codes import Code
from lifecycle.faults import Positions
from tasks.suites import Rule

if TYPE_CHECKING:
    import pandas as pd

_CODES = (
    ("row_count", Code.ROW_COUNT),
    ("columns_to_match", Code.COLUMNS),
    ("column_count", Code.COLUMNS),
    ("column_to_exist", Code.COLUMNS),
    ("column_pair", Code.CROSS_FIELD),
    ("multicolumn", Code.CROSS_FIELD),
    ("null", Code.NULL_RATE),
    *(
        (part, Code.DISTRIBUTION)
        for part in ("mean", "median", "stdev", "quantile", "sum_to", "divergence", "z_scores")
    ),
    ("unique_value_count", Code.DISTRIBUTION),
    ("proportion_of", Code.DISTRIBUTION),
    ("unique", Code.UNIQUE),
    ("lengths", Code.LENGTH),
    ("regex", Code.PATTERN),
    ("like_pattern", Code.PATTERN),
    ("strftime", Code.PATTERN),
    ("in_set", Code.CATEGORY),
    ("contain_set", Code.CATEGORY),
    ("equal_set", Code.CATEGORY),
    ("values_to_be_between", Code.RANGE),
    ("min_to", Code.RANGE),
    ("max_to", Code.RANGE),
    ("of_type", Code.TYPE),
    ("in_type_list", Code.TYPE),
)
_MOST_LISTED = 20
_DIGITS = 6
_SEPARATED = 10_000  # a year reads as a year, a count as a count


def code_of(rule: Rule) -> Code:
    """Return the code of a rule's reasons: its own, or the one of its kind."""
    return rule.code or next((code for part, code in _CODES if part in rule.type), Code.EXPECTATION)


def expected(rule: Rule) -> str:
    """Say what a rule expects, with its tolerance."""
    kwargs, mostly = rule.kwargs, rule.kwargs.get("mostly")
    tolerance = "" if mostly in (None, 1, 1.0) else f", {mostly:.1%} of the rows at least"
    if "null" in rule.type:
        where = f"{mostly:.1%} of the rows at least" if tolerance else "every row"
        return f"{'no value' if rule.type.endswith('_to_be_null') else 'a value'} in {where}"
    if "regex" in kwargs:
        return f"text like {kwargs['regex']}{tolerance}"
    if "value_set" in kwargs:
        return f"one of {_listed(kwargs['value_set'])}{tolerance}"
    if "quantile_ranges" in kwargs:
        ranges = kwargs["quantile_ranges"]
        both = zip(ranges["quantiles"], ranges["value_ranges"], strict=True)
        return ", ".join(f"q{share:g} {_between(low, high)}" for share, (low, high) in both)
    if {"min_value", "max_value"} & set(kwargs):
        return f"{_measure(rule.type)}{_between(kwargs.get('min_value'), kwargs.get('max_value'))}{tolerance}"
    return f"{rule.type.removeprefix('expect_').replace('_', ' ')}{_others(kwargs)}{tolerance}"


def found(frame: pd.DataFrame, rule: Rule, result: dict[str, Any], rows: Positions | None) -> str:
    """Say what a failed rule found."""
    observed = result.get("observed_value")
    if isinstance(observed, dict) and "values" in observed:
        both = zip(observed["quantiles"], observed["values"], strict=True)
        return ", ".join(f"q{share:g} {_number(value)}" for share, value in both)
    if observed is not None:
        what = _listed(observed) if isinstance(observed, list) else _number(observed)
        return f"{_measure(rule.type)}{what}"
    if rows is None:
        return "no value to judge by"
    if "null" in rule.type:
        return f"{result['unexpected_percent']:.2f} % otherwise"
    column = rule.kwargs.get("column")
    values = frame[column].iloc[rows].dropna() if column in frame else None
    if values is not None and len(values) and values.dtype.kind in "iuf":
        low, high = values.min(), values.max()
        return _number(low) if low == high else f"{_number(low)} to {_number(high)}"
    return "other values"


def _measure(kind: str) -> str:
    """Return "mean " for expect_column_mean_to_be_between, and nothing where the values themselves are meant."""
    if "row_count" in kind:
        return "rows "
    name = kind.removeprefix("expect_column_").removesuffix("_to_be_between").replace("_", " ")
    return "" if kind.startswith("expect_column_values") or name.startswith("expect") else f"{name} "


def _between(low: object, high: object) -> str:
    if low is None or high is None:
        return f"at most {_number(high)}" if low is None else f"at least {_number(low)}"
    return f"{_number(low)} to {_number(high)}"


def _number(value: object) -> str:
    if isinstance(value, str) or value is None:
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    separator = "," if abs(number) >= _SEPARATED else ""
    return f"{int(number):{separator}}" if number.is_integer() else f"{number:{separator}.{_DIGITS}g}"


def _listed(values: list[Any]) -> str:
    more = len(values) - _MOST_LISTED
    return ", ".join(map(str, values[:_MOST_LISTED])) + (f" and {more} more" if more > 0 else "")


def _others(kwargs: dict[str, Any]) -> str:
    rest = {key: value for key, value in kwargs.items() if not key.startswith("column") and key != "mostly"}
    return f" {json.dumps(rest, sort_keys=True, default=str)}" if rest else ""
