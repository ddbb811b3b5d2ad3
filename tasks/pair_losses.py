"""What labels say of a release: the losses of both models on rows both scored, out of the log and the label files.

Labels are read into the bucket by `tasks/labels.take`. Everything is read anew when some came since the last look,
and nothing is when none did. The comparison is `lifecycle/paired_labels.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from lifecycle.control import Rollout
from lifecycle.counting import Frame, is_live
from lifecycle.paired_labels import Ruler, weigh
from lifecycle.pairs import Pairs, pairs_of
from lifecycle.sequential import PairedBets
from tasks import labels, predictions
from tasks.step import note


def losses(
    bucket: str, product: str, rollout: Rollout, frame: Frame, ruler: Ruler, now: datetime, *, overlap: timedelta
) -> PairedBets | None:
    """Return the bets on every pair of the release whose label is known; None while there is none.

    Labels that came up to `overlap` before the last look count as new, since their rows may have come after it. A
    second call finds the same. Raises ServiceError when the log cannot be read.
    """
    since, known = min(window.since for window in rollout.windows), rollout.evidence.labels
    if not labels.came_since(bucket, product, rollout.counted_until - overlap, now, reach=now - since):
        return known
    book = labels.book(bucket, product, now, now - since)
    found = weigh(ruler, book, _pairs(bucket, product, frame, since, now))
    note("labels.weighed", product=product, labels=len(book.current), pairs=found.pairs, log_e=round(found.log_e, 3))
    return found if found.pairs else None


def _pairs(bucket: str, product: str, frame: Frame, since: datetime, now: datetime) -> Iterator[Pairs]:
    own, shadow = frame.bundles
    for record in predictions.answered(bucket, product, since, now):
        if record.shadow is None or not is_live(record) or frame.step_of(record.at) is None:
            continue
        if frame.arm_of(record.function_version) == "challenger":
            pairs = pairs_of(record, own=own, shadow=shadow)
            if pairs is not None:
                yield pairs
