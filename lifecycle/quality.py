"""What failed expectations mean for a batch: it passes, some of its rows are held back, or all of it is.

critical: the batch is quarantined. warning: the rows the rule names are quarantined. info: a remark. A rule that
cannot judge (it broke, it saw no value, it names no rows to hold back) never lets a batch pass, unless it is info.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from lifecycle.batch import Reason
from lifecycle.faults import Positions

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
QualityVerdict = Literal["pass", "quarantine_rows", "quarantine_batch"]


@dataclass(frozen=True)
class Finding:
    """One expectation that did not hold. `rows` are positions in the frame, None when the rule names none."""

    rule: str
    severity: Severity
    reason: Reason
    rows: Positions | None = None

    @property
    def blocks(self) -> bool:
        """Say whether the whole batch is held back: it is critical, or a warning that cannot say which rows."""
        return self.severity == "critical" or (self.severity == "warning" and self.rows is None)


@dataclass(frozen=True)
class Judgement:
    """What a suite says about a frame. `reasons` explain the verdict, `notes` are remarks; `findings` are all of it."""

    suite: str
    suite_sha256: str
    evaluated: int
    findings: tuple[Finding, ...] = field(repr=False)

    @property
    def verdict(self) -> QualityVerdict:
        """Return the gravest consequence."""
        if any(finding.blocks for finding in self.findings):
            return "quarantine_batch"
        return "quarantine_rows" if any(finding.severity == "warning" for finding in self.findings) else "pass"

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return why rows or the batch are held back, the gravest first."""
        held = [finding for finding in self.findings if finding.severity != "info"]
        return tuple(finding.reason for finding in sorted(held, key=lambda finding: not finding.blocks))

    @property
    def notes(self) -> tuple[Reason, ...]:
        """Return the remarks."""
        return tuple(finding.reason for finding in self.findings if finding.severity == "info")

    @property
    def rows(self) -> Positions:
        """Return the positions of the rows to hold back, ascending, each once."""
        return _union([finding.rows for finding in self.findings if finding.severity == "warning"])


def _union(parts: Sequence[Positions | None]) -> Positions:
    found = [part for part in parts if part is not None]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
