"""The processes of a local cloud that are killed here: found by what they carry, killed by id, never by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

import psutil

from localcloud import supervision
from localcloud.address import LocalCloud
from localcloud.processes import INSTANCE, members


def task_of(cloud: LocalCloud, run_id: str) -> list[psutil.Process]:
    """The ECS task that carries a flow run."""
    return _of(cloud, members("PREFECT__FLOW_RUN_ID", run_id))


def environments(cloud: LocalCloud) -> list[psutil.Process]:
    """Every Lambda environment that executes flow runs: AWS's runtime emulator and the runtime in it."""
    return [one for one in members(INSTANCE, cloud.instance) if "functions.run_flow.handler" in _command(one)]


def bridge(cloud: LocalCloud) -> list[psutil.Process]:
    """The environments of the function between AWS's events and Prefect."""
    return _of(cloud, members("AWS_LAMBDA_FUNCTION_NAME", f"{cloud.function_prefix}-bridge"))


def service(cloud: LocalCloud, name: str) -> list[psutil.Process]:
    """A supervised service, with whatever it started."""
    pid = supervision.listing(cloud)[name].pid
    if not pid:
        return []
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def supervisor(cloud: LocalCloud) -> list[psutil.Process]:
    return [psutil.Process(int((cloud.home.run / "supervisor.pid").read_text()))]


def kill(processes: Iterable[psutil.Process]) -> int:
    """Kill at once, whatever they are doing; return how many there were to kill."""
    return _signal(processes, signal.SIGKILL)


def freeze(processes: Iterable[psutil.Process]) -> int:
    """Stop them where they are, so that one can look before one kills."""
    return _signal(processes, signal.SIGSTOP)


def thaw(processes: Iterable[psutil.Process]) -> int:
    return _signal(processes, signal.SIGCONT)


def at(point: Callable[[], object], find: Callable[[], list[psutil.Process]], seconds: float = 120) -> bool:
    """Wait for a point and freeze the victims there; say whether there was anybody left to freeze."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if point():
            return freeze(find()) > 0
        time.sleep(0.002)
    return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> int:
    reached = 0
    for process in processes:
        try:
            os.kill(process.pid, number)
            reached += 1
        except ProcessLookupError:
            continue
    return reached


def _of(cloud: LocalCloud, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those of this cloud: another on the same machine has functions of the same name."""
    ours = {process.pid for process in members(INSTANCE, cloud.instance)}
    return [process for process in processes if process.pid in ours]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
