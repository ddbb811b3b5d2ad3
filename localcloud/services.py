"""The services of the local cloud: what each runs, in which environment, and what a container's image means.

Everything here is a value; nothing is started. A service inherits nothing: its environment is written here. Workers
get addresses and dummy keys only, because a worker hands every Prefect setting it has on to the runs it starts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from localcloud.address import REGION, REPO, LocalCloud
from localcloud.images import Image
from localcloud.install import VENV
from localcloud.sources import digest

_DAEMON_SECONDS = 20
"""How long a service may take to end: the emulator writes its state, workers tell the server goodbye."""


@dataclass(frozen=True)
class Service:
    """One supervised process. `environment` is the whole of it; `whole_group`: a stop ends its children too."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    whole_group: bool = True
    stop_seconds: int = _DAEMON_SECONDS


def services(cloud: LocalCloud) -> tuple[Service, ...]:
    """Return the services in the order they are started; the code they run is part of what they are."""
    known = (_engine(cloud), _emulator(cloud), _prefect(cloud), _worker(cloud, "lambda"), _worker(cloud, "ecs"))
    sources = {"engine": "localcloud", "emulator": "localcloud", "worker-lambda": "worker", "worker-ecs": "uv.lock"}
    return tuple(
        replace(service, environment={**service.environment, "TROPISM_SOURCES": digest([sources[service.name]])})
        if service.name in sources
        else service
        for service in known
    )


def worker_names() -> Mapping[str, str]:
    """Return the worker's service name for each work pool."""
    return {pool: f"worker-{pool}" for pool in ("lambda", "ecs")}


def engine_socket(cloud: LocalCloud) -> Path:
    """Where the process engine answers."""
    return cloud.sockets / "engine.sock"


def image_table(cloud: LocalCloud) -> Path:
    """Where the process engine finds what its images mean."""
    return cloud.home.run / "images.json"


def images(cloud: LocalCloud, runtime_emulator: Path) -> tuple[Image, ...]:
    """Return the images: this checkout in this Python, as an ECS task and behind AWS's Lambda runtime emulator."""
    env = {
        **cloud.process_environment(),
        **cloud.aws_environment(),
        "AWS_DEFAULT_REGION": REGION,
        "TROPISM_ROOT": str(cloud.root),
        "PYTHONUNBUFFERED": "1",
    }
    rie = (
        *(str(runtime_emulator), "--log-level", "error"),
        *("--runtime-interface-emulator-address", "127.0.0.1:{port:8080}"),
        *("--runtime-api-address", "127.0.0.1:{port:9001}"),
        *(sys.executable, "-m", "awslambdaric"),
    )
    return (
        Image(name="tropism/flows", cwd=str(REPO), env={**env, "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}),
        Image(
            name="tropism/run-flow",
            cwd=str(REPO),
            env={**env, "LAMBDA_TASK_ROOT": str(REPO)},
            entrypoint=rie,
            cmd=("functions.run_flow.handler.handler",),
            ports=("9001",),
        ),
    )


def _engine(cloud: LocalCloud) -> Service:
    arguments = (engine_socket(cloud), image_table(cloud), cloud.home.run / "containers")
    return Service(
        name="engine",
        command=(sys.executable, "-m", "localcloud.door", *map(str, arguments)),
        environment=cloud.process_environment(),
        whole_group=False,
    )


def _emulator(cloud: LocalCloud) -> Service:
    scratch = str(cloud.home.run / "emulator")
    environment = {
        **cloud.process_environment(),
        **cloud.aws_environment(),
        "HOME": scratch,
        "TMPDIR": scratch,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(cloud.emulator_port),
        "MINISTACK_HOST": "localhost",
        "DOCKER_HOST": f"unix://{engine_socket(cloud)}",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(cloud.home.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(cloud.home.objects),
        # Listeners nobody here needs, and the first would bind every interface.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    return Service("emulator", (str(VENV / "bin" / "python"), "-m", "localcloud.emulator"), environment)


def _prefect(cloud: LocalCloud) -> Service:
    home = cloud.home.path / "prefect"
    environment = {
        **cloud.process_environment(),
        "HOME": str(home),
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": cloud.prefect_api_url,
        "PREFECT_UI_API_URL": cloud.prefect_api_url,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A queued training starts seconds, not half a minute, after the one before it.
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
        # In memory they would be gone with the server, and whatever was on its way then ended as Cancelled.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # A sweep every 30 s: minutes ahead are enough, and after a night's sleep few are late.
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT5M",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "10",
        "DO_NOT_TRACK": "true",
    }
    address = ("--host", "127.0.0.1", "--port", str(cloud.prefect_port))
    return Service(
        "prefect", (sys.executable, "-m", "localcloud.orchestrator", "server", "start", *address), environment
    )


def _worker(cloud: LocalCloud, pool: str) -> Service:
    # HOME and not PREFECT_HOME: what is set as a setting would be handed on to every run.
    environment = {
        **cloud.process_environment(),
        **cloud.aws_environment(),
        "HOME": str(cloud.home.path / "workers" / pool),
        "PREFECT_API_URL": cloud.prefect_api_url,
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "true",
    }
    # Without prefetching: a run submitted before its time waits for it inside the function, which costs by the second.
    start = (sys.executable, "-m", "prefect", "worker", "start", "--prefetch-seconds", "0")
    pools = ("--pool", pool, "--type", pool, "--name", f"local-{pool}", "--no-create-pool-if-not-found")
    return Service(worker_names()[pool], (*start, *pools), environment)
