"""A freeze as `tropism status` tells it: since when, why, and what waits for its end. Read-only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli import output
from cli.shapes import Freeze, Zones

if TYPE_CHECKING:
    from lifecycle.control import ControlRecord
    from lifecycle.ledger import Entry


def freeze(bucket: str, record: ControlRecord, zones: Zones) -> Freeze | None:
    """Return what a product's freeze holds up, or None when it is not frozen."""
    if not record.frozen:
        return None
    from lifecycle.repair import unnamed
    from tasks import claim, ledger, missed

    entries, now, word = ledger.entries(bucket, record.product), datetime.now(UTC), record.freeze
    return Freeze(
        since=output.stamp(word.at) if word else None,
        by=word.by if word else None,
        reason=word.reason if word else None,
        deliveries=zones.landing,
        batches=len(unnamed(missed.validated(bucket, record.product).published, entries)),
        training=claim.waits_since(bucket, record.product, now),
        model=_model(record, entries, now),
    )


def facts(found: Freeze) -> list[tuple[str, str]]:
    """Return what people read of a freeze."""
    told = [("frozen", f"since {found.since} by {found.by}: {found.reason}" if found.since else "yes")]
    waits = [
        f"{found.deliveries} landed" if found.deliveries else "",
        f"{found.batches} validated that no model was trained on" if found.batches else "",
        "a training" if found.training else "",
        f"the release of model {found.model}" if found.model else "",
    ]
    return [*told, ("waits", ", ".join(one for one in waits if one) or "nothing")]


def _model(record: ControlRecord, entries: tuple[Entry, ...], now: datetime) -> str | None:
    """Return the model whose release would begin if there were no freeze."""
    from lifecycle.repair import GRACE, WakeRelease, missed_release

    found = missed_release(record.model_copy(update={"frozen": False}), entries, now + GRACE)
    begun = record.rollout is not None and bool(record.rollout.windows)
    return found.model_version if isinstance(found, WakeRelease) and not begun else None
