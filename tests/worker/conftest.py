"""A real Prefect server, and a real Lambda runtime in the emulator, shared by every test of this folder."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Pending, Scheduled

from localcloud.address import free_port
from worker import LambdaWorker

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"
POOL = "lambda-tests"
ROLE = "arn:aws:iam::000000000000:role/run-flow"


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


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    home = tmp_path_factory.mktemp("prefect")
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
        _wait_until_healthy(process, url, home / "server.log")
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            template = LambdaWorker.get_default_base_job_template()
            template["variables"]["properties"]["function_name"]["default"] = "named-by-each-deployment"
            client.create_work_pool(WorkPoolCreate(name=POOL, type="lambda", base_job_template=template))
            yield Prefect(url=url, environ=environ, client=client)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_healthy(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
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


@dataclass(frozen=True)
class Effects:
    """What the sample flows did: one line per start."""

    file: Path

    def of(self, flow_run_id: UUID) -> list[str]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [line.split()[0] for line in lines if line.split()[1] == str(flow_run_id)]

    def process_of(self, flow_run_id: UUID) -> int:
        lines = [line.split() for line in self.file.read_text().splitlines()]
        return next(int(pid) for _, run, pid in lines if run == str(flow_run_id))


@pytest.fixture(scope="session")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Effects:
    return Effects(tmp_path_factory.mktemp("effects") / "effects.txt")


@dataclass(frozen=True)
class Lambda:
    """Functions in the emulator, each a genuine Lambda runtime that runs the real handler."""

    client: Any = field(repr=False)
    create: Callable[..., str] = field(repr=False)

    def invoke(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        body: dict[str, Any] = json.loads(answer["Payload"].read())
        return body


@pytest.fixture(scope="session")
def lambdas(
    aws: Any,  # it sets where AWS is
    prefect: Prefect,
    effects: Effects,
    tmp_path_factory: pytest.TempPathFactory,
) -> Lambda:
    home = tmp_path_factory.mktemp("lambda")
    client = boto3.session.Session().client("lambda")
    bootstrap = f"#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m awslambdaric functions.run_flow.handler.handler\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        file.writestr(info, bootstrap)
    environ = {name: prefect.environ[name] for name in ("PREFECT_API_URL", "DO_NOT_TRACK", "PYTHONPATH")}
    environ |= {"PREFECT_HOME": str(home), "EFFECTS": str(effects.file)}

    def create(timeout: int = 120, memory: int = 512, **more: str) -> str:
        name = f"run-flow-{uuid.uuid4().hex[:8]}"
        client.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="functions.run_flow.handler.handler",
            Role=ROLE,
            Code={"ZipFile": archive.getvalue()},
            Timeout=timeout,
            MemorySize=memory,
            Environment={"Variables": environ | more},
        )
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        return name

    return Lambda(client=client, create=create)


@pytest.fixture(scope="session")
def function(lambdas: Lambda) -> str:
    """One function that stays warm over the tests."""
    return lambdas.create()
