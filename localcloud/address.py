"""Where the local cloud is: the record that `up` writes and everybody else reads.

A client needs nothing but the environment this record gives: with it, the same calls that go to an account go to the
machine. The record says where things are, not whether they run; `localcloud.health` asks.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lifecycle.errors import LocalCloudError, UsageError

REPO = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
_SOCKET_LIMIT = 100
"""A unix socket's path has at most 107 characters on Linux, and 103 on macOS."""


class Home(BaseModel):
    """The folder that holds everything the local cloud keeps; removing it removes the cloud."""

    model_config = ConfigDict(frozen=True)

    path: Path

    @classmethod
    def chosen(cls) -> Home:
        """Return the folder that TROPISM_HOME names, or `.tropism` beside the code."""
        return cls(path=Path(os.environ.get("TROPISM_HOME") or REPO / ".tropism").resolve())

    @property
    def record(self) -> Path:
        """The record's file."""
        return self.path / "local.json"

    @property
    def logs(self) -> Path:
        """One rotated log per service."""
        return self.path / "logs"

    @property
    def state(self) -> Path:
        """The emulator's state, without objects."""
        return self.path / "aws"

    @property
    def objects(self) -> Path:
        """The buckets."""
        return self.path / "s3"

    @property
    def run(self) -> Path:
        """What is worth nothing after a stop: configuration, process ids, scratch folders."""
        return self.path / "run"


class LocalCloud(BaseModel):
    """The record: ports, names, and the addresses made from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    instance: str = Field(min_length=8, description="Marks every process of this cloud, in its environment.")
    home: Home
    emulator_port: int = Field(ge=1, le=65535)
    prefect_port: int = Field(ge=1, le=65535)
    root: Path = Field(default=REPO, description="The folder with `products/` and `expectations/`.")
    bucket: str = "tropism-local"
    function_prefix: str = "tropism"

    @property
    def aws_endpoint_url(self) -> str:
        """Every AWS API."""
        return f"http://127.0.0.1:{self.emulator_port}"

    @property
    def prefect_url(self) -> str:
        """Prefect's pages."""
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def prefect_api_url(self) -> str:
        """Prefect's API."""
        return f"{self.prefect_url}/api"

    @property
    def mlflow_tracking_uri(self) -> str:
        """MLflow's store; artifacts lie in the bucket."""
        return f"sqlite:///{self.home.path / 'mlflow.db'}"

    @property
    def sockets(self) -> Path:
        """The folder of the unix sockets; a short one elsewhere when the home's own path is too long for them."""
        if len(str(self.home.run)) + len("/supervisor.sock") <= _SOCKET_LIMIT:
            return self.home.run
        return Path("/tmp") / f"tropism-{os.getuid()}-{self.instance}"  # noqa: S108 - made with mode 0700

    def aws_environment(self) -> dict[str, str]:
        """Return what an AWS client on this machine needs."""
        return {
            "AWS_ENDPOINT_URL": self.aws_endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def environment(self) -> dict[str, str]:
        """Return the variables a client process needs: AWS, Prefect, MLflow, and the project's own."""
        return {
            **self.aws_environment(),
            "PREFECT_API_URL": self.prefect_api_url,
            "PREFECT_HOME": str(self.home.path / "client"),
            "MLFLOW_TRACKING_URI": self.mlflow_tracking_uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "TROPISM_BUCKET": self.bucket,
            "TROPISM_FUNCTION_PREFIX": self.function_prefix,
            "TROPISM_ROOT": str(self.root),
            # The cron's sixth field counts seconds: a laptop does not wait five minutes for what was missed.
            "TROPISM_SWEEP_CRON": "* * * * * */30",
            # A burst waits in Prefect instead of starting a Python for each file.
            "TROPISM_LAMBDA_RUNS": "3",
        }

    def process_environment(self) -> dict[str, str]:
        """Return the environment of a process on this machine that belongs to the cloud, with nothing inherited."""
        return {"PATH": search_path(), "LANG": "C.UTF-8", "TROPISM_INSTANCE": self.instance}


def search_path() -> str:
    """Return a PATH on which this Python comes first."""
    return f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"


def find(home: Home | None = None) -> LocalCloud | None:
    """Return the record, or None when there is none. Raises LocalCloudError when it cannot be read."""
    path = (home or Home.chosen()).record
    if not path.exists():
        return None
    try:
        return LocalCloud.model_validate_json(path.read_text())
    except ValidationError as error:
        raise LocalCloudError(
            f"{path} is not a record of a local cloud.",
            detail=f"{error.error_count()} faults, the first: {error.errors()[0]['msg']}.",
            resolution="Run: tropism up --fresh",
        ) from error


def load(home: Home | None = None) -> LocalCloud:
    """Return the record. Raises LocalCloudError when there is none."""
    found = find(home)
    if found is None:
        raise LocalCloudError("There is no local cloud on this machine yet.", resolution="Run: tropism up")
    return found


def save(cloud: LocalCloud) -> None:
    """Write the record at once or not at all."""
    cloud.home.path.mkdir(parents=True, exist_ok=True)
    draft = cloud.home.record.with_suffix(".draft")
    draft.write_text(json.dumps(cloud.model_dump(mode="json"), indent=2) + "\n")
    draft.replace(cloud.home.record)


def settle(home: Home, environ: Mapping[str, str]) -> LocalCloud:
    """Return the record with the ports `environ` asks for; a port nobody asked for is remembered, or found free.

    Asked for by TROPISM_EMULATOR_PORT and TROPISM_PREFECT_PORT; TROPISM_ROOT names the folder with the products,
    this checkout when it is not set. Writes nothing.
    """
    known = find(home)
    asked = {name: _port(environ, f"TROPISM_{name.upper()}") for name in ("emulator_port", "prefect_port")}
    ports = {name: port or getattr(known, name, None) or free_port() for name, port in asked.items()}
    root = Path(environ.get("TROPISM_ROOT") or REPO).resolve()
    if known:
        return known.model_copy(update={**ports, "root": root})
    return LocalCloud(instance=secrets.token_hex(4), home=home, root=root, **ports)


def free_port() -> int:
    """Return a loopback port nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 65535:  # noqa: PLR2004 - the last port there is
        raise UsageError(f"{name} is no port: found {text!r}, expected a number from 1 to 65535.")
    return int(text)
