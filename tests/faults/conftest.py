"""One local cloud to do harm to, with a product of its own for every test, and a table of what was measured."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from localcloud.address import Home, LocalCloud
from localcloud.down import down
from localcloud.up import up
from tests.faults.loop import Loop, eventually

TEMPLATE = Path(__file__).parent / "house"
MEASURED = pytest.StashKey[list["Measured"]]()


@dataclass
class Measured:
    """What one fault came to, in seconds after it."""

    fault: str
    point: str
    terminal: float | None = None
    done: float | None = None
    found: str = ""
    verdict: str = field(default="", compare=False)

    def row(self) -> str:
        terminal, done = (f"{value:6.1f}" if value is not None else "     -" for value in (self.terminal, self.done))
        return f"{self.fault:34} {self.point:44} {terminal} {done}  {self.verdict:6} {self.found}"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of products of the tests' own."""
    made = tmp_path_factory.mktemp("house")
    for name in ("products", "expectations"):
        (made / name).mkdir()
    return made


@pytest.fixture(scope="session")
def sensors_cloud(
    house: Path, session_environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalCloud]:
    """A whole local cloud whose products are this folder's."""
    home = Home(path=tmp_path_factory.mktemp("faults"))
    session_environment.setenv("TROPISM_ROOT", str(house))
    try:
        yield up(home=home)
    finally:
        down(home=home)


@pytest.fixture
def loop(sensors_cloud: LocalCloud, house: Path) -> Iterator[Loop]:
    """A product that nothing has happened to yet; it is taken away when all its runs have ended."""
    with product_on(sensors_cloud, house) as made:
        yield made


@contextmanager
def product_on(cloud: LocalCloud, house: Path, template: str = "sensors", **release: Any) -> Iterator[Loop]:
    """Make a product whose releases proceed as told, and take it away when all its runs have ended."""
    name = f"{template}-{uuid.uuid4().hex[:6]}"
    _furnish(house, template, name, release)
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=cloud.aws_endpoint_url)
    with httpx.Client(base_url=cloud.prefect_api_url + "/", timeout=30) as http:
        made = Loop(cloud, name, s3, http)
        yield made
        eventually(f"the end of every run of {name}", made.quiet)
    s3.close()
    shutil.rmtree(house / "products" / name)


@pytest.fixture
def measured(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Measured]:
    """What the test writes its seconds into; the table at the end shows it, whatever the verdict."""
    kept = request.config.stash.setdefault(MEASURED, [])
    one = Measured(request.node.name, "", verdict="failed")
    kept.append(one)
    yield one
    for name in ("fault", "point", "terminal", "done", "found"):
        record_property(name, getattr(one, name))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call" and "measured" in getattr(item, "fixturenames", ()):
        item.config.stash[MEASURED][-1].verdict = report.outcome
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if kept := config.stash.get(MEASURED, []):
        terminalreporter.section("faults: seconds after the fault until the run had ended, and until all was done")
        for one in kept:
            terminalreporter.line(one.row())


def _furnish(house: Path, template: str, name: str, release: Mapping[str, Any]) -> None:
    """Write the template's product under another name, its suite first: a product without one is refused."""
    suite = (TEMPLATE / "expectations" / f"{template}_raw.json").read_text().replace(f"{template}_raw", f"{name}_raw")
    (house / "expectations" / f"{name}_raw.json").write_text(suite)
    draft = house / f".{name}"
    shutil.copytree(TEMPLATE / "products" / template, draft)
    said = (draft / "product.yaml").read_text().replace(f"name: {template}\n", f"name: {name}\n")
    more = f"\nrelease: {json.dumps(release)}\n" if release else ""
    (draft / "product.yaml").write_text(said + more)
    draft.rename(house / "products" / name)
