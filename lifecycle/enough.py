"""Whether the parts of a split have rows, classes and groups enough. Too few are said, never guessed around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifecycle.batch import Reason
from lifecycle.grounds import Ground
from lifecycle.metrics import Floats, TaskKind

if TYPE_CHECKING:
    from lifecycle.training import Keys, Split, TrainingPolicy


def shortages(
    policy: TrainingPolicy, task: TaskKind, found: Split, label: Floats, groups: Keys | None
) -> tuple[Reason, ...]:
    """Return why a split of labels (n,) can decide nothing, `groups` (n,) where rows have them; nothing when it can."""
    return (*_too_small(policy, task, found, label), *_too_few_to_judge(policy, task, found, label, groups))


def _too_small(policy: TrainingPolicy, task: TaskKind, found: Split, label: Floats) -> tuple[Reason, ...]:
    """Name every part that is too small, or that has one class only."""
    train = len(found.fit) + len(found.stopping)
    sizes = (("train", train, policy.min_rows), ("holdout", len(found.holdout), policy.min_holdout_rows))
    reasons = [
        Reason(Ground.TOO_FEW_ROWS, None, f"{rows} rows to {part}", f"at least {least}", rows)
        for part, rows, least in sizes
        if rows < least
    ]
    for part, rows in (("fit", found.fit), ("early stopping", found.stopping), ("holdout", found.holdout)):
        classes = len(np.unique(label[rows]))
        if classes < 2 and (task in ("binary", "multiclass") or part == "fit"):  # noqa: PLR2004  # nothing to tell apart
            reasons.append(
                Reason(Ground.ONE_CLASS, None, f"{classes} different labels in {part}", "at least 2", len(rows))
            )
    return tuple(reasons)


def _too_few_to_judge(
    policy: TrainingPolicy, task: TaskKind, found: Split, label: Floats, groups: Keys | None
) -> tuple[Reason, ...]:
    """Name a class that too few rows of the holdout have, and too few groups: then nothing can be told from luck."""
    reasons = []
    _, counts = np.unique(label[found.holdout], return_counts=True)
    rarest = int(counts.min()) if len(counts) else 0
    if task == "binary" and len(counts) > 1 and rarest < policy.min_holdout_per_class:
        least = f"at least {policy.min_holdout_per_class} of each"
        reasons.append(
            Reason(Ground.TOO_FEW_OF_A_CLASS, None, f"{rarest} rows of the rarer class to judge", least, rarest)
        )
    if groups is not None and (there := len(np.unique(groups[found.holdout]))) < policy.min_holdout_groups:
        seen = f", {found.torn} rows left out whose group was known before" if found.torn else ""
        least = f"at least {policy.min_holdout_groups}"
        reasons.append(Reason(Ground.TOO_FEW_GROUPS, None, f"{there} groups to judge{seen}", least, len(found.holdout)))
    return tuple(reasons)
