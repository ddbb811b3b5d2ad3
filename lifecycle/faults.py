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

# A repeat or a row of another period says nothing about the rows around it, so neither counts against the product's
# limit of bad rows.
_HARMLESS = frozenset({Code.DUPLICATE_ROW, Code.REPEATED_HEADER, Code.PERIOD})


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
    harmless = np.zeros(received, dtype=bool)
    astray = 0
    for fault in faults:
        kept[fault.rows] = False
        if fault.code in _HARMLESS:
            harmless[fault.rows] = True
        if fault.code is Code.PERIOD:
            astray += len(fault.rows)
    looked_at = received - int(np.count_nonzero(harmless))
    bad = int(np.count_nonzero(~kept & ~harmless))
    refusal = _misnamed(received, astray) or _refusal(looked_at, bad, max_share)
    return Settled(kept, tuple(fault.reason for fault in faults), refusal)


def _misnamed(received: int, astray: int) -> Reason | None:
    """Return why a file is not of the period its name tells: most of its rows are of others."""
    if 2 * astray <= received:
        return None
    found = f"{astray:,} of {received:,} rows of other periods"
    return Reason(Code.PERIOD, None, found, "a file of the period its name tells", astray)


def _refusal(looked_at: int, bad: int, max_share: float) -> Reason | None:
    if not looked_at:
        return Reason(Code.NO_ROWS, None, "no rows", "at least one")
    if bad > max_share * looked_at:
        found = f"{bad:,} of {looked_at:,} rows bad ({bad / looked_at:.1%})"
        return Reason(Code.TOO_MANY_BAD_ROWS, None, found, f"at most {max_share:.1%}", bad)
    return None
