"""The whole local cloud, as `tropism up` starts it: what runs in it, what survives, and what is left after `down`."""

import http.client
import json
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from lifecycle.errors import LocalCloudError
from localcloud import health, readback, supervision
from localcloud.address import Home, LocalCloud, find
from localcloud.down import down
from localcloud.processes import INSTANCE, members
from localcloud.up import up

pytestmark = pytest.mark.localcloud
SERVICES = {"engine", "emulator", "prefect", "worker-lambda", "worker-ecs"}
Clients = Callable[[str], Any]


@pytest.fixture(scope="module")
def clients(cloud: LocalCloud) -> Iterator[Clients]:
    made: dict[str, Any] = {}
    session = boto3.session.Session("test", "test", region_name="us-east-1")

    def client(name: str) -> Any:
        if name not in made:
            made[name] = session.client(name, endpoint_url=cloud.aws_endpoint_url)
        return made[name]

    yield client
    for one in made.values():
        one.close()


def eventually(ask: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ask()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def pids(cloud: LocalCloud) -> dict[str, int]:
    return {name: supervised.pid for name, supervised in supervision.listing(cloud).items()}


def prefect_events(cloud: LocalCloud, name: str) -> list[dict[str, Any]]:
    body = json.dumps({"filter": {"event": {"name": [name]}}})
    with closing(http.client.HTTPConnection("127.0.0.1", cloud.prefect_port, timeout=60)) as connection:
        connection.request("POST", "/api/events/filter", body, {"Content-Type": "application/json"})
        found: list[dict[str, Any]] = json.loads(connection.getresponse().read())["events"]
        return found


def run_task(clients: Clients, cloud: LocalCloud, *command: str) -> str:
    answer = clients("ecs").run_task(
        cluster=cloud.function_prefix,
        taskDefinition=f"{cloud.function_prefix}-flows",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["any"]}},
        overrides={"containerOverrides": [{"name": "prefect", "command": list(command)}]},
    )
    return str(answer["tasks"][0]["taskArn"])


