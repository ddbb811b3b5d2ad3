"""Once for real: the function's zip in the emulator, run by AWS's own runtime client, reached through its URL."""

import json
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deployments.package import package
from lifecycle.bundle import load
from tasks.packages import pack

pytestmark = pytest.mark.localcloud

ROW = {"amount": 9000.0, "income": 30000.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01T05:00:00"}
BODY = {"dataframe_records": [ROW, ROW | {"purpose": "yacht"}], "params": {"explain": True}}


@pytest.fixture(scope="module")
def client(aws: Any) -> Iterator[Any]:
    """Lambda of the emulator."""
    del aws
    made = boto3.session.Session().client("lambda")
    yield made
    made.close()


@pytest.fixture
def function(client: Any) -> Iterator[str]:
    """A function with the packed code and no bundle yet."""
    name = f"t{uuid.uuid4().hex[:8]}-predict"
    client.create_function(
        FunctionName=name,
        Role="arn:aws:iam::000000000000:role/predict",
        Runtime="provided.al2023",
        Handler="functions.predict.entry.handler",
        MemorySize=512,
        Timeout=20,
        Code={"ZipFile": code()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    yield name
    client.delete_function(FunctionName=name)


def code() -> bytes:
    return package("predict", python=Path(sys.executable)).body


def release(client: Any, function: str, root: Path) -> str:
    """Publish the bundle in `root` and return the new function version."""
    release = load(root / "bundle").release
    client.update_function_code(FunctionName=function, ZipFile=pack(code(), root / "bundle", release).body)
    client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
    version: str = client.publish_version(FunctionName=function)["Version"]
    return version


def invoke(client: Any, function: str, event: Any) -> Any:
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    assert "FunctionError" not in answer
    return json.loads(answer["Payload"].read())


def call(url: str, path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, headers={"content-type": "application/json"})  # noqa: S310  loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  loopback
            return answer.status, json.loads(answer.read()), {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), {k.lower(): v for k, v in error.headers.items()}


def url_of(client: Any, aws: Any, function: str, version: str) -> str:
    """Put a function URL on the alias `live` and return its address on the emulator."""
    client.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    made = client.create_function_url_config(FunctionName=function, Qualifier="live", AuthType="NONE")
    identity = made["FunctionUrl"].split("//")[1].split(".")[0]
    return f"{aws.endpoint}/_aws/lambda-url/{identity}"


def test_the_function_answers_behind_the_genuine_runtime(
    client: Any, aws: Any, function: str, loans: Any, ask: Any
) -> None:
    assert invoke(client, function, BODY)["reason"] == "no_champion"

    version = release(client, function, loans.root)
    url = url_of(client, aws, function, version)
    status, body, headers = call(url, "/invocations", BODY)
    assert status == 200
    here = ask(loans.root, BODY).body
    assert body["predictions"] == here["predictions"]
    assert body["explanations"] == here["explanations"]
    assert body["violations"] == {"unseen": {"purpose": 1}}
    assert (headers["x-model-version"], headers["x-function-version"]) == ("3", version)
    assert body["prediction_ids"] == [f"{headers['x-request-id']}-{row}" for row in range(2)]
    assert headers["x-engine"].startswith("libxgboost/")

    assert call(url, "/ping")[0] == 200
    assert call(url, "/nowhere")[0] == 404
    assert call(url, "/invocations", {"dataframe_records": [{}]})[0] == 400
    direct = invoke(client, f"{function}:{version}", BODY)
    assert (direct["status"], direct["predictions"], direct["function_version"]) == (200, body["predictions"], version)
