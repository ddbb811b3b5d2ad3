"""Expectation suites as reviewed JSON: read strictly, because Great Expectations drops what it does not understand.

It logs an unknown type or severity and removes the rule; an empty suite passes everything. Here each of these
is a SuiteError. The first reading needs nothing but the standard library; `build` asks Great Expectations.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lifecycle.codes import Code
from lifecycle.errors import SuiteError
from lifecycle.expectation import columns_of
from lifecycle.quality import SEVERITIES, Severity

if TYPE_CHECKING:
    import great_expectations as gx

_NAME = re.compile(r"[a-z0-9_-]+")  # a dot or a slash breaks Great Expectations' own keys
_RULE = re.compile(r"expect_[a-z0-9_]+")
_KEYS = {"type", "kwargs", "severity", "meta"}


@dataclass(frozen=True)
class Rule:
    """One expectation as it is written down. `why` is for whoever meets it failing; `code` names its reasons."""

    type: str
    severity: Severity
    why: str
    code: Code | None
    kwargs: dict[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns it looks at; none for a rule on the whole table."""
        return columns_of(self.kwargs)


@dataclass(frozen=True)
class Suite:
    """A reviewed suite and the sha256 hex of the file it was read from."""

    name: str
    sha256: str
    rules: tuple[Rule, ...]
    source: str = field(repr=False)


def load_suite(expectations: Path, name: str) -> Suite:
    """Read `<name>.json`. Raises SuiteError naming the file, the rule and what is expected."""
    path = expectations / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in expectations.glob("*.json"))) or "no suite"
        raise SuiteError(
            f"There is no expectation suite {name!r}, so nothing can be judged by it.",
            detail=f"{expectations} holds {known}.",
            resolution=f"Write {path}.",
        )
    body = path.read_bytes()
    try:
        raw = json.loads(body)
    except ValueError as error:
        raise _wrong(path, f"it is not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("name") != name or not _NAME.fullmatch(name):
        raise _wrong(path, f"its name is not {name!r}, of small letters, digits, - and _")
    if "id" in raw or set(raw) - {"name", "meta", "expectations"}:
        raise _wrong(path, "it holds more than name, meta and expectations; ids are not committed")
    rules = raw.get("expectations")
    if not isinstance(rules, list) or not rules:
        raise _wrong(path, "it has no expectations, and an empty suite lets everything pass")
    read = tuple(_rule(path, at, rule) for at, rule in enumerate(rules))
    _refuse_shared_quantiles(path, read)
    return Suite(name, sha256(body).hexdigest(), read, str(path))


def without_rules_on(suite: Suite, column: str) -> Suite:
    """Return a suite without the rules that look at a column. Raises SuiteError when none is left to judge by."""
    rules = tuple(rule for rule in suite.rules if column not in rule.columns)
    if not rules:
        raise _wrong(Path(suite.source), f"without {column!r} it has no expectations, and lets everything pass")
    return replace(suite, rules=rules)


def build(suite: Suite) -> gx.ExpectationSuite:
    """Return Great Expectations' own suite. Raises SuiteError for a rule it does not know or would drop.

    Each rule's place in the file goes with it as `meta.rule`, since results come in another order.
    """
    import great_expectations as gx  # noqa: PLC0415  3 seconds and 280 MB
    from great_expectations.exceptions import ExpectationNotFoundError, GreatExpectationsError  # noqa: PLC0415
    from great_expectations.expectations.registry import get_expectation_impl  # noqa: PLC0415

    built = []
    for at, rule in enumerate(suite.rules):
        try:
            kind = get_expectation_impl(rule.type)
            if rule.severity == "warning" and not _names_rows(kind):
                raise _wrong_rule(suite.source, at, rule.type, "it names no rows; a warning needs rows to hold back")
            built.append(kind(severity=rule.severity, meta={"why": rule.why, "rule": at}, **rule.kwargs))
        except ExpectationNotFoundError as error:
            raise _wrong_rule(suite.source, at, rule.type, "Great Expectations knows no such type") from error
        except (GreatExpectationsError, ValueError, TypeError) as error:
            raise _wrong_rule(suite.source, at, rule.type, f"its arguments are refused: {error}") from error
    whole = gx.ExpectationSuite(name=suite.name, expectations=built)
    if len(whole.expectations) != len(suite.rules):
        dropped = len(suite.rules) - len(whole.expectations)
        raise _wrong(Path(suite.source), f"Great Expectations dropped {dropped} of {len(suite.rules)} expectations")
    return whole


def _refuse_shared_quantiles(path: Path, rules: tuple[Rule, ...]) -> None:
    """Refuse two rules on quantiles of one column: 1.24 computes the first one's and judges both by them."""
    seen: set[str] = set()
    for at, rule in enumerate(rules):
        column = str(rule.kwargs.get("column"))
        if "quantile_values" in rule.type and column in seen:
            raise _wrong_rule(str(path), at, rule.type, f"{column!r} has another such rule; put all quantiles into one")
        if "quantile_values" in rule.type:
            seen.add(column)


def _names_rows(kind: type) -> bool:
    from great_expectations.expectations import expectation  # noqa: PLC0415

    by_row = (
        expectation.ColumnMapExpectation,
        expectation.ColumnPairMapExpectation,
        expectation.MulticolumnMapExpectation,
    )
    return issubclass(kind, by_row)


def _rule(path: Path, at: int, raw: object) -> Rule:
    if not isinstance(raw, dict) or not _RULE.fullmatch(str(raw.get("type"))):
        raise _wrong_rule(str(path), at, "", "it has no type that starts with `expect_`")
    kind, meta = raw["type"], raw.get("meta")
    if strange := sorted(set(raw) - _KEYS):
        raise _wrong_rule(str(path), at, kind, f"it has {', '.join(strange)}; ids are not committed")
    if raw.get("severity") not in SEVERITIES:
        raise _wrong_rule(str(path), at, kind, f"its severity is none of {', '.join(SEVERITIES)}")
    if not isinstance(raw.get("kwargs"), dict):
        raise _wrong_rule(str(path), at, kind, "it has no kwargs")
    if not isinstance(meta, dict) or not str(meta.get("why") or "").strip():
        raise _wrong_rule(str(path), at, kind, "meta.why does not say why")
    if (code := meta.get("code")) is not None and code not in set(Code):
        raise _wrong_rule(str(path), at, kind, f"meta.code {code!r} is no code of a reason")
    return Rule(kind, cast("Severity", raw["severity"]), meta["why"], Code(code) if code else None, raw["kwargs"])


def _wrong(path: Path, what: str) -> SuiteError:
    return SuiteError(
        f"The suite {path} cannot be used.", detail=f"{what[0].upper()}{what[1:]}.", resolution="Mend the file."
    )


def _wrong_rule(source: str, at: int, kind: str, what: str) -> SuiteError:
    which = f"Expectation {at} ({kind})" if kind else f"Expectation {at}"
    return SuiteError(f"The suite {source} cannot be used.", detail=f"{which}: {what}.", resolution="Mend the file.")