def task(clients: Clients, cloud: LocalCloud, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = clients("ecs").describe_tasks(cluster=cloud.function_prefix, tasks=[arn])["tasks"][0]
    return found


def task_becomes(clients: Clients, cloud: LocalCloud, arn: str, status: str) -> dict[str, Any]:
    assert eventually(lambda: task(clients, cloud, arn)["lastStatus"] == status)
    return task(clients, cloud, arn)


def environments(cloud: LocalCloud) -> list[psutil.Process]:
    running = members(INSTANCE, cloud.instance)
    return [process for process in running if "aws-lambda-rie" in " ".join(process.cmdline())]


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_every_service_answers_and_the_stack_is_there(cloud: LocalCloud) -> None:
    assert health.statuses(cloud) == dict.fromkeys(SERVICES, True)
    assert readback.missing(cloud) == ()


def test_every_listener_is_on_the_loopback_interface(cloud: LocalCloud) -> None:
    listeners = [
        connection
        for process in members(INSTANCE, cloud.instance)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    # AWS's runtime emulator listens on loopback because its arguments say so.
    assert {connection.laddr.ip for connection in listeners} == {"127.0.0.1"}


def test_a_second_up_changes_nothing_and_is_quick(cloud: LocalCloud) -> None:
    before, told = pids(cloud), list[str]()
    began = time.monotonic()
    assert up(home=cloud.home, progress=told.append) == cloud
    assert pids(cloud) == before
    assert time.monotonic() - began < 10
    assert not [line for line in told if "stack" in line or "Deploying" in line]


def test_a_task_runs_a_process_and_reports_its_exit_code(clients: Clients, cloud: LocalCloud) -> None:
    arn = run_task(clients, cloud, "sh", "-c", "echo said; exit 7")
    stopped = task_becomes(clients, cloud, arn, "STOPPED")
    assert (stopped["containers"][0]["exitCode"], stopped["stopCode"]) == (7, "EssentialContainerExited")
    group = f"/ecs/{cloud.function_prefix}-flows"
    messages = [event["message"] for event in clients("logs").filter_log_events(logGroupName=group)["events"]]
    assert "said" in messages


def test_a_stopped_task_reports_143_and_sends_its_event(clients: Clients, cloud: LocalCloud) -> None:
    queue = clients("sqs").create_queue(QueueName="seen")["QueueUrl"]
    arn_of = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"detail-type": ["ECS Task State Change"], "detail": {"lastStatus": ["STOPPED"]}}
    clients("events").put_rule(Name="seen", EventPattern=json.dumps(pattern))
    clients("events").put_targets(Rule="seen", Targets=[{"Id": "seen", "Arn": arn_of}])
    arn = run_task(clients, cloud, "sleep", "300")
    task_becomes(clients, cloud, arn, "RUNNING")
    clients("ecs").stop_task(cluster=cloud.function_prefix, task=arn, reason="enough")
    assert task(clients, cloud, arn)["containers"][0]["exitCode"] == 143
    (message,) = clients("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    detail = json.loads(message["Body"])["detail"]
    assert (detail["taskArn"], detail["stopCode"]) == (arn, "UserInitiated")
    assert [container["exitCode"] for container in detail["containers"]] == [143]
    clients("events").remove_targets(Rule="seen", Ids=["seen"])
    clients("events").delete_rule(Name="seen")


def test_an_image_nobody_has_stops_its_task_with_a_reason(clients: Clients, cloud: LocalCloud) -> None:
    clients("ecs").register_task_definition(
        family="nothing", containerDefinitions=[{"name": "prefect", "image": "nobody/nothing:1", "memory": 128}]
    )
    answer = clients("ecs").run_task(cluster=cloud.function_prefix, taskDefinition="nothing")
    stopped = task_becomes(clients, cloud, answer["tasks"][0]["taskArn"], "STOPPED")
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert "manifest for nobody/nothing not found" in stopped["stoppedReason"]


def test_a_function_of_an_image_runs_under_awss_own_runtime(clients: Clients, cloud: LocalCloud) -> None:
    answer = clients("lambda").invoke(FunctionName=f"{cloud.function_prefix}-run-flow", Payload=b'{"nothing": 1}')
    said = json.loads(answer["Payload"].read())
    assert (answer["FunctionError"], said["errorType"]) == ("Unhandled", "ValueError")
    assert environments(cloud)


def test_a_predict_function_without_a_model_says_so(clients: Clients, cloud: LocalCloud) -> None:
    event = {"version": "2.0", "rawPath": "/ping", "requestContext": {"http": {"method": "GET", "path": "/ping"}}}
    answer = clients("lambda").invoke(FunctionName=f"{cloud.function_prefix}-predict", Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read())["statusCode"] == 503


def test_an_object_in_landing_becomes_an_event_in_prefect(clients: Clients, cloud: LocalCloud) -> None:
    key = f"landing/nobody/a b+c%20ü-{uuid.uuid4().hex}.csv"
    clients("s3").put_object(Bucket=cloud.bucket, Key=key, Body=b"1")
    landed = eventually(
        lambda: [event for event in prefect_events(cloud, "batch.landed") if event["payload"]["key"] == key]
    )
    assert len(landed) == 1


@pytest.mark.faults
def test_a_killed_lambda_environment_is_told_to_prefect(clients: Clients, cloud: LocalCloud) -> None:
    run = str(uuid.uuid4())
    request = {"prefect": {"version": 1, "flow_run_id": run, "run_count": 1}}
    for process in environments(cloud):
        process.suspend()
    clients("lambda").invoke(
        FunctionName=f"{cloud.function_prefix}-run-flow", InvocationType="Event", Payload=json.dumps(request)
    )
    time.sleep(0.7)  # a new environment is still importing, an old one is suspended
    for process in environments(cloud):
        process.kill()
    lost = eventually(
        lambda: [event for event in prefect_events(cloud, "run.lost") if event["payload"]["flow_run_id"] == run]
    )
    assert len(lost) == 1


@pytest.mark.faults
def test_a_killed_emulator_comes_back_with_everything(clients: Clients, cloud: LocalCloud) -> None:
    clients("s3").put_object(Bucket=cloud.bucket, Key="kept/a b", Body=b"1")
    clients("s3").put_object(Bucket=cloud.bucket, Key="kept/a b", Body=b"2")
    queue = clients("sqs").create_queue(QueueName="kept")["QueueUrl"]
    clients("sqs").send_message(QueueUrl=queue, MessageBody="kept")
    version = clients("lambda").publish_version(FunctionName=f"{cloud.function_prefix}-predict")["Version"]
    arn = run_task(clients, cloud, "sleep", "300")
    task_becomes(clients, cloud, arn, "RUNNING")
    time.sleep(2.5)  # a checkpoint is written a second after the last request
    os.kill(pids(cloud)["emulator"], signal.SIGKILL)
    time.sleep(0.5)
    health.wait(cloud, "emulator", 60)
    assert readback.missing(cloud) == ()
    assert clients("s3").get_object(Bucket=cloud.bucket, Key="kept/a b")["Body"].read() == b"2"
    assert len(clients("s3").list_object_versions(Bucket=cloud.bucket, Prefix="kept/a b")["Versions"]) == 2
    assert clients("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "kept"
    assert clients("lambda").get_function(FunctionName=f"{cloud.function_prefix}-predict", Qualifier=version)
    lost = task(clients, cloud, arn)
    assert (lost["lastStatus"], lost["stoppedReason"]) == ("STOPPED", "The emulator that ran the task was restarted")


@pytest.mark.faults
def test_a_killed_engine_takes_its_containers_along_and_the_tasks_are_told(clients: Clients, cloud: LocalCloud) -> None:
    arn = run_task(clients, cloud, "sleep", "4321")
    task_becomes(clients, cloud, arn, "RUNNING")
    os.kill(pids(cloud)["engine"], signal.SIGKILL)
    time.sleep(0.5)
    health.wait(cloud, "engine", 30)
    assert task_becomes(clients, cloud, arn, "STOPPED")["stoppedReason"] == "The container is gone"
    assert not [process for process in members(INSTANCE, cloud.instance) if "4321" in process.cmdline()]


@pytest.mark.faults
def test_a_lost_queue_is_made_again_and_the_objects_stay(clients: Clients, cloud: LocalCloud) -> None:
    clients("s3").put_object(Bucket=cloud.bucket, Key="kept/object", Body=b"1")
    url = clients("sqs").get_queue_url(QueueName=f"{cloud.function_prefix}-events")["QueueUrl"]
    clients("sqs").delete_queue(QueueUrl=url)
    assert readback.missing(cloud) == (f"queue {cloud.function_prefix}-events",)
    up(home=cloud.home)
    assert readback.missing(cloud) == ()
    assert clients("s3").get_object(Bucket=cloud.bucket, Key="kept/object")["Body"].read() == b"1"


@pytest.mark.faults
@pytest.mark.parametrize("victims", ["supervisor", "everything"])
def test_up_works_again_after_a_kill(victims: str, clients: Clients, cloud: LocalCloud) -> None:
    clients("s3").put_object(Bucket=cloud.bucket, Key=f"kept/{victims}", Body=b"1")
    time.sleep(2.5)
    if victims == "everything":
        for process in members(INSTANCE, cloud.instance):
            process.kill()
    else:
        os.kill(int((cloud.home.run / "supervisor.pid").read_text()), signal.SIGKILL)
    assert up(home=cloud.home) == cloud
    assert health.statuses(cloud) == dict.fromkeys(SERVICES, True)
    assert clients("s3").get_object(Bucket=cloud.bucket, Key=f"kept/{victims}")["Body"].read() == b"1"


def test_down_leaves_no_process_and_no_listener_and_keeps_the_data(clients: Clients, cloud: LocalCloud) -> None:
    clients("s3").put_object(Bucket=cloud.bucket, Key="kept/down", Body=b"1")
    down(home=cloud.home)
    assert members(INSTANCE, cloud.instance) == []
    assert not listening(cloud.emulator_port)
    assert not listening(cloud.prefect_port)
    down(home=cloud.home)
    assert up(home=cloud.home) == cloud
    assert clients("s3").get_object(Bucket=cloud.bucket, Key="kept/down")["Body"].read() == b"1"


def test_a_taken_port_is_one_sentence_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(path=tmp_path)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        monkeypatch.setenv("TROPISM_PREFECT_PORT", str(port))
        with pytest.raises(LocalCloudError, match=rf"Port {port}, which the Prefect server needs, is taken"):
            up(home=home)
    assert find(home) is None
    assert not (tmp_path / "run" / "supervisor.pid").exists()


@pytest.mark.faults
def test_a_service_that_cannot_start_shows_the_end_of_its_log_and_where_it_is(tmp_path: Path) -> None:
    home = Home(path=tmp_path)
    (tmp_path / "prefect" / "prefect.db").mkdir(parents=True)
    try:
        with pytest.raises(LocalCloudError) as caught:
            up(home=home)
        assert str(caught.value).startswith("The Prefect server could not be started.")
        assert "unable to open database file" in str(caught.value)
        assert str(tmp_path / "logs" / "prefect.log") in str(caught.value)
    finally:
        down(home=home, wipe=True)
    assert list(tmp_path.iterdir()) == [tmp_path / ".lock"]
