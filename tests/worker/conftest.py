"""A real Lambda runtime in the emulator, shared by every test of this folder."""

import io
import json
import sys
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest

from tests.orchestrator import ROOT, Prefect

ROLE = "arn:aws:iam::000000000000:role/run-flow"


@dataclass(frozen=True)
class Effects:
    """What the sample flows did: one line per start."""

    file: Path

    def of(self, flow_run_id: UUID) -> list[str]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [line.split()[0] for line in lines if line.split()[1] == str(flow_run_id)]

    def process_of(self, flow_run_id: UUID) -> int:
        lines = [line.split() for line in self.file.read_text().splitlines()]
        return next(int(pid) for _, run, pid in lines if run == str(flow_run_id))


@pytest.fixture(scope="session")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Effects:
    return Effects(tmp_path_factory.mktemp("effects") / "effects.txt")


@dataclass(frozen=True)
class Lambda:
    """Functions in the emulator, each a genuine Lambda runtime that runs the real handler."""

    client: Any = field(repr=False)
    create: Callable[..., str] = field(repr=False)

    def invoke(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        body: dict[str, Any] = json.loads(answer["Payload"].read())
        return body


@pytest.fixture(scope="session")
def lambdas(
    aws: Any,  # it sets where AWS is
    prefect: Prefect,
    effects: Effects,
    tmp_path_factory: pytest.TempPathFactory,
) -> Lambda:
    home = tmp_path_factory.mktemp("lambda")
    client = boto3.session.Session().client("lambda")
    bootstrap = f"#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m awslambdaric functions.run_flow.handler.handler\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        file.writestr(info, bootstrap)
    environ = {name: prefect.environ[name] for name in ("PREFECT_API_URL", "DO_NOT_TRACK", "PYTHONPATH")}
    environ |= {"PREFECT_HOME": str(home), "EFFECTS": str(effects.file)}

    def create(timeout: int = 120, memory: int = 512, **more: str) -> str:
        name = f"run-flow-{uuid.uuid4().hex[:8]}"
        client.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Handler="functions.run_flow.handler.handler",
            Role=ROLE,
            Code={"ZipFile": archive.getvalue()},
            Timeout=timeout,
            MemorySize=memory,
            Environment={"Variables": environ | more},
        )
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        return name

    return Lambda(client=client, create=create)


@pytest.fixture(scope="session")
def function(lambdas: Lambda) -> str:
    """One function that stays warm over the tests."""
    return lambdas.create()
