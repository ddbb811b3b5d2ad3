"""Flows that end in every way a flow can end. Each start appends a line to the file that EFFECTS names."""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

from prefect import State, flow, task
from prefect.settings import get_current_settings
from prefect.states import Completed


def _effect(name: str) -> None:
    with Path(os.environ["EFFECTS"]).open("a", encoding="utf-8") as file:
        file.write(f"{name} {os.environ['PREFECT__FLOW_RUN_ID']} {os.getpid()}\n")


@task
def add(a: int, b: int) -> int:
    return a + b


@flow
def completes(a: int = 1) -> int:
    _effect("completes")
    return add(a, 2)


@flow
async def completes_async() -> int:
    _effect("completes_async")
    await asyncio.sleep(0.01)
    return 1


@flow
def fails() -> None:
    _effect("fails")
    raise ValueError("the sample fails on purpose")


@flow(retries=1, retry_delay_seconds=60)
def retries_late() -> None:
    _effect("retries_late")
    raise ValueError("not this time")


@flow
def dies() -> None:
    _effect("dies")
    os._exit(9)


@flow
def leaves() -> None:
    _effect("leaves")
    sys.exit(3)


@flow
def sleeps(seconds: float = 60) -> None:
    _effect("sleeps")
    time.sleep(seconds)
    _effect("woke")


@flow
async def sleeps_async(seconds: float = 60) -> None:
    _effect("sleeps_async")
    await asyncio.sleep(seconds)
    _effect("woke")


@flow
def ignores_being_stopped(seconds: float = 60) -> None:
    _effect("ignores")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            time.sleep(0.2)


@flow
def reads_environment() -> None:
    _effect(os.environ["STAGE"])


@flow
def heartbeat() -> State:
    return Completed(message=str(get_current_settings().flows.heartbeat_frequency))


def __getattr__(name: str) -> object:
    """Load one flow slowly, as a flow does that imports much."""
    if name != "slow_to_load":
        raise AttributeError(name)
    _effect("loading")
    time.sleep(1.5)

    @flow(name="slow-to-load")
    def slow_to_load() -> None:
        _effect("slow_to_load")

    globals()[name] = slow_to_load
    return slow_to_load
