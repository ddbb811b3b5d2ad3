"""Fixtures every test may use: `aws`, an emulator of the AWS APIs in memory, and `cloud`, the whole local cloud."""

import os
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import HealthCheck, settings
from mypy_boto3_s3 import S3Client

from localcloud.address import Home, LocalCloud, free_port
from localcloud.down import down
from localcloud.install import REPO, install
from localcloud.up import up

if TYPE_CHECKING:
    from tests.orchestrator import Prefect

REGION = "us-east-1"
# A busy machine is no fault of the code: no test asserts a time.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
ASK_PREFECT = (
    *("deployments", "events", "sweep", "worker"),
    *("test_doctor.py", "test_flow.py", "test_notifying.py", "test_orchestrator.py", "test_usage.py"),
)


@dataclass(frozen=True)
class Aws:
    """A running emulator. The AWS environment variables point at it for as long as the test session lasts."""

    endpoint: str
    s3: S3Client = field(repr=False)

    def bucket(self) -> str:
        """Create a fresh, versioned bucket and return its name."""
        name = f"tropism-test-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=name)
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run one test more at a time than there are cores: half of a test's time, it waits for a server."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares expensive fixtures when tests run side by side: a folder, and what asks the cloud.

    By path, since xdist's own groups never reach it: they change an attribute that pytest 9.2 no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  only where tests run side by side

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid.partition("::")[0])

    return ByFolder(config, log)


def scope(path: str) -> str:
    """Return what runs in one process: by what it starts, a cloud or a Prefect server, else by its folder."""
    _, folder, *_, name = path.split("/")
    if folder == "e2e" or path.endswith("localcloud/test_cloud.py"):
        return "cloud"
    if folder in ASK_PREFECT or name in ASK_PREFECT:
        return "prefect"
    return path if folder == "unit" else folder


@pytest.fixture(scope="session")
def session_environment() -> Iterator[pytest.MonkeyPatch]:
    """Environment variables that last as long as the test session."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def aws(session_environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Start one emulator for this test process and end it afterwards."""
    home = tmp_path_factory.mktemp("aws")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    process = _start(port, home)
    try:
        _wait_until_healthy(process, endpoint, home / "emulator.log")
        session_environment.setenv("AWS_ENDPOINT_URL", endpoint)
        session_environment.setenv("AWS_ACCESS_KEY_ID", "test")
        session_environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        session_environment.setenv("AWS_DEFAULT_REGION", REGION)
        session_environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        session_environment.delenv("AWS_PROFILE", raising=False)
        client = boto3.session.Session().client("s3")
        yield Aws(endpoint=endpoint, s3=client)
        client.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Start a whole local cloud of the tests' own, deployed from this checkout; about a minute. Nothing is set in
    the environment: pass `cloud.environment()` to what you start.
    """
    home = Home(path=tmp_path_factory.mktemp("cloud"))
    try:
        yield up(home=home)
    finally:
        down(home=home)


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Prefect"]:
    """Start one Prefect server for this test process, the ambient one from then on."""
    from tests.orchestrator import serve  # noqa: PLC0415  Prefect costs seconds that most tests need not pay

    with serve(tmp_path_factory.mktemp("prefect")) as server:
        yield server


def _start(port: int, home: Path) -> subprocess.Popen[bytes]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "STATE_DIR": str(home / "state"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    with (home / "emulator.log").open("wb") as log:
        return subprocess.Popen(
            [str(install()), "-m", "localcloud.emulator"],
            env=env,
            cwd=REPO,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _wait_until_healthy(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The emulator ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):  # noqa: S310 - ours
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"The emulator did not answer within 60 s:\n{log.read_text()[-3000:]}")
