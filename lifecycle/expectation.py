"""An expectation suite as text: one rule after the other, as people review it.

What a rule means is Great Expectations' business, and reading a suite back is `tasks/suites.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lifecycle.quality import Severity


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
        lines = [
            f'   "type": {_json(self.type)},',
            f'   "severity": {_json(self.severity)},',
            f'   "kwargs": {_json(dict(self.kwargs))},',
            f'   "meta": {_json(about)}',
        ]
        return "\n".join(["  {", *lines, "  }"])


def to_text(name: str, about: str, rules: Sequence[Expectation]) -> str:
    """Return a suite file."""
    listed = ",\n".join(rule.to_json() for rule in rules)
    return f'{{\n "name": {_json(name)},\n "meta": {{"about": {_json(about)}}},\n "expectations": [\n{listed}\n ]\n}}\n'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
