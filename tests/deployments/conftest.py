"""A real Prefect server for this folder, and a checkout whose flows have empty bodies."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from deployments.places import Places
from deployments.pools import EcsPool, LambdaPool
from lifecycle.settings import Settings
from localcloud.address import free_port

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Server:
    """A running Prefect server and a client of it."""

    url: str
    client: SyncPrefectClient = field(repr=False)

    def post(self, *events: object) -> None:
        httpx.post(f"{self.url}/events", json=list(events), timeout=10).raise_for_status()

    def runs(self, deployment: str, *, scheduled: bool = False) -> list[FlowRun]:
        """Return a deployment's runs: those that somebody started, or those its schedule made."""
        runs = self.client.read_flow_runs(
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        )
        return [run for run in runs if run.auto_scheduled is scheduled]

    def new_runs(self, deployment: str, seen: set[object], count: int, seconds: float = 30) -> list[FlowRun]:
        """Wait for runs of a deployment that were not there before."""
        end = time.monotonic() + seconds
        while True:
            runs = [run for run in self.runs(deployment) if run.id not in seen]
            if len(runs) >= count:
                return runs
            if time.monotonic() > end:
                raise AssertionError(f"{len(runs)} new runs of {deployment} after {seconds} s, expected {count}")
            time.sleep(0.1)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("prefect-server")
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    ambient = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}
    environ = {
        **ambient,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environ, cwd=home, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_healthy(process, url, home / "server.log")
        with SyncPrefectClient(url) as client:
            yield Server(url=url, client=client)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_healthy(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            httpx.get(f"{url}/health", timeout=2).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"The server did not answer within 120 s:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def places() -> Places:
    return Places(
        functions=LambdaPool(function_name="tropism-run-flow"),
        tasks=EcsPool(
            cluster="tropism",
            image="tropism-flows",
            execution_role_arn="arn:aws:iam::000000000000:role/execution",
            task_role_arn="arn:aws:iam::000000000000:role/task",
            subnets=("subnet-1",),
            log_group="/ecs/tropism-flows",
        ),
    )


@dataclass(frozen=True)
class Checkout:
    """A folder with the real manifest, its entrypoints pointed at flows with empty bodies."""

    root: Path
    environ: dict[str, str] = field(repr=False)
    url: str

    @property
    def manifest(self) -> Path:
        return self.root / "prefect.yaml"

    def replace(self, old: str, new: str) -> None:
        text = self.manifest.read_text()
        assert old in text, old
        self.manifest.write_text(text.replace(old, new, 1))

    @property
    def settings(self) -> Settings:
        return Settings.model_validate({"bucket": "lake", "root": self.root, "PREFECT_API_URL": self.url})


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Checkout]:
    monkeypatch.syspath_prepend(SAMPLES)

    def make(url: str = "http://127.0.0.1:9/api") -> Checkout:
        text = (ROOT / "prefect.yaml").read_text()
        (tmp_path / "prefect.yaml").write_text(re.sub(r"flows\.(\w+)\.\1", r"sample_flows.\1", text))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TROPISM_"))}
        paths = f"{SAMPLES}:{ROOT}"
        return Checkout(root=tmp_path, environ={**environ, "PYTHONPATH": paths, "DO_NOT_TRACK": "1"}, url=url)

    return make
