"""`prefect deploy --all` as a process of its own: it imports flows, changes folders and keeps global state."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lifecycle.errors import ServiceError
from lifecycle.settings import Settings

_TIMEOUT_SECONDS = 300
"""Five deployments take 5 s on an idle machine, 20 s on a busy one."""
_LINES = 20
_WORSE_THAN_SUCCESS = ("Skipping", "does not exist", "not found in provided values")


def deploy_all(settings: Settings, source: Path, environ: Mapping[str, str]) -> None:
    """Deploy everything in a `prefect.yaml`, from its folder. A second call makes the triggers anew, and nothing else.

    Raises ServiceError with the last lines when the command fails or says that it left something out.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", source.name]
    ambient = {**environ, "PREFECT_API_URL": str(settings.prefect_api_url), "NO_COLOR": "1", "TERM": "dumb"}
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and fixed arguments
            command,
            cwd=source.resolve().parent,
            env=ambient,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(
            "`prefect deploy --all` does not come to an end.", detail=f"It ran for {_TIMEOUT_SECONDS} s."
        ) from error
    left_out = [line.strip() for line in done.stdout.splitlines() if any(sign in line for sign in _WORSE_THAN_SUCCESS)]
    if done.returncode or left_out:
        said = left_out or [line.strip() for line in done.stdout.splitlines() if line.strip()][-_LINES:]
        raise ServiceError(
            f"`prefect deploy --all` failed with exit code {done.returncode}.", detail=" ".join(said)[-2000:]
        )
