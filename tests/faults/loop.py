"""A loop to do harm to: a product in a running local cloud, what is dropped for it, and what the records say."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from mypy_boto3_s3 import S3Client

from localcloud.address import LocalCloud

T = TypeVar("T")
PAGE = 200  # the most the server gives at once
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
LONGEST = 900.0  # seconds; only so that a loop that stands still ends a test


def eventually(what: str, ask: Callable[[], T | None], seconds: float = LONGEST, every: float = 0.25) -> T:
    """Ask until there is an answer; a loop that is being harmed may refuse to answer for a while."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if found := ask():
                return found
        except (httpx.HTTPError, sqlite3.Error, BotoCoreError, ClientError) as error:
            last = error
        time.sleep(every)
    pytest.fail(f"Not within {seconds:.0f} s: {what}. {last or ''}")


@dataclass(frozen=True)
class Loop:
    """One product in one cloud. Everything is read from the records themselves, never from what a flow returned."""

    cloud: LocalCloud
    product: str
    s3: S3Client
    http: httpx.Client

    def drop(self, name: str, body: bytes) -> str:
        """Put a file into the landing zone; return its key."""
        key = f"landing/{self.product}/{name}"
        self.s3.put_object(Bucket=self.cloud.bucket, Key=key, Body=body)
        return key

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """This product's runs of a flow, the oldest first."""
        found: list[dict[str, Any]] = []
        for page in count():
            wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": PAGE}
            answer = self.http.post("flow_runs/filter", json={**wanted, "offset": PAGE * page})
            found += answer.raise_for_status().json()
            if len(answer.json()) < PAGE:
                break
        return [run for run in found if run["parameters"].get("product") == self.product]

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.http.get(f"flow_runs/{run_id}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def states(self, run_id: str) -> list[str]:
        """Every state a run was in, in order."""
        answer = self.http.get("flow_run_states/", params={"flow_run_id": run_id})
        answer.raise_for_status()
        return [state["type"] for state in sorted(answer.json(), key=lambda state: state["timestamp"])]

    def first(self, flow: str, *, besides: frozenset[str] = frozenset()) -> str:
        """Wait for a run of a flow that is none of `besides`; return its id."""

        def found() -> str | None:
            return next((run["id"] for run in self.runs(flow) if run["id"] not in besides), None)

        return eventually(f"a run of {flow} for {self.product}", found, every=0.02)

    def known(self, flow: str) -> frozenset[str]:
        """The ids of the runs of a flow there are by now."""
        return frozenset(run["id"] for run in self.runs(flow))

    def ended(self, run_id: str) -> dict[str, Any] | None:
        found = self.run(run_id)
        return found if found["state_type"] in ENDED else None

    def successor(self, run_id: str) -> dict[str, Any] | None:
        """The run that replaces a lost one."""
        answer = self.http.post(
            "flow_runs/filter", json={"flow_runs": {"idempotency_key": {"any_": [f"rerun:{run_id}"]}}}
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found[0] if found else None

    def quiet(self, *, challenges: int | None = None) -> bool:
        """Whether nothing lies in landing, no run of this product is open, and every challenge was entered."""
        flows = ("ingest", "train", "release", "rollback", "monitor", "respond")
        busy = any(run["state_type"] not in ENDED for flow in flows for run in self.runs(flow))
        if busy or self.keys(f"landing/{self.product}/"):
            return False
        return challenges is None or len(self.entries("challenge")) >= challenges

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.cloud.bucket, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def json(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=self.cloud.bucket, Key=key)["Body"].read())

    def deliveries(self) -> list[dict[str, Any]]:
        return [self.json(key) for key in self.keys(f"control/{self.product}/deliveries/")]

    def delivered(self) -> Counter[str]:
        """How many deliveries are in which state."""
        return Counter(record["state"] for record in self.deliveries())

    def manifests(self) -> list[dict[str, Any]]:
        """The manifests of the validated batches."""
        return [self.json(key) for key in self.keys(f"validated/{self.product}/") if key.endswith("/manifest.json")]

    def quarantined(self) -> set[str]:
        """The batches that are in quarantine as a whole."""
        keys = self.keys(f"quarantine/{self.product}/")
        return {key.split("/")[2] for key in keys if key.endswith("/original")}

    def entries(self, *actions: str) -> list[dict[str, Any]]:
        """The ledger's entries of some kinds, the oldest first."""
        found = [self.json(key) for key in self.keys(f"ledger/{self.product}/") if key.rpartition("/")[2][0].isdigit()]
        return [entry for entry in found if entry["action"] in actions]

    def control(self) -> dict[str, Any] | None:
        key = f"control/{self.product}.json"
        found: dict[str, Any] | None = self.json(key) if self.keys(key) else None
        return found

    def turn(self) -> dict[str, Any] | None:
        """Whose turn it is to train."""
        key = next((key for key in self.keys(f"control/{self.product}/") if "/deliveries/" not in key), None)
        found: dict[str, Any] | None = self.json(key) if key else None
        return found

    def versions(self) -> list[tuple[str, str]]:
        """Every registered version and the MLflow run it was made in, from the tables: fast enough to kill by."""
        return self._registry(
            "SELECT CAST(version AS TEXT), run_id FROM model_versions WHERE name = ? ORDER BY version"
        )

    def trainings(self) -> list[tuple[str, str]]:
        """Every MLflow run of the product, with its status."""
        return self._registry(
            "SELECT run_uuid, status FROM runs JOIN experiments USING (experiment_id)"
            " WHERE experiments.name = ? OR experiments.name LIKE '%/' || ?1"
        )

    def _registry(self, question: str) -> list[tuple[str, str]]:
        path = self.cloud.home.path / "mlflow.db"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return [(str(one), str(two)) for one, two in connection.execute(question, (self.product,))]
        finally:
            connection.close()

    def serving(self) -> str | None:
        """The model the endpoint itself answers as."""
        function = f"{self.cloud.function_prefix}-predict-{self.product}"
        url = f"{self.cloud.aws_endpoint_url}/2021-10-31/functions/{function}/url"
        found = httpx.get(url, params={"Qualifier": "live"}, timeout=30)
        if found.status_code != httpx.codes.OK:
            return None
        address = found.json()["FunctionUrl"].split("//")[1].split(".")[0]
        answer = httpx.get(f"{self.cloud.aws_endpoint_url}/_aws/lambda-url/{address}/ping", timeout=30)
        return answer.headers.get("x-model-version")


def folder(house: Path, product: str) -> Path:
    """Where a product's files are."""
    return house / "products" / product
