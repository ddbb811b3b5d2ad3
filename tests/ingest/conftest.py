"""Fixtures of the ingest tests: real rows of flights, a place on the emulator, and the story without Prefect."""

from __future__ import annotations

import importlib
import importlib.util
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.ingest import Work, take_in
from lifecycle import spec
from lifecycle.delivery import Delivery, Worker
from lifecycle.events import Event
from lifecycle.spec import Product
from tasks.clients import s3
from tasks.judging import Verdict
from tasks.step import Step
from tests.ingest import parts

ROOT = Path(__file__).parents[2]

with warnings.catch_warnings():
    # It imports a module that Python has deprecated, and the test run turns warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("great_expectations")


class Real:
    """Real departures, joined as the product's own script joins them."""

    def __init__(self) -> None:
        found = importlib.util.spec_from_file_location("flights_drops", ROOT / "products/flights/drops.py")
        assert found is not None
        assert found.loader is not None
        script = importlib.util.module_from_spec(found)
        found.loader.exec_module(script)
        self._year: pd.DataFrame = script.joined(script.data_folder())

    def month(self, number: int, *, rows: int | None = None) -> pd.DataFrame:
        """Return a month, or evenly spread rows of it, as it lands."""
        frame = self._year[self._year["month"] == number]
        step = 1 if rows is None else len(frame) // rows
        return frame.iloc[::step].head(rows or len(frame)).reset_index(drop=True)

    @staticmethod
    def csv(frame: pd.DataFrame) -> bytes:
        return frame.to_csv(index=False, lineterminator="\n").encode()

    @staticmethod
    def parquet(frame: pd.DataFrame) -> bytes:
        sink = io.BytesIO()
        frame.assign(time_hour=pd.to_datetime(frame["time_hour"])).to_parquet(
            sink, index=False, write_page_checksum=True
        )
        return sink.getvalue()


@pytest.fixture(scope="session")
def real() -> Real:
    return Real()


@pytest.fixture(scope="session")
def july(real: Real) -> pd.DataFrame:
    """Rows of July, evenly spread: enough for the gate, few enough to be quick."""
    return real.month(7, rows=1500)


@pytest.fixture(scope="session")
def flights() -> Product:
    return spec.load(ROOT / "products", "flights")


@dataclass
class Desk:
    """A bucket, and the story of ingest told by plain functions. `events` is what would have been sent."""

    bucket: str
    events: list[Event] = field(default_factory=list)
    reports: list[Delivery] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict, repr=False)
    runs: int = 0
    root: Path = ROOT
    product: str = "flights"

    def put(self, body: bytes, name: str = "july.csv") -> tuple[str, str]:
        """Let a file land; return its key and object version."""
        key = f"landing/{self.product}/{name}"
        return key, s3().put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"]

    def take_in(
        self,
        key: str,
        object_version: str | None = None,
        *,
        run: str | None = None,
        retry_of: str | None = None,
        step: Step | None = None,
    ) -> Delivery:
        self.runs += 1
        worker = Worker(run or f"run-{self.runs}", retry_of)
        work = Work(step or self.step, self.bucket, self.root / "products", self.root / "expectations", worker)
        return take_in(work, self.product, key, object_version)

    def deliver(self, body: bytes, name: str = "july.csv") -> Delivery:
        return self.take_in(*self.put(body, name))

    def step(self, name: str, work: Callable[..., Any], /, *arguments: Any) -> Any:
        """Carry out a step directly; what would reach Prefect is kept here, and each content is judged once.

        The same bytes under the same name have the same verdict, and judging is what takes time.
        """
        if name == "emit event":
            return self.events.append(*arguments)
        if name == "leave report":
            return self.reports.append(*arguments)
        if name != "judge rows":
            return work(*arguments)
        judged = f"{arguments[0]} {arguments[1].batch_id}"
        if judged not in self.verdicts:
            self.verdicts[judged] = work(*arguments)
        return self.verdicts[judged]

    def keys(self, prefix: str = "") -> list[str]:
        found = s3().list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [item["Key"] for item in found]

    def bytes_of(self, key: str) -> bytes:
        return s3().get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def contents(self, prefix: str) -> dict[str, bytes]:
        return {key: self.bytes_of(key) for key in self.keys(prefix)}


@pytest.fixture(scope="session")
def verdicts() -> dict[str, Verdict]:
    return {}


@pytest.fixture
def shop(aws: Any, tmp_path: Path) -> Desk:
    """A desk for a small product whose rules may be changed; nothing it judged is remembered."""
    parts.write(tmp_path)
    return Desk(aws.bucket(), root=tmp_path, product="parts", verdicts=Forgetful())


class Forgetful(dict[str, Verdict]):
    """Verdicts that are never found again."""

    def __contains__(self, key: object) -> bool:
        return False


@pytest.fixture
def desk(aws: Any, verdicts: dict[str, Verdict]) -> Desk:
    return Desk(aws.bucket(), verdicts=verdicts)
