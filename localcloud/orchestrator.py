"""Prefect's server, with its garbage collected beside the event loop: `python -m localcloud.orchestrator server start`.

Only for a server on SQLite. There, one thread for each connection waits up to a minute for the database's lock, holding
its connection. Python collects garbage in whatever thread asks for memory next, and a cursor in a cycle, which every
failed statement leaves behind, wants its connection to be let go. When that happens in the thread of the event loop,
the loop stands still, and with it whoever has the lock: the server answered nobody for a minute, several times in an
hour of bursts and kills. In a thread of its own, collecting waits and nobody else does.
https://docs.python.org/3/library/gc.html
"""

from __future__ import annotations

import gc
import runpy
import sys
import threading
import time

_YOUNG_SECONDS = 1.0
"""In a second of a burst the server leaves a few megabytes behind."""
_ALL_EVERY = 30
"""A look at everything takes a quarter of a second, during which nobody else computes."""


def collect_beside() -> None:
    """Collect garbage in a thread of its own and nowhere else, for as long as the process lasts."""
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()


def _collect() -> None:
    for turn in range(1, sys.maxsize):
        time.sleep(_YOUNG_SECONDS)
        gc.collect(2 if turn % _ALL_EVERY == 0 else 1)


def main(arguments: list[str]) -> None:
    """Become Prefect's own command line. It ends the process."""
    collect_beside()
    sys.argv = ["prefect", *arguments]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
