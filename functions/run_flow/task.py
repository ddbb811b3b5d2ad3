"""The command of an ECS container that executes one flow run: `python -m functions.run_flow.task`.

Prefect's ECS worker names the run in PREFECT__FLOW_RUN_ID. Heartbeats stay on, because a task has no time limit
that would end it. The exit code is for ECS's own event, from which the worker learns of a death: zero whenever
the run's state needs no attention, also for a task that lost the claim to another one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from uuid import UUID

from functions.run_flow.attempt import Place
from functions.run_flow.execute import Delivery, Outcome, execute
from functions.run_flow.watch import Limits

# A task may run for hours; its cancellation may take a few seconds to be seen.
POLL = 3.0  # seconds
TERMINATED = 128 + 15  # what a process that died of SIGTERM reports


def main(environ: Mapping[str, str]) -> int:
    """Execute the flow run that the environment names and return the exit code. A repeated call executes nothing.

    Raises:
        ValueError: when the environment names no flow run.
        Exception: when Prefect's API cannot be reached.

    """
    named = environ.get("PREFECT__FLOW_RUN_ID", "")
    try:
        flow_run_id = UUID(named)
    except ValueError:
        raise ValueError(
            f"PREFECT__FLOW_RUN_ID names the flow run to execute; found {named!r}, expected a UUID. The container is "
            "started by `prefect worker start --type ecs`, not by hand."
        ) from None
    return exit_code(execute(Delivery(flow_run_id), Place("the ECS task", Limits(poll=POLL), beats=True)))


def exit_code(outcome: Outcome) -> int:
    """Translate an outcome: 0 ended as it should, 1 the run crashed, 143 the task was told to stop."""
    if outcome.terminated:
        return TERMINATED
    return 1 if outcome.state == "Crashed" else 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
