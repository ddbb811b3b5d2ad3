"""The codes of every reason a challenger is promoted, refused, the same again, or cannot be judged.

Scripts and people rely on the codes; the sentences around them may change. A code is never reused.
"""

from __future__ import annotations

from enum import StrEnum


class Ground(StrEnum):
    """Why the promotion gate decided as it did."""

    # promoted
    NO_CHAMPION = "NO_CHAMPION"  # the first model: every floor holds
    BETTER = "BETTER"
    NOT_INFERIOR = "NOT_INFERIOR"
    # refused
    LEAK = "LEAK"  # a feature alone predicts the label
    FLOOR = "FLOOR"
    SLICE = "SLICE"  # a slice of sufficient size lost more than its margin
    NOT_SIGNIFICANT = "NOT_SIGNIFICANT"  # the interval of the improvement reaches zero
    TOO_SMALL = "TOO_SMALL"  # better for sure, and by less than the minimum effect
    INFERIOR = "INFERIOR"
    # no change
    IDENTICAL = "IDENTICAL"
    # undecidable
    NO_LABELS = "NO_LABELS"
    TOO_FEW_ROWS = "TOO_FEW_ROWS"
    ONE_CLASS = "ONE_CLASS"
    TOO_FEW_OF_A_CLASS = "TOO_FEW_OF_A_CLASS"  # the rarer class has too few rows to judge by
    TOO_FEW_GROUPS = "TOO_FEW_GROUPS"  # too few groups to judge by
    NOT_COMPUTABLE = "NOT_COMPUTABLE"
    NO_INTERVAL = "NO_INTERVAL"
    NOT_PAIRED = "NOT_PAIRED"
    CHAMPION_CANNOT_SCORE = "CHAMPION_CANNOT_SCORE"
    FEATURES_REFUSED = "FEATURES_REFUSED"  # the features' own suite found something critical


PASSES = frozenset({Ground.BETTER, Ground.NOT_INFERIOR})
