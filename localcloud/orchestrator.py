"""Prefect's server on SQLite, without three habits that make it stand still: `python -m localcloud.orchestrator`.

Only for a laptop's server; an account's is on Postgres and has neither. Both were seen with twenty files in a burst.

Garbage is collected beside the event loop. One thread for each connection waits up to a minute for the database's lock,
holding its connection. Python collects in whatever thread asks for memory next, and a cursor in a cycle, which every
failed statement leaves behind, wants its connection to be let go. In the event loop's thread that stops the loop, and
with it whoever has the lock: nobody was answered for a minute. In a thread of its own it waits, and nobody else does.
https://docs.python.org/3/library/gc.html

A transaction takes the write lock when it begins. Prefect begins most of them as readers; one that writes after another
has written is refused at once instead of waiting, and answered with 503. The caller then waits ever longer, a worker in
the middle of submitting a run for more than a minute. https://www.sqlite.org/lang_transaction.html

Who holds a place of a deployment is written to files, under a lock that is a file too and names a process. Of a server
that was killed it stays behind, and when its number belongs to somebody else by then, it is waited for for ever. There
is one server, so what it finds when it starts is its own.
"""

from __future__ import annotations

import gc
import inspect
import os
import runpy
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.server.database.configurations import AioSqliteConfiguration
    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

_YOUNG_SECONDS = 1.0
"""In a second of a burst the server leaves a few megabytes behind."""
_ALL_EVERY = 30
"""A look at everything takes a quarter of a second, during which nobody else computes."""


def collect_beside() -> None:
    """Collect garbage in a thread of its own and nowhere else, for as long as the process lasts."""
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()


def lock_at_begin() -> bool:
    """Make Prefect's transactions take SQLite's write lock when they begin; return whether that was needed."""
    from prefect.server.database import configurations  # noqa: PLC0415 - a server's import, two seconds

    kind = configurations.AioSqliteConfiguration
    if '"DEFERRED"' not in inspect.getsource(kind.begin_transaction):
        return False
    kind.begin_transaction = _begin_transaction  # type: ignore[method-assign, assignment]
    return True


@asynccontextmanager
async def _begin_transaction(
    _: AioSqliteConfiguration,
    session: AsyncSession,
    with_for_update: bool = False,  # noqa: ARG001, FBT001, FBT002 - Prefect's signature
) -> AsyncIterator[AsyncSessionTransaction]:
    from prefect.server.database.configurations import SQLITE_BEGIN_MODE  # noqa: PLC0415

    async with session.begin() as transaction:
        mode = SQLITE_BEGIN_MODE.set("IMMEDIATE")
        try:
            await session.connection()
        finally:
            # Not longer: a second session that only reads meanwhile must not ask for the lock we have.
            SQLITE_BEGIN_MODE.reset(mode)
        yield transaction


def unlock_leases(home: Path) -> None:
    """Remove the lock that a killed server left behind; a second call finds none."""
    (home / "concurrency_leases" / "expirations.lock").unlink(missing_ok=True)


def _collect() -> None:
    for turn in range(1, sys.maxsize):
        time.sleep(_YOUNG_SECONDS)
        gc.collect(2 if turn % _ALL_EVERY == 0 else 1)


def main(arguments: list[str]) -> None:
    """Become Prefect's own command line. It ends the process."""
    collect_beside()
    lock_at_begin()
    if home := os.environ.get("PREFECT_HOME"):
        unlock_leases(Path(home))
    sys.argv = ["prefect", *arguments]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
