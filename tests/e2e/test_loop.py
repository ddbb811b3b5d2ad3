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
from tests.e2e.conftest import Demo, Prefect, Ran, Tropism

pytestmark = pytest.mark.localcloud
PRODUCT = "flights"


@pytest.fixture(scope="module")
def december(cloud: LocalCloud, demo: Demo) -> pd.DataFrame:
    """A month the product has not seen, made from one it has: other bytes, the same shape."""
    return pd.read_csv(cloud.home.run / "demo" / "flights-2013-01.csv")


def status(tropism: Tropism) -> Any:
    ran = tropism("status", PRODUCT, "--json")
    assert ran.code == 0, ran.err
    return ran.json


def drop(tropism: Tropism, path: Path) -> Ran:
    return tropism("drop", PRODUCT, str(path), "--wait", "--json")


def test_the_demo_tells_the_story_of_the_months(demo: Demo) -> None:
    said = {step: " ".join(lines) for step, lines in demo.told.items()}
    assert "27,004 of 27,004 rows" in said["January arrives"]
    assert "answers as model 1" in said["January arrives"]
    assert "24,949 of 24,951 rows" in said["February arrives, with a real defect in it"]
    assert "RANGE wind_speed" in said["February arrives, with a real defect in it"]
    assert "is quarantined" in said["A month arrives truncated"]
    assert "is validated" in said["The mended file arrives, while people ask"]
    assert "duplicate" in said["The same file once more"].lower() or "same bytes" in said["The same file once more"]
    assert "now answers as model" in said["A step back"]


def test_no_run_was_started_by_hand(demo: Demo, prefect: Prefect) -> None:
    runs = {flow: prefect.runs(flow, since=demo.since) for flow in ("ingest", "train", "release")}
    looks = [run for run in runs["release"] if str(run["idempotency_key"]).startswith("tick/")]
    causes = {
        flow: {(run["created_by"] or {}).get("type") for run in found if run not in looks}
        for flow, found in runs.items()
    }
    assert causes == {"ingest": {"AUTOMATION"}, "train": {"AUTOMATION"}, "release": {"AUTOMATION"}}
    assert len(looks) >= 3  # a release in steps looks again by itself


def test_a_release_under_traffic_goes_in_steps_and_no_request_fails(demo: Demo, tropism: Tropism) -> None:
    told = demo.told["The mended file arrives, while people ask"]
    assert any(line.startswith("Meanwhile ") and "without an answer" not in line for line in told)
    moves = [entry for entry in tropism("history", PRODUCT, "--json").json if entry["action"] in ("step", "promote")]
    version = next(entry["to"] for entry in moves if entry["action"] == "step")
    weights = [(entry["action"], entry["evidence"].get("weight")) for entry in moves if entry["to"] == version]
    assert weights == [("step", 0.1), ("step", 0.5), ("step", 1.0), ("promote", 1.0)]


def test_ingest_runs_on_the_lambda_pool_and_train_on_the_ecs_pool(demo: Demo, prefect: Prefect) -> None:
    pools = {
        flow: {run["work_pool_name"] for run in prefect.runs(flow, since=demo.since)} for flow in ("ingest", "train")
    }
    assert pools == {"ingest": {"lambda"}, "train": {"ecs"}}


def test_the_endpoint_itself_answers_what_status_says(demo: Demo, tropism: Tropism) -> None:
    told = status(tropism)
    request = (Path(__file__).parents[2] / "products" / PRODUCT / "sample" / "request.json").read_text()
    address = told["endpoint"]["url"].rstrip("/") + "/invocations"
    answer = httpx.post(address, content=request, headers={"content-type": "application/json"}, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["x-model-version"] == told["champion"]["version"] == told["endpoint"]["version"]


def test_everything_agrees_after_the_demo(demo: Demo, tropism: Tropism) -> None:
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
    demo: Demo, tropism: Tropism, prefect: Prefect, cloud: LocalCloud, december: pd.DataFrame, tmp_path: Path
) -> None:
    before, trained = status(tropism), len(prefect.runs("train"))
    contents = {what: (tmp_path / name, make(december)) for what, (name, make) in BAD.items()}
    for path, body in contents.values():
        path.write_bytes(body)
    ran = tropism("drop", PRODUCT, *[str(path) for path, _ in contents.values()], "--wait", "--json")
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
    demo: Demo, tropism: Tropism, cloud: LocalCloud, december: pd.DataFrame
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
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found: list[dict[str, Any]] = tropism("batches", PRODUCT, "--json").json
        if any(batch["file"] == name and batch["state"] != "landed" for batch in found):
            time.sleep(5)  # a second one would come now
            return list(tropism("batches", PRODUCT, "--json").json)
        time.sleep(1)
    pytest.fail(f"{name} has no end after 90 s")


def test_the_readmes_commands_work(demo: Demo, tropism: Tropism) -> None:
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


def test_a_second_demo_succeeds_and_trains_on_nothing_twice(demo: Demo, tropism: Tropism, prefect: Prefect) -> None:
    trained = len(prefect.runs("train"))
    ran = tropism("demo", "--json", timeout=900)
    assert ran.code == 0, ran.err
    assert len(prefect.runs("train")) == trained + 1  # the month that was damaged, and no other
    said = {step["step"]: " ".join(step["outcome"]) for step in ran.json}
    assert "same bytes" in said["January arrives"]
