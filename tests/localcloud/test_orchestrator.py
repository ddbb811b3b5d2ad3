"""A Prefect server as the local cloud runs it, killed and started again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Pending, Running, Scheduled

from localcloud.address import REPO, Home, LocalCloud, free_port
from localcloud.services import services
from tests.orchestrator import wait_until_healthy

pytestmark = pytest.mark.faults
MEMORY = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.memory"}


@pytest.fixture
def cloud(tmp_path: Path) -> LocalCloud:
    return LocalCloud(instance="0123abcd", home=Home(path=tmp_path), emulator_port=4001, prefect_port=free_port())


@contextmanager
def server(cloud: LocalCloud, **changes: str) -> Iterator[SyncPrefectClient]:
    """Run the server until the block ends, and kill it then."""
    (service,) = [one for one in services(cloud) if one.name == "prefect"]
    home = cloud.home.path / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    environment = {**service.environment, **changes, "PATH": os.environ["PATH"]}
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            service.command, env=environment, cwd=REPO, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until_healthy(process, cloud.prefect_api_url, home / "server.log")
        with temporary_settings({PREFECT_API_URL: cloud.prefect_api_url}), get_client(sync_client=True) as client:
            yield client
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.mark.parametrize(("changes", "ended"), [({}, "RUNNING"), (MEMORY, "CANCELLED")], ids=["ours", "in memory"])
def test_a_run_on_its_way_keeps_its_place_when_the_server_is_killed(
    cloud: LocalCloud, changes: dict[str, str], ended: str
) -> None:
    with server(cloud, **changes) as client:
        flow = client.create_flow_from_name("train")
        deployment = client.create_deployment(flow, name="train", concurrency_limit=1)
        run = client.create_flow_run_from_deployment(deployment, state=Scheduled())
        client.set_flow_run_state(run.id, Pending())
        assert client.read_flow_run(run.id).state_type == "PENDING"
    (cloud.home.path / "prefect" / "concurrency_leases").mkdir(exist_ok=True)
    (cloud.home.path / "prefect" / "concurrency_leases" / "expirations.lock").write_text(str(os.getpid()))
    with server(cloud, **changes) as client:
        client.set_flow_run_state(run.id, Running())
        assert client.read_flow_run(run.id).state_type == ended
