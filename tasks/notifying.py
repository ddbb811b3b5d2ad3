"""Tell people, by the notification blocks a product names: Slack, e-mail, a webhook, whatever Prefect has a block for.

A block is named `<type>/<name>`, as Prefect does, under `monitor.respond.notify` of `product.yaml`. None named means
none sent. A block that fails keeps no other from being tried, and nothing from being done. What is logged of a failure
names the block and never its address: the address of a webhook is its password.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.step import note

_SECONDS = (
    30.0  # longer than the time limit of any of Prefect's blocks; a receiver that hangs holds a response no longer
)


@dataclass(frozen=True)
class Told:
    """Which blocks took the message, and which did not."""

    sent: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def notify(blocks: Sequence[str], subject: str, body: str) -> Told:
    """Send a message through each block. Never raises. A second call sends it again."""
    sent, failed = [], []
    for name in blocks:
        why = _try(name, subject, body)
        if why:
            note("notification.failed", level=logging.WARNING, block=name, error=why)
            failed.append(name)
        else:
            sent.append(name)
    note("notification.sent", blocks=",".join(sent) or "none", failed=len(failed), subject=subject)
    return Told(tuple(sent), tuple(failed))


def _try(name: str, subject: str, body: str) -> str:
    """Send through one block; return why it failed, empty when it did not."""
    try:
        block = asyncio.run(_load(name))
    except Exception as error:  # noqa: BLE001  # a block is a vendor's code: anything may come out of it
        return f"cannot be loaded: {type(error).__name__}: {str(error)[:300]}"
    try:
        asyncio.run(asyncio.wait_for(_send(block, subject, body), _SECONDS))
    except Exception as error:  # noqa: BLE001  # its text may hold the address, so only its kind is told
        status = getattr(getattr(error, "response", None), "status_code", None)
        return f"cannot send: {type(error).__name__}{f', it answered {status}' if status else ''}"
    return ""


async def _load(name: str) -> object:
    from prefect.blocks import notifications, webhook  # noqa: F401, PLC0415  # registers the types a name may mean
    from prefect.blocks.core import Block  # noqa: PLC0415

    return await Block.aload(name)


async def _send(block: object, subject: str, body: str) -> None:
    from prefect.blocks.abstract import NotificationBlock  # noqa: PLC0415
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415

    if isinstance(block, Webhook):
        (await block.call({"subject": subject, "body": body})).raise_for_status()
        return
    if not isinstance(block, NotificationBlock):
        raise TypeError(f"{type(block).__name__} sends no messages")
    with block.raise_on_failure():  # without it Prefect's Slack and e-mail blocks fail silently
        sending = block.notify(body, subject)
        if inspect.isawaitable(sending):  # some of Prefect's blocks wait for themselves, and some want to be waited for
            await sending
