"""What the local cloud needs of this machine. Nothing is installed, started or asked over a network."""

from __future__ import annotations

import platform
import shutil
import socket
import sys
from importlib.util import find_spec

from cli.context import home
from cli.findings import Finding, missing, ok

PYTHON = ((3, 11), (3, 14))  # `requires-python` of pyproject.toml
FREE_GIGABYTES = 3.0  # the environments take 1.2 GB; a year of a product like flights with its models under 1 GB


def look() -> list[Finding]:
    """Check Python, the operating system, uv, the disk, ports and the emulator's environment."""
    return [_python(), _system(), _uv(), _disk(), _ports(), _emulator()]


def _python() -> Finding:
    (low, high), said = PYTHON, platform.python_version()
    if low <= sys.version_info[:2] < high:
        return ok("Python", said)
    wanted = f"3.{low[1]} to 3.{high[1] - 1}"
    return missing("Python", f"{said}, expected {wanted}", f"Install Python 3.{low[1]}, then `make up`.")


def _system() -> Finding:
    found = f"{platform.system()} on {platform.machine()}"
    if sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64", "arm64"}:
        return ok("operating system", found)
    return missing(
        "operating system",
        f"{found}; AWS ships its Lambda runtime emulator for Linux on x86-64 and arm64 only",
        "Use a Linux machine, container or virtual machine, or work on an account: set TROPISM_BUCKET.",
    )


def _uv() -> Finding:
    if found := shutil.which("uv"):
        return ok("uv", found)
    if find_spec("uv") is not None:
        return ok("uv", f"a module of {sys.executable}")
    return missing("uv", "not on PATH and not a module of this Python", "Run `python -m pip install uv`.")


def _disk() -> Finding:
    folder = home() if home().exists() else home().parent
    free = shutil.disk_usage(folder).free / 1e9
    said = f"{free:.1f} GB free at {folder}"
    if free >= FREE_GIGABYTES:
        return ok("disk", said)
    return missing("disk", f"{said}, expected {FREE_GIGABYTES:.0f} GB", "Free some space, or `tropism down --wipe`.")


def _ports() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return missing("ports", f"127.0.0.1 gives no port: {error}", "Allow programs to listen on 127.0.0.1.")
    return ok("ports", "127.0.0.1 gives free ports")


def _emulator() -> Finding:
    from localcloud.install import VENV

    if (VENV / "bin" / "python").exists():
        return ok("emulator", f"installed in {VENV}")
    return missing("emulator", f"{VENV} is not there", "Run `tropism up`; it installs it once.")
