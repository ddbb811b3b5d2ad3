"""An expectation suite as text: one rule after the other, as people review it.

What a rule means is Great Expectations' business, and reading a suite back is `tasks/suites.py`.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from lifecycle.quality import Severity

_COLUMN_KEYS = ("column", "column_A", "column_B", "column_list", "column_set")


@dataclass(frozen=True)
class Expectation:
    """One rule as it is written down."""

    type: str
    severity: Severity
    kwargs: Mapping[str, object]
    why: str
    code: str = ""

    def to_json(self) -> str:
        """Return the rule as a suite file writes it."""
        about = {"code": self.code, "why": self.why} if self.code else {"why": self.why}
        return _rule({"type": self.type, "severity": self.severity, "kwargs": dict(self.kwargs), "meta": about})


def to_text(name: str, about: str, rules: Sequence[Expectation]) -> str:
    """Return a suite file."""
    listed = ",\n".join(rule.to_json() for rule in rules)
    return f'{{\n "name": {_json(name)},\n "meta": {{"about": {_json(about)}}},\n "expectations": [\n{listed}\n ]\n}}\n'


def edited(text: str, gone: Container[str], new: Sequence[Expectation]) -> str:
    """Return a suite file without the rules that look at some columns, and with new rules at its end.

    A file that stays as it is keeps its form. Raises ValueError when no rule would be left.
    """
    suite = json.loads(text)
    kept = [rule for rule in suite["expectations"] if not any(name in gone for name in columns_of(rule["kwargs"]))]
    if len(kept) == len(suite["expectations"]) and not new:
        return text
    if not kept and not new:
        raise ValueError("no rule would be left, and an empty suite lets everything pass")
    head = "".join(f" {_json(key)}: {_json(value)},\n" for key, value in suite.items() if key != "expectations")
    listed = ",\n".join([*(_rule(rule) for rule in kept), *(rule.to_json() for rule in new)])
    return f'{{\n{head} "expectations": [\n{listed}\n ]\n}}\n'


def columns_of(kwargs: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns that a rule looks at; none for a rule on the whole table."""
    named = (kwargs.get(key) for key in _COLUMN_KEYS)
    return tuple(str(name) for value in named if value for name in ([value] if isinstance(value, str) else value))  # type: ignore[attr-defined]


def _rule(raw: Mapping[str, object]) -> str:
    lines = [f"   {_json(key)}: {_json(value)}" for key, value in raw.items()]
    return "  {\n" + ",\n".join(lines) + "\n  }"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
