"""What the page about a product is made from: everything that was read, at one moment. Pure.

Reading it is `tasks/page_reading.py`; a part that is not there yet is empty or None, and its panel says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lifecycle.control import ControlRecord
from lifecycle.cost import Bill
from lifecycle.delivery import Delivery
from lifecycle.episodes import Watch
from lifecycle.ledger import Entry
from lifecycle.log_part import LogPart, Window
from lifecycle.looks import Look
from lifecycle.profiles import Reference
from lifecycle.spec import Product


@dataclass(frozen=True)
class Source:
    """Everything known. `entries` oldest first, `deliveries` newest first, `looks` oldest first, `parts` newest first.

    `delivered`: how many deliveries there are in all; `looked`: how many looks, of which `looks` are a selection.
    `window`: the requests of the model that serves which its inputs are compared by. `fault`: why its bundle could not
    be opened.
    """

    product: Product
    now: datetime
    record: ControlRecord
    entries: tuple[Entry, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    delivered: int = 0
    looks: tuple[Look, ...] = ()
    looked: int = 0
    watch: Watch = field(default_factory=Watch)
    parts: tuple[LogPart, ...] = ()
    reference: Reference | None = None
    window: Window | None = None
    fault: str = ""
    bill: Bill | None = None

    @property
    def name(self) -> str:
        """Return the product's name."""
        return self.product.name

    @property
    def last_look(self) -> Look | None:
        """Return the newest look, or None."""
        return self.looks[-1] if self.looks else None

    def versions(self) -> Mapping[str, str]:
        """Return which model version a bundle was, of those the ledger or the record know."""
        told = {str(one.evidence["bundle"]): one.to for one in self.entries if one.to and one.evidence.get("bundle")}
        places = (self.record.previous, self.record.challenger, self.record.champion)
        return {**told, **{one.bundle: one.model_version for one in places if one is not None}}
