"""Tell people, by the notification blocks a product names: Slack, e-mail, a webhook, whatever Prefect has a block for.

None named means none sent. A block that fails keeps no other from being tried, and nothing from being done.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.step import note


@dataclass(frozen=True)
class Told:
    """Which blocks took the message, and which did not."""

    sent: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def notify(blocks: Sequence[str], subject: str, body: str) -> Told:
    """Send a message through each block, named `<type>/<name>` as Prefect does. A second call sends it again."""
    sent, failed = [], []
    for name in blocks:
        try:
            asyncio.run(_send(name, subject, body))
        except Exception as error:  # noqa: BLE001  # a block runs a vendor's code: anything may come out of it
            note("notification.failed", level=logging.WARNING, block=name, error=f"{type(error).__name__}: {error}")
            failed.append(name)
        else:
            sent.append(name)
    note("notification.sent", blocks=",".join(sent) or "none", subject=subject)
    return Told(tuple(sent), tuple(failed))


async def _send(name: str, subject: str, body: str) -> None:
    from prefect.blocks import notifications  # noqa: F401, PLC0415  # registers the types that a name may mean
    from prefect.blocks.abstract import NotificationBlock  # noqa: PLC0415
    from prefect.blocks.core import Block  # noqa: PLC0415

    block: object = await Block.aload(name)
    if not isinstance(block, NotificationBlock):
        raise TypeError(f"{name} is a {type(block).__name__}, which sends no messages")
    sending = block.notify(body, subject)
    if inspect.isawaitable(sending):  # some of Prefect's blocks wait for themselves, and some want to be waited for
        await sending
