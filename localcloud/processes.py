"""Find the processes of the local cloud by a marker in their environment, wherever they went; end exactly those.

A process that was orphaned, or that left its session, still carries the marker. One that cleared its environment does
not: nothing the local cloud starts does that.
"""

from __future__ import annotations

import psutil

CONTAINER = "TROPISM_CONTAINER"
"""Environment variable that says which container a process belongs to,"""
ENGINE = "TROPISM_ENGINE"
"""which engine (by its socket),"""
INSTANCE = "TROPISM_INSTANCE"
"""and which local cloud on this machine."""


def members(variable: str, value: str) -> list[psutil.Process]:
    """Return the live processes that carry `variable=value` in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def end(process: psutil.Process) -> None:
    """Kill a process unless it is gone already."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
