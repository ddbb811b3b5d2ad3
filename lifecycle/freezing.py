"""A freeze: the last word about it in the control record, and the one question everybody asks. Pure.

A frozen product serves, and its traffic may be given back; nothing else begins. Deliveries stay in the landing zone,
nothing is trained, nothing follows from a breach, no release goes on. What is at work when the word comes ends as it
would have. Saying the word is `lifecycle/orders.py`, finding what waited is `lifecycle/repair.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lifecycle.batch import Reason
from lifecycle.findings import Finding

if TYPE_CHECKING:
    from lifecycle.control import ControlRecord

FROZEN = "Frozen"
"""The state's name of a run that found its product frozen and ended at once."""


class FreezeWord(BaseModel):
    """Who froze a product last, or ended its freeze. `times`: how many freezes there have been, this one included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    by: str
    reason: str
    times: Annotated[int, Field(ge=1)]


def stopped(record: ControlRecord) -> Reason | None:
    """Return why nothing but serving may begin, or None when it may."""
    if not record.frozen:
        return None
    word = record.freeze
    since = f" since {word.at:%Y-%m-%d %H:%M:%S} UTC by {word.by}: {word.reason.rstrip('.')}" if word else ""
    expected = f"nothing that stops it; `tropism unfreeze {record.product}`"
    return Reason(Finding.FROZEN, None, f"the product is frozen{since}", expected)


def thaw_of(record: ControlRecord) -> FreezeWord | None:
    """Return the word that ended the last freeze; None while there is one, or when there never was."""
    return None if record.frozen else record.freeze
