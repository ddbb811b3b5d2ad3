"""The loop on real flights: one cloud, one month dropped into it, and everybody asks what became of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.address import LocalCloud

ROOT = Path(__file__).parents[2]
FOREIGN = ("AWS_", "PREFECT_", "MLFLOW_", "TROPISM_")


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Tropism = Callable[..., Ran]


@pytest.fixture(scope="session")
def tropism(cloud: LocalCloud) -> Tropism:
    """Call the command line as a user does: no AWS variable, no Prefect profile, nothing but the home."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    env = {**clean, "TROPISM_HOME": str(cloud.home.path), "COLUMNS": "200"}

    def call(*arguments: str, timeout: float = 600) -> Ran:
        command = [str(Path(sys.executable).parent / "tropism"), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@dataclass(frozen=True)
class Prefect:
    """Prefect's own account of what ran and why."""

    api: str

    def runs(self, flow: str, *, since: datetime | None = None) -> list[dict[str, Any]]:
        wanted: dict[str, Any] = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_ASC", "limit": 200}
        if since is not None:
            wanted["flow_runs"] = {"expected_start_time": {"after_": since.isoformat()}}
        answer = httpx.post(f"{self.api}/flow_runs/filter", json=wanted, timeout=30)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found


@pytest.fixture(scope="session")
def prefect(cloud: LocalCloud) -> Prefect:
    return Prefect(cloud.prefect_api_url)


@dataclass(frozen=True)
class Loop:
    """A month that was dropped: when, its file, and what `drop --wait` said of its end."""

    since: datetime
    file: Path
    ended: dict[str, Any]


@pytest.fixture(scope="session")
def loop(cloud: LocalCloud, tropism: Tropism, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Drop January as it was published and follow it to its end: a model that serves."""
    folder, since = tmp_path_factory.mktemp("months"), datetime.now(UTC)
    script = ROOT / "products" / "flights" / "drops.py"
    subprocess.run([sys.executable, str(script), str(folder), "--months", "1"], check=True, capture_output=True)
    [january] = folder.glob("*.csv")
    ran = tropism("drop", "flights", str(january), "--wait", "--timeout", "800", "--json", timeout=900)
    assert ran.code == 0, ran.err
    [ended] = ran.json
    return Loop(since, january, ended)


@dataclass(frozen=True)
class Demo:
    """The demo as it was told, and when it began."""

    since: datetime
    told: dict[str, list[str]]


@pytest.fixture(scope="session")
def demo(tropism: Tropism) -> Demo:
    since = datetime.now(UTC)
    ran = tropism("demo", "--json", timeout=900)
    assert ran.code == 0, ran.err
    return Demo(since, {step["step"]: step["outcome"] for step in ran.json})
