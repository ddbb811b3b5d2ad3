"""An alarm outlives the emulator's death: a model under release must not lose its net."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3

from localcloud.address import REPO, free_port
from localcloud.install import install

ALARM: dict[str, Any] = {
    "AlarmName": "kept",
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "ExecutedVersion", "Value": "7"}],
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 1,
    "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
}


def started(home: Path, port: int) -> subprocess.Popen[bytes]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "S3_PERSIST": "0",
        "STATE_DIR": str(home / "state"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    with (home / "emulator.log").open("ab") as log:
        process = subprocess.Popen(
            [str(install()), "-m", "localcloud.emulator"], env=env, cwd=REPO, stdout=log, stderr=log
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2):
                return process
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, (home / "emulator.log").read_text()[-2000:]
            time.sleep(0.1)
    raise AssertionError("The emulator did not answer within 60 s.")


def test_an_alarm_is_there_after_the_emulator_was_killed(tmp_path: Path) -> None:
    port = free_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    session = boto3.session.Session(**keys, region_name="us-east-1")
    client = session.client("cloudwatch", endpoint_url=f"http://127.0.0.1:{port}")
    process = started(tmp_path, port)
    try:
        client.put_metric_alarm(**ALARM)
        saved = tmp_path / "state"
        deadline = time.monotonic() + 30
        while not any(b"kept" in path.read_bytes() for path in saved.rglob("*cloudwatch.*")):
            assert time.monotonic() < deadline, list(saved.rglob("*"))
            time.sleep(0.2)
        process.kill()
        process.wait()
        process = started(tmp_path, port)
        (found,) = client.describe_alarms(AlarmNames=["kept"])["MetricAlarms"]
        assert {name: found[name] for name in ALARM} == ALARM
    finally:
        process.kill()
        process.wait()
        client.close()
