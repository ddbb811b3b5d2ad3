"""Which flow runs have lost the process that carried them, and which of those are run again. Pure.

Every state a run can be lost in, who died and what is done about it is the table in docs/adr/0003-lost-runs.md.

A run declared dead by mistake does no harm: whoever executes it claims the submission first and finds it over,
and every effect of a flow is idempotent, so its second run finds the first one's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

# A worker submits within two seconds of taking a run; thirty is a busy laptop's worst.
UNSUBMITTED = timedelta(seconds=30)
# AWS ends every invocation after 15 minutes; a minute more for clocks and queues.
LONGEST_INVOCATION = timedelta(minutes=16)
# What crashed longer ago was seen by earlier sweeps, or is history.
LOOK_BACK = timedelta(hours=1)
RERUN = "rerun:"

_LOSABLE = ("PENDING", "RUNNING")


@dataclass(frozen=True)
class Run:
    """A flow run as Prefect tells it. `since`: when it got its state. `pid`: where the worker submitted it."""

    id: str
    flow: str
    state_type: str
    state_name: str
    since: datetime
    pool: str | None = None
    pid: str | None = None
    deployment_id: str | None = None
    idempotency_key: str | None = None
    message: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def product(self) -> str | None:
        """The product the run works for."""
        found = self.parameters.get("product")
        return found if isinstance(found, str) else None

    @property
    def is_rerun(self) -> bool:
        """Whether this run replaces one that was lost."""
        return (self.idempotency_key or "").startswith(RERUN)


@dataclass(frozen=True)
class Process:
    """What AWS says about the process of a run."""

    alive: bool
    reason: str


@dataclass(frozen=True)
class Notice:
    """AWS said on its own that a process ended badly; `process` is its id of it."""

    flow_run_id: str
    process: str
    cause: str


@dataclass(frozen=True)
class RunVerdict:
    """Whether a run still has its process; the reason is written into the run."""

    dead: bool
    reason: str


def judge(run: Run, process: Process | None, notice: Notice | None, now: datetime) -> RunVerdict:
    """Judge one run from what AWS says about its process.

    Args:
        run: The run.
        process: Its ECS task; None when ECS knows none, or the run is not on ECS.
        notice: AWS's own word that a process of this run ended badly.
        now: The time.

    """
    age = now - run.since
    if run.state_type not in _LOSABLE:
        return RunVerdict(dead=False, reason=f"The run is {run.state_name}.")
    if notice is not None and (run.pid is None or run.pid.endswith(notice.process)):
        return RunVerdict(dead=True, reason=f"Its process is gone: {notice.cause}.")
    if process is not None and process.alive:
        return RunVerdict(dead=False, reason=process.reason)
    if age < UNSUBMITTED:
        return RunVerdict(dead=False, reason=f"It is {run.state_name} for {age.total_seconds():.0f} s only.")
    return _silent(run, process, age)


def _silent(run: Run, process: Process | None, age: timedelta) -> RunVerdict:
    """Judge a run that nobody vouches for."""
    if process is not None:
        return RunVerdict(dead=True, reason=f"Its process is gone: {process.reason}.")
    if run.pid is None and run.state_type == "PENDING":
        waited = f"{age.total_seconds():.0f} s ago"
        return RunVerdict(dead=True, reason=f"Its worker took it {waited} and never submitted it.")
    if run.pool == "ecs":
        return RunVerdict(dead=True, reason="Its process is gone: ECS knows no such task.")
    if age > LONGEST_INVOCATION:
        return RunVerdict(dead=True, reason=f"It is {run.state_name} for longer than any invocation lasts.")
    return RunVerdict(dead=False, reason="Its invocation may still be under way.")


@dataclass(frozen=True)
class Crash:
    """What to do about a crashed run."""

    run: Run
    act: Literal["run_again", "exhausted", "leave"]
    reason: str


def after_crash(run: Run, replaced: frozenset[str], now: datetime) -> Crash:
    """Decide about a crashed run. `replaced`: idempotency keys of the runs that exist already."""
    if run.state_type != "CRASHED":
        return Crash(run, "leave", f"The run is {run.state_name}.")
    if now - run.since > LOOK_BACK:
        return Crash(run, "leave", "It crashed long ago.")
    if run.deployment_id is None:
        return Crash(run, "leave", "It belongs to no deployment.")
    if run.is_rerun:
        return Crash(run, "exhausted", f"It was run a second time and crashed again: {run.message}")
    if rerun_key(run) in replaced:
        return Crash(run, "leave", "It was run again already.")
    return Crash(run, "run_again", run.message or "It crashed.")


def rerun_key(run: Run) -> str:
    """Return the idempotency key of the run that replaces a lost one: there is one at most."""
    return f"{RERUN}{run.id}"


def busy_with(runs: Iterable[Run], flow: str, product: str) -> tuple[Run, ...]:
    """Return the unfinished runs of a flow for a product."""
    return tuple(run for run in runs if run.flow == flow and run.product == product)
