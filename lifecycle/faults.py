"""Which rows of a delivery stay, which are held back and why, and when so many are bad that the rest is not trusted.

Rows are positions from 0 in the order of the delivery. Every row is counted once: validated or quarantined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.batch import Reason, RowCounts
from lifecycle.codes import Code

Positions = NDArray[np.int64]

# A repeat says nothing about the rows around it, so it does not count against the product's limit of bad rows.
_HARMLESS = frozenset({Code.DUPLICATE_ROW, Code.REPEATED_HEADER})


@dataclass(frozen=True)
class RowFault:
    """One thing that is wrong with some rows."""

    code: Code
    column: str | None
    found: str
    expected: str
    rows: Positions

    @property
    def reason(self) -> Reason:
        """Say it without the rows."""
        return Reason(self.code, self.column, self.found, self.expected, len(self.rows))


@dataclass(frozen=True)
class Settled:
    """What became of the rows. With a `refusal` the whole batch is refused; else `kept` are the rows to publish."""

    kept: NDArray[np.bool_]
    reasons: tuple[Reason, ...]
    refusal: Reason | None

    @property
    def counts(self) -> RowCounts:
        """Return where the rows went."""
        received = len(self.kept)
        validated = 0 if self.refusal else int(np.count_nonzero(self.kept))
        return RowCounts(received, validated, received - validated)


def settle(received: int, faults: Sequence[RowFault], max_share: float) -> Settled:
    """Decide which of `received` rows stay. Above `max_share` of bad rows, or with none left, none do."""
    kept = np.ones(received, dtype=bool)
    repeats = np.zeros(received, dtype=bool)
    for fault in faults:
        kept[fault.rows] = False
        if fault.code in _HARMLESS:
            repeats[fault.rows] = True
    looked_at = received - int(np.count_nonzero(repeats))
    bad = int(np.count_nonzero(~kept & ~repeats))
    return Settled(kept, tuple(fault.reason for fault in faults), _refusal(looked_at, bad, max_share))


def _refusal(looked_at: int, bad: int, max_share: float) -> Reason | None:
    if not looked_at:
        return Reason(Code.NO_ROWS, None, "no rows", "at least one")
    if bad > max_share * looked_at:
        found = f"{bad:,} of {looked_at:,} rows bad ({bad / looked_at:.1%})"
        return Reason(Code.TOO_MANY_BAD_ROWS, None, found, f"at most {max_share:.1%}", bad)
    return None
