"""A product on a local cloud whose models are made by hand and released by the loop, step by step, on live requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from lifecycle import bundle
from lifecycle.control import ControlRecord
from lifecycle.events import ModelChallenged
from lifecycle.ledger import Entry
from lifecycle.settings import Settings
from tasks import control, endpoint, events, ledger
from tests.conftest import Aws
from tests.faults import models
from tests.faults.loop import Loop, eventually
from tests.faults.models import Fault
from tests.faults.stream import Stream, body
from tests.release.conftest import House, register

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """What a command printed, how it ended, and when it was given, on the monotonic clock."""

    code: int
    out: str
    err: str
    began: float
    ended: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Stage:
    """One product. Everything is told through the doors that trainings, callers and people use."""

    loop: Loop
    house: House
    folder: Path

    @property
    def settings(self) -> Settings:
        return self.house.settings

    @property
    def product(self) -> str:
        return self.house.product

    @property
    def record(self) -> ControlRecord:
        return control.read(self.house.bucket, self.product).record

    @property
    def champion(self) -> str | None:
        found = self.record.champion
        return found.model_version if found else None

    def challenge(self, fault: Fault) -> str:
        """Register a model that passed the gate against what serves now, and tell of it, as a training does."""
        made = self.folder / os.urandom(4).hex()
        digest = models.write(made, self.product, fault)
        assert bundle.load(made).digest == digest
        version = register(self.house, made, champion=self.champion)
        events.send(ModelChallenged(product=self.product, version=version, bundle=digest))
        return version

    def promoted(self, fault: Fault) -> str:
        """Have a model released that nothing holds, and wait until it serves."""
        version = self.challenge(fault)
        eventually(f"model {version} serving", lambda: self.loop.serving() == version and self.loop.quiet())
        return version

    def until(self, what: str, *codes: str) -> ControlRecord:
        """Wait until the release under way gives these reasons."""

        def found() -> ControlRecord | None:
            record = self.record
            given = {str(reason.code) for reason in record.rollout.reasons} if record.rollout else set()
            return record if given >= set(codes) else None

        return eventually(f"{what} with {codes}", found, seconds=240)

    def taken_back(self, version: str) -> Entry:
        """Wait until a model's release was taken back and everything has followed; return what the ledger says."""

        def found() -> Entry | None:
            record = self.record
            if record.challenger is not None or record.release is not None:
                return None
            entries = ledger.entries(self.house.bucket, self.product)
            return next((one for one in entries if (one.action, one.from_) == ("take_back", version)), None)

        return eventually(f"the end of the release of model {version}", found, seconds=240)

    def steps(self, version: str) -> list[float]:
        """Return the weights the ledger says a model had, one for each entry."""
        entries = ledger.entries(self.house.bucket, self.product)
        return [float(str(one.evidence["weight"])) for one in entries if (one.action, one.to) == ("step", version)]

    def alias(self) -> endpoint.AliasState:
        found = endpoint.alias(self.house.function)
        assert found is not None
        return found

    def stream(self, *, rows: int = 1, least_load: float = models.LEAST_LOAD, pause: float = 0.0) -> Stream:
        """Callers of this product, not yet asking."""
        public = endpoint.public_url(self.house.function)
        assert public is not None
        asked = [body(models.rows(rows, seed, least_load=least_load)) for seed in range(500 if rows == 1 else 20)]
        return Stream(endpoint.reachable(self.settings, public), asked, pause)

    def answers(self, times: int = 20) -> set[str | None]:
        """Ask the endpoint itself; return the models it answered as."""
        return {self.loop.serving() for _ in range(times)}

    def tropism(self, *arguments: str, seconds: float = 300) -> Ran:
        """Give a command as a person does, in a process of its own."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.loop.cloud.environment(), "COLUMNS": "200"}
        command, began = [str(Path(sys.executable).parent / "tropism"), *arguments], time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=seconds, check=False)
        return Ran(done.returncode, done.stdout, done.stderr, began, time.monotonic())


@contextmanager
def staged(loop: Loop, folder: Path) -> Iterator[Stage]:
    """Work in the environment of a cloud."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in loop.cloud.environment().items():
            patch.setenv(name, value)
        aws = Aws(loop.cloud.aws_endpoint_url, loop.s3)
        with temporary_settings({PREFECT_API_URL: loop.cloud.prefect_api_url}):
            yield Stage(loop, House(Settings(), aws, loop.product), folder)
