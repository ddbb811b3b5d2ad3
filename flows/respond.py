"""Respond: do about a breach what fits its cause, at most as often as the product allows.

The event only wakes: what is in breach is read from the watch, what was done before from the ledger, what serves from
the control record. The act comes first and the ledger after it, both under the decision's key, so a run that dies and
runs again does nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.going_back import roll_back
from lifecycle import spec
from lifecycle.markup import sentence
from lifecycle.response import Action, Response
from lifecycle.response import respond as decide
from lifecycle.settings import Settings
from tasks import notifying, responding, set_aside
from tasks.clients import settings
from tasks.step import Step, as_task, note


@dataclass(frozen=True)
class Responded:
    """What was done about a breach. `ledger_seq`: the decision's number, None when nothing was to be done."""

    product: str
    action: Action
    cause: str
    grounds: tuple[str, ...]
    ledger_seq: int | None
    told: tuple[str, ...] = ()


@flow(name="respond")
def respond(product: str, cause: str = "metric.breached", retry_of: str | None = None) -> Responded:
    """Decide what to do about a product's breaches and do it; a second run finds it done."""
    note("respond.begun", product=product, cause=cause, retry_of=retry_of)
    done, found = carry_out(as_task, settings(), product, datetime.now(UTC))
    page = f"# {product}\n\n{sentence(str(found))}"
    create_markdown_artifact(page, key=f"respond-{product}", description=found.action)
    return done


def carry_out(step: Step, where: Settings, product: str, now: datetime) -> tuple[Responded, Response]:
    """Decide from everything that is known, act, write it down, tell people."""
    policy = spec.load(where.products, product).monitor
    situation, record = step("read situation", responding.situation_of, where.bucket, product, now)
    found = decide(policy, situation, now)
    note("response.decided", product=product, action=found.action, cause=found.cause, grounds=",".join(found.grounds))
    if found.action == "nothing":
        return Responded(product, found.action, found.cause, found.grounds, None), found
    _act(step, where, product, found, now)
    subject = f"{product}: {found.action} ({found.cause})"
    told = step("tell people", notifying.notify, policy.respond.notify, subject, str(found))
    seq = step("append to ledger", responding.write_down, where.bucket, product, record, found, now)
    return Responded(product, found.action, found.cause, found.grounds, seq, told.sent), found


def _act(step: Step, where: Settings, product: str, found: Response, now: datetime) -> None:
    if found.action == "retrain":
        step("ask for a training", responding.ask_for_training, product, found)
    elif found.action == "roll_back":
        step("roll back", roll_back, product, str(found), actor="respond", request=found.key)
    elif found.action == "quarantine_and_notify":
        step("set predictions aside", set_aside.begin, where.bucket, product, found, now)
