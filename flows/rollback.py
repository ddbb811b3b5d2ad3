"""Roll back: give the traffic to a model that served before. What that takes is `flows/going_back.py`."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from flows.following import Work
from flows.going_back import RolledBack, carry_out
from lifecycle.control import Actor
from lifecycle.reversal import Wish
from tasks.clients import settings
from tasks.step import as_task


@flow(name="rollback")
def rollback(
    product: str, reason: str, to: str | None = None, actor: str = "unknown", retry_of: str | None = None
) -> RolledBack:
    """Give the traffic to a model that served before; repeated for the same run, it goes back one step only."""
    identity = flow_run.get_id() or "unknown"
    work = Work(as_task, settings(), product, Actor(actor, datetime.now(UTC), cause="rollback"))
    return carry_out(work, Wish(retry_of or identity, reason), to)
