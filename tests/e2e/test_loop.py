"""A file dropped in the bucket becomes a serving model, by events alone; and what must not get through does not."""

from __future__ import annotations

import io
import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import httpx
import pandas as pd
import pytest

from localcloud.address import LocalCloud
from tests.e2e.conftest import Loop, Prefect, Tropism

pytestmark = pytest.mark.localcloud
PRODUCT = "flights"


@pytest.fixture(scope="module")
def december(loop: Loop) -> pd.DataFrame:
    """A month the product has not seen, made from one it has: other bytes, the same shape."""
    return pd.read_csv(loop.file)


def status(tropism: Tropism) -> Any:
    ran = tropism("status", PRODUCT, "--json")
    assert ran.code == 0, ran.err
    return ran.json


def test_a_dropped_month_becomes_the_model_that_answers(loop: Loop, tropism: Tropism) -> None:
    assert (loop.ended["state"], loop.ended["rows"]["received"]) == ("validated", 27_004)
    assert (loop.ended["model"]["version"], loop.ended["model"]["state"]) == ("1", "promoted")
    assert status(tropism)["endpoint"]["version"] == "1"


def test_no_run_was_started_by_hand(loop: Loop, prefect: Prefect) -> None:
    runs = {flow: prefect.runs(flow, since=loop.since) for flow in ("ingest", "train", "release")}
    causes = {flow: {(run["created_by"] or {}).get("type") for run in found} for flow, found in runs.items()}
    assert causes == {"ingest": {"AUTOMATION"}, "train": {"AUTOMATION"}, "release": {"AUTOMATION"}}


def test_ingest_runs_on_the_lambda_pool_and_train_on_the_ecs_pool(loop: Loop, prefect: Prefect) -> None:
    pools = {
        flow: {run["work_pool_name"] for run in prefect.runs(flow, since=loop.since)} for flow in ("ingest", "train")
    }
    assert pools == {"ingest": {"lambda"}, "train": {"ecs"}}


def test_the_endpoint_itself_answers_what_status_says(loop: Loop, tropism: Tropism) -> None:
    told = status(tropism)
    request = (Path(__file__).parents[2] / "products" / PRODUCT / "sample" / "request.json").read_text()
    address = told["endpoint"]["url"].rstrip("/") + "/invocations"
    answer = httpx.post(address, content=request, headers={"content-type": "application/json"}, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["x-model-version"] == told["champion"]["version"] == told["endpoint"]["version"]


def test_everything_agrees(loop: Loop, tropism: Tropism) -> None:
    ran = tropism("verify", PRODUCT, "--json")
    assert ran.code == 0, ran.out + ran.err


def flipped(frame: pd.DataFrame) -> bytes:
    whole = bytearray(frame.to_parquet(index=False, write_page_checksum=True))
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    return bytes(whole)


BAD: dict[str, tuple[str, Callable[[pd.DataFrame], bytes]]] = {
    "a schema break": (
        "break.csv",
        lambda f: f.assign(distance=f.distance.astype(str) + " mi").to_csv(index=False).encode(),
    ),
    "a renamed column": (
        "renamed.csv",
        lambda f: f.rename(columns={"distance": "distance_mi"}).to_csv(index=False).encode(),
    ),
    "an empty file": ("empty.csv", lambda _: b""),
    "a parquet with flipped bytes": ("flipped.parquet", flipped),
    "a CSV saved as parquet": ("saved.parquet", lambda f: f.to_csv(index=False).encode()),
}


def test_what_is_broken_is_quarantined_with_a_sentence_and_changes_nothing(
    loop: Loop, tropism: Tropism, prefect: Prefect, cloud: LocalCloud, december: pd.DataFrame, tmp_path: Path
) -> None:
    before, trained = status(tropism), len(prefect.runs("train"))
    contents = {what: (tmp_path / name, make(december)) for what, (name, make) in BAD.items()}
    for path, body in contents.values():
        path.write_bytes(body)
    ran = tropism(
        "drop", PRODUCT, *[str(path) for path, _ in contents.values()], "--wait", "--timeout", "500", "--json"
    )
    assert ran.code == 1, ran.err
    assert {Path(end["file"]).name: end["state"] for end in ran.json} == {
        path.name: "quarantined" for path, _ in contents.values()
    }
    assert [end["file"] for end in ran.json if not end["reasons"]] == []
    s3 = boto3.session.Session("test", "test", region_name="us-east-1").client(
        "s3", endpoint_url=cloud.aws_endpoint_url
    )
    kept = {}
    for end in ran.json:
        key = f"quarantine/{PRODUCT}/{end['batch_id']}/original"
        kept[Path(end["file"]).name] = s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read()
    s3.close()
    assert kept == {path.name: body for path, body in contents.values()}
    after = status(tropism)
    assert (after["champion"], after["endpoint"]) == (before["champion"], before["endpoint"])
    assert len(prefect.runs("train")) == trained


def test_the_same_event_five_times_is_one_delivery(
    loop: Loop, tropism: Tropism, cloud: LocalCloud, december: pd.DataFrame
) -> None:
    """The bridge is handed the same message five times at once; one batch comes out."""
    aws = boto3.session.Session("test", "test", region_name="us-east-1")
    s3, functions = (aws.client(name, endpoint_url=cloud.aws_endpoint_url) for name in ("s3", "lambda"))
    body = io.BytesIO()
    december.head(200).to_csv(body, index=False)  # too few rows: a quarantine is an end too, and trains nothing
    name = "five times ümläut +%.csv"
    key = f"landing/{PRODUCT}/{name}"
    version = s3.put_object(Bucket=cloud.bucket, Key=key, Body=body.getvalue())["VersionId"]
    detail = {
        "bucket": {"name": cloud.bucket},
        "object": {"key": key, "size": len(body.getvalue()), "etag": "0" * 32, "version-id": version, "sequencer": "1"},
        "reason": "PutObject",
    }
    event = {
        "version": "0",
        "id": "9b9cc1d4-0000-4000-8000-000000000000",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "account": "000000000000",
        "resources": [f"arn:aws:s3:::{cloud.bucket}"],
        "detail": detail,
    }
    record = {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(event)}
    for _ in range(5):
        answer = functions.invoke(FunctionName="tropism-bridge", Payload=json.dumps({"Records": [record]}))
        assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    s3.close()
    functions.close()
    ended = [batch for batch in wait_for_batches(tropism, name) if batch["file"] == name]
    assert len(ended) == 1
    assert ended[0]["deliveries"] == 1


def wait_for_batches(tropism: Tropism, name: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        found: list[dict[str, Any]] = tropism("batches", PRODUCT, "--json").json
        if any(batch["file"] == name and batch["state"] != "landed" for batch in found):
            time.sleep(5)  # a second one would come now
            return list(tropism("batches", PRODUCT, "--json").json)
        time.sleep(3)
    pytest.fail(f"{name} has no end after 240 s")


def test_the_readmes_commands_work(loop: Loop, tropism: Tropism) -> None:
    """Every `tropism` line of the README's shell blocks, as it stands there."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", readme, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/tropism ")]
    assert len(commands) >= 5
    assert {" ".join(command): tropism(*command).code for command in commands} == {
        " ".join(command): 0 for command in commands
    }
    assert [line for line in lines if line.startswith("make ")] == ["make demo", "make test"]
