"""One local cloud in a folder of its own, and a table's way through it by the command line alone. For `own_data.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
from pydantic import TypeAdapter

from benchmarks.own_lines import Ended, Line, answered, failed, line
from benchmarks.own_tables import Table
from cli.batches import sentence
from cli.initialised import Initialised
from cli.models import Model
from cli.predict import Prediction
from cli.shapes import Dropped, ProductStatus, Why
from localcloud.address import Home, LocalCloud, load

REPO = Path(__file__).resolve().parent.parent
SECONDS = 300
"""How long a table may take from `init` to an answer of its model."""
_FOREIGN = ("AWS_", "PREFECT_", "MLFLOW_", "TROPISM_")  # of another cloud, or of an account
_ANSWERS_NO = 1
_DEPLOYED = ("id", "name", "created", "entrypoint", "path", "pull_steps", "parameters", "job_variables")
Shape = TypeVar("Shape")
Deliveries, Models = tuple[Dropped, ...], tuple[Model, ...]


class CommandError(Exception):
    """A command of tropism ended with a sentence on standard error."""


@dataclass(frozen=True)
class House:
    """A folder for products, and a home for a cloud."""

    root: Path
    home: Path

    def run(self, *arguments: object) -> str:
        """Run a command as a user does and return what it printed. Raises CommandError with its sentence."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        env = {**ours, "TROPISM_HOME": str(self.home), "TROPISM_ROOT": str(self.root)}
        command = [str(Path(sys.executable).parent / "tropism"), *map(str, arguments), "--json"]
        done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=False)
        if done.returncode not in (0, _ANSWERS_NO) or not done.stdout:
            raise CommandError(" ".join(done.stderr.split()))
        return done.stdout

    def ask(self, shape: type[Shape], *arguments: object) -> Shape:
        """Run a command that answers in a shape."""
        return TypeAdapter(shape).validate_json(self.run(*arguments))

    def draw_up(self, table: Table, paths: Sequence[Path], *more: str) -> Initialised:
        """Have `init` describe the files."""
        return self.ask(Initialised, "init", table.name, "--data", *paths, "--target", table.target, "--yes", *more)


@contextmanager
def house() -> Iterator[House]:
    """Make a folder without any product, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="tropism-own-data-") as temporary:
        made = House(Path(temporary) / "house", Path(temporary) / "home")
        for folder in ("products", "expectations"):
            (made.root / folder).mkdir(parents=True)
        yield made


@contextmanager
def cloud_of(made: House) -> Iterator[LocalCloud]:
    """Start a cloud for a house and end it afterwards, whatever happens in between."""
    try:
        made.run("up")
        yield load(Home(path=made.home))
    finally:
        made.run("down", "--wipe")


def serve(made: House, cloud: LocalCloud, table: Table, folder: Path) -> Line:
    """Draw a table up, drop its files, follow them to their end, and ask the endpoint."""
    paths, begun = table.write(folder), time.monotonic()
    try:
        drawn = made.draw_up(table, paths)
        dropped = made.ask(Deliveries, "drop", table.name, *paths, "--wait", "--timeout", SECONDS)
        serves = _serving(made, table.name, begun + SECONDS)
        answer = answered(made.ask(Prediction, "predict", table.name).predictions) if serves else ""
        seconds = time.monotonic() - begun
        metrics = _metrics(made, cloud, table.name, serves)
    except CommandError as error:
        return failed(table, str(error))
    told = [] if serves else [f"{Path(one.file).name}: {sentence(why)}" for one in dropped for why in _reasons(one)]
    return line(table, drawn, metrics, told, Ended(f"model {serves}" if serves else "", answer, seconds))


def rehearse(made: House, table: Table, folder: Path) -> Line:
    """Draw a table up and have `init` work through ingest and training, without a cloud."""
    paths, begun = table.write(folder), time.monotonic()
    try:
        drawn = made.draw_up(table, paths, "--rehearse")
    except CommandError as error:
        return failed(table, str(error))
    seen, seconds = drawn.rehearsed, time.monotonic() - begun
    if seen is None:
        raise CommandError(f"`init --rehearse` of {table.name} rehearsed nothing.")
    reasons = () if seen.would_serve else seen.reasons
    return line(table, drawn, seen.metrics, reasons, Ended("would" if seen.would_serve else "", "", seconds))


def deployed(cloud: LocalCloud) -> tuple[str, ...]:
    """Return what is deployed: all that is said of a deployment but what work alone changes about it."""
    answer = httpx.post(f"{cloud.prefect_api_url}/deployments/filter", json={}, timeout=30)
    answer.raise_for_status()
    kept = ({name: one[name] for name in _DEPLOYED} for one in answer.json())
    return tuple(sorted(json.dumps(one, sort_keys=True) for one in kept))


def _serving(made: House, product: str, deadline: float) -> str:
    """Return the model version that the endpoint itself names, empty when it has none by the deadline."""
    while True:
        found = made.ask(ProductStatus, "status", product)
        if found.champion is None or found.endpoint.version or time.monotonic() > deadline:
            return found.endpoint.version or ""
        time.sleep(1)


def _metrics(made: House, cloud: LocalCloud, product: str, serves: str) -> Mapping[str, float]:
    """Return the metrics of the model that serves, else of the newest one, as its MLflow run has them."""
    from mlflow import MlflowClient  # noqa: PLC0415  heavy

    models = made.ask(Models, "models", product)
    run = next((one.mlflow_run for one in models if one.version == serves or not serves), None)
    kept = MlflowClient(cloud.mlflow_tracking_uri).get_run(run).data.metrics if run else {}
    return {name.removeprefix("challenger/"): value for name, value in kept.items() if name.startswith("challenger/")}


def _reasons(dropped: Dropped) -> tuple[Why, ...]:
    """Return why nothing serves: what refused the delivery, else what refused its model."""
    if dropped.state == "validated":
        return dropped.model.reasons if dropped.model else ()
    return dropped.reasons
