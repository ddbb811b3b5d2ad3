"""The isolated environment of the local cloud: ministack, its own botocore, and AWS's Lambda runtime emulator.

It never touches `.venv`: ministack pins a botocore that prefect-aws' aiobotocore refuses, so the two cannot share.
Every file is checked against the hashes of `requirements.txt`.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lifecycle.errors import LocalCloudError

REPO = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPO / "localcloud" / "requirements.txt"
VENV = REPO / ".tropism" / "cloud-venv"
_FLAGS = ("--require-hashes", "--no-deps")
_MARKER = ".requirements-sha256"
_RIE_NAMES = {
    "x86_64": "aws-lambda-rie-x86_64",
    "aarch64": "aws-lambda-rie-arm64",
    "arm64": "aws-lambda-rie-arm64",
}


def install(venv: Path = VENV, requirements: Path = REQUIREMENTS) -> Path:
    """Make `venv` hold exactly `requirements` and return its Python; a second call only reads one small file.

    Raises LocalCloudError when uv is missing or refuses a file.
    """
    python = venv / "bin" / "python"
    digest = _digest(requirements)
    with _locked(venv):
        if _read(venv / _MARKER) == digest and python.exists():
            return python
        uv = _uv()
        shutil.rmtree(venv, ignore_errors=True)
        _run([*uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
        _run([*uv, "pip", "install", "--quiet", "--python", str(python), *_FLAGS, "-r", str(requirements)])
        (venv / _MARKER).write_text(digest)
    return python


def runtime_emulator(venv: Path = VENV) -> Path:
    """Return the Runtime Interface Emulator binary for this machine, made executable.

    Raises LocalCloudError on a machine AWS ships no binary for.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _RIE_NAMES:
        raise LocalCloudError(
            "AWS's Lambda runtime emulator does not exist for this machine.",
            detail=f"Found {sys.platform} on {machine}, expected linux on one of {', '.join(sorted(_RIE_NAMES))}.",
            resolution="Use a Linux machine, container or virtual machine.",
        )
    found = sorted(venv.glob(f"lib/python*/site-packages/samcli/local/rapid/{_RIE_NAMES[machine]}"))
    if not found:
        raise LocalCloudError(
            f"{venv} has no {_RIE_NAMES[machine]}.",
            detail="Either the environment is damaged or the wheel of aws-sam-cli changed its layout.",
            resolution=f"Run: rm -r {venv} && tropism up",
        )
    found[0].chmod(0o755)
    return found[0]


def _digest(requirements: Path) -> str:
    # The interpreter belongs to the identity: a venv made by another Python is useless to this one.
    return hashlib.sha256(requirements.read_bytes() + sys.version.encode() + sys.base_prefix.encode()).hexdigest()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _uv() -> list[str]:
    """Return the command that runs uv: the program on PATH, else the module of this Python."""
    if found := shutil.which("uv"):
        return [found]
    probe = subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True, check=False)
    if probe.returncode == 0:
        return [sys.executable, "-m", "uv"]
    raise LocalCloudError("uv is not on PATH and not a module of this Python. Run: python -m pip install uv")


def _run(command: list[str]) -> None:
    # VIRTUAL_ENV would make uv warn about, or pick, the application's environment.
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603 - the command is ours
        command, capture_output=True, text=True, check=False, env=env
    )
    if done.returncode != 0:
        raise LocalCloudError(
            "The local cloud's environment could not be installed.",
            detail=f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()[-1500:]}",
        )


@contextmanager
def _locked(venv: Path) -> Iterator[None]:
    """Let one process at a time make the environment; others wait and then find it made."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with (venv.parent / f"{venv.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    install()
