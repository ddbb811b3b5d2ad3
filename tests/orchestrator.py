"""A real Prefect server, one for each test process, and what tests ask of it."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Pending, Scheduled

from localcloud.address import free_port
from worker import LambdaWorker

ROOT = Path(__file__).parents[1]
SAMPLES = Path(__file__).parent / "worker" / "samples"
POOL = "lambda-tests"


@dataclass(frozen=True)
class Prefect:
    """A running server, its API's address and a client of it."""

    url: str
    environ: dict[str, str] = field(repr=False)
    client: SyncPrefectClient = field(repr=False)
    deployments: dict[str, UUID] = field(default_factory=dict, repr=False)

    def deployment(self, flow: str, **options: Any) -> UUID:
        """Deploy a sample flow to the pool; the same flow and options are deployed once."""
        name = f"{flow}-{json.dumps(options, sort_keys=True)}"
        if name not in self.deployments:
            flow_id = self.client.create_flow_from_name(flow.replace("_", "-"))
            self.deployments[name] = self.client.create_deployment(
                flow_id,
                name=uuid.uuid4().hex,
                entrypoint=f"sample_flows.{flow}",
                work_pool_name=POOL,
                parameter_openapi_schema={"type": "object", "properties": {}},
                **options,
            )
        return self.deployments[name]

    def submitted(self, flow: str, parameters: dict[str, Any] | None = None) -> FlowRun:
        """Make a run as a worker leaves it right before it invokes: Scheduled, then Pending."""
        run = self.client.create_flow_run_from_deployment(
            self.deployment(flow), parameters=parameters or {}, state=Scheduled()
        )
        self.client.set_flow_run_state(run.id, Pending())
        return self.client.read_flow_run(run.id)

    def state(self, flow_run_id: UUID) -> State:
        state = self.client.read_flow_run(flow_run_id).state
        assert state is not None
        return state

    def states(self, flow_run_id: UUID) -> list[str]:
        states = self.client.read_flow_run_states(flow_run_id)
        return [state.name or "" for state in sorted(states, key=lambda state: state.timestamp)]

    def wait_until(self, happened: Callable[[], object], seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, f"did not happen within {seconds} s"
            time.sleep(0.05)

    def wait(self, flow_run_id: UUID, *types: StateType, seconds: float = 90) -> State:
        """Wait until the run is in a state of one of the types; any final one without types."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.state(flow_run_id)
            if state.type in types or (not types and state.is_final()):
                return state
            time.sleep(0.1)
        raise AssertionError(f"after {seconds} s the run's states are {self.states(flow_run_id)}")


@contextmanager
def serve(home: Path) -> Iterator[Prefect]:
    """Start a server with its state in `home`, which is the ambient one until it ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))},
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": f"{ROOT}:{SAMPLES}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with (home / "server.log").open("wb") as log:
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(
            command, env=environ, cwd=home, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until_healthy(process, url, home / "server.log")
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            template = LambdaWorker.get_default_base_job_template()
            template["variables"]["properties"]["function_name"]["default"] = "named-by-each-deployment"
            client.create_work_pool(WorkPoolCreate(name=POOL, type="lambda", base_job_template=template))
            yield Prefect(url=url, environ=environ, client=client)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_healthy(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            httpx.get(f"{url}/health", timeout=2).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"The server did not answer within 240 s:\n{log.read_text()[-3000:]}")
