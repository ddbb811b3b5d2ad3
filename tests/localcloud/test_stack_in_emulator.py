"""The stack in an emulator without containers: what the template gives is asked of the APIs, and events really flow."""

import io
import json
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from deployments.aws.apply import Applied, apply
from deployments.aws.change_sets import Waiting
from lifecycle.errors import ServiceError, UsageError

PYTHON = Path(sys.executable)
WAITING = Waiting(every=0.05, most=60)


@dataclass(frozen=True)
class Stack:
    prefix: str
    bucket: str
    applied: Applied

    @property
    def queue(self) -> str:
        return f"{self.prefix}-events"


def parameters(prefix: str, **changed: str) -> dict[str, str]:
    return {
        "BucketName": f"{prefix}-bucket",
        "FunctionPrefix": prefix,
        "FunctionRuntime": "provided.al2023",
        "RunFlowImageUri": "registry/tropism/run-flow:1",
        "FlowsImageUri": "registry/tropism/flows:1",
        "PrefectApiUrl": "http://127.0.0.1:9/api",
        "TrackingUri": "sqlite:///nowhere.db",
        "EventsVisibilitySeconds": "10",
        "EventsMaxReceives": "2",
        **changed,
    }


@pytest.fixture(scope="module")
def clients(aws: Any) -> Iterator[Callable[[str], Any]]:
    made: dict[str, Any] = {"s3": aws.s3}

    def client(name: str) -> Any:
        if name not in made:
            made[name] = boto3.session.Session().client(name)
        return made[name]

    yield client
    for name, one in made.items():
        if name != "s3":
            one.close()


@pytest.fixture(scope="module")
def stack(clients: Callable[[str], Any]) -> Stack:
    assert clients("sts").get_caller_identity()["Account"] == "000000000000"
    prefix = f"s{uuid.uuid4().hex[:8]}"
    wanted = parameters(prefix)
    return Stack(prefix, wanted["BucketName"], apply(prefix, wanted, python=PYTHON, waiting=WAITING))


def zipped(source: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o100755 << 16
        archive.writestr(
            bootstrap, f'#!/bin/sh\ncd "$LAMBDA_TASK_ROOT"\nexec "{PYTHON}" -m awslambdaric hello.handler\n'
        )
        archive.writestr("hello.py", source)
    return out.getvalue()


def give_the_bridge_other_code(clients: Callable[[str], Any], stack: Stack, source: str) -> None:
    clients("lambda").update_function_code(FunctionName=f"{stack.prefix}-bridge", ZipFile=zipped(source))
    clients("lambda").get_waiter("function_updated_v2").wait(FunctionName=f"{stack.prefix}-bridge")


def eventually(ask: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ask()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def received(clients: Callable[[str], Any], queue: str) -> list[dict[str, Any]]:
    url = clients("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    messages = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        clients("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def test_a_second_apply_changes_nothing(stack: Stack) -> None:
    assert stack.applied.changed
    again = apply(stack.prefix, parameters(stack.prefix), python=PYTHON, waiting=WAITING)
    assert (again.changed, again.keys) == (False, stack.applied.keys)


def test_another_parameter_changes_the_resource_in_place(clients: Callable[[str], Any]) -> None:
    prefix = f"s{uuid.uuid4().hex[:8]}"
    apply(prefix, parameters(prefix), python=PYTHON, waiting=WAITING)
    clients("s3").put_object(Bucket=f"{prefix}-bucket", Key="kept", Body=b"1")
    changed = parameters(prefix, EventsMaxReceives="7")
    assert apply(prefix, changed, python=PYTHON, waiting=WAITING).changed
    url = clients("sqs").get_queue_url(QueueName=f"{prefix}-events")["QueueUrl"]
    found = clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    assert str(json.loads(found["RedrivePolicy"])["maxReceiveCount"]) == "7"
    assert clients("s3").get_object(Bucket=f"{prefix}-bucket", Key="kept")["Body"].read() == b"1"


def test_a_bucket_that_outlived_its_stack_is_taken_over_with_its_objects(clients: Callable[[str], Any]) -> None:
    prefix = f"s{uuid.uuid4().hex[:8]}"
    apply(prefix, parameters(prefix), python=PYTHON, waiting=WAITING)
    clients("s3").put_object(Bucket=f"{prefix}-bucket", Key="kept", Body=b"1")
    clients("cloudformation").delete_stack(StackName=prefix)
    clients("cloudformation").get_waiter("stack_delete_complete").wait(StackName=prefix, WaiterConfig={"Delay": 1})
    assert apply(prefix, parameters(prefix), python=PYTHON, waiting=WAITING).changed
    assert clients("s3").get_object(Bucket=f"{prefix}-bucket", Key="kept")["Body"].read() == b"1"
    assert (
        clients("s3").get_bucket_notification_configuration(Bucket=f"{prefix}-bucket")["EventBridgeConfiguration"] == {}
    )


@pytest.mark.usefixtures("aws")
def test_a_stack_that_cannot_be_made_says_why() -> None:
    prefix = f"s{uuid.uuid4().hex[:8]}"
    with pytest.raises(ServiceError, match=r"cannot become what the template says.*PrefectApiUrl"):
        apply(prefix, parameters(prefix, PrefectApiUrl="no address"), python=PYTHON, waiting=WAITING)


@pytest.mark.usefixtures("aws")
def test_a_stack_without_a_bucket_name_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a bucket's name"):
        apply("nobody", {}, python=PYTHON, waiting=WAITING)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PredictProvisionedConcurrency": "2", "FunctionRuntime": "python3.13"}, "exclude each other"),
        ({"FunctionRuntime": "provided.al2023"}, "needs one of AWS's own runtimes"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_a_stack_that_asks_snapstart_for_what_it_cannot_is_refused(changed: dict[str, str], said: str) -> None:
    prefix = f"s{uuid.uuid4().hex[:8]}"
    wanted = parameters(prefix, PredictSnapStart="PublishedVersions", **changed)
    with pytest.raises(ServiceError, match=said):
        apply(prefix, wanted, python=PYTHON, waiting=WAITING)


def test_the_mould_says_how_many_environments_are_kept_ready(clients: Callable[[str], Any], stack: Stack) -> None:
    found = clients("lambda").get_function(FunctionName=f"{stack.prefix}-predict")
    assert found["Tags"]["tropism:provisioned-concurrency"] == "0"
    assert found["Configuration"]["SnapStart"]["ApplyOn"] == "None"


def test_an_object_in_landing_reaches_the_function_and_one_elsewhere_does_not(
    clients: Callable[[str], Any], stack: Stack, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    source = (
        "import json\n"
        "def handler(event, context):\n"
        f"    with open({str(seen)!r}, 'a') as out:\n"
        "        for record in event['Records']:\n"
        "            found = json.loads(record['body'])['detail']['object']\n"
        "            out.write(json.dumps([found['key'], found['version-id']]) + '\\n')\n"
        "    return {'batchItemFailures': []}\n"
    )
    give_the_bridge_other_code(clients, stack, source)
    key = "landing/flights/a b+c%20ü.csv"
    clients("s3").put_object(Bucket=stack.bucket, Key="validated/flights/x", Body=b"1")
    put = [clients("s3").put_object(Bucket=stack.bucket, Key=key, Body=b"1")["VersionId"] for _ in range(2)]
    assert eventually(lambda: seen.exists() and len(seen.read_text().splitlines()) == len(put))
    assert sorted(json.loads(line) for line in seen.read_text().splitlines()) == sorted([key, one] for one in put)


def test_a_message_that_always_fails_ends_among_the_dead_letters(clients: Callable[[str], Any], stack: Stack) -> None:
    fail = (
        "def handler(event, context):\n"
        "    return {'batchItemFailures': [{'itemIdentifier': r['messageId']} for r in event['Records']]}\n"
    )
    give_the_bridge_other_code(clients, stack, fail)
    url = clients("sqs").get_queue_url(QueueName=stack.queue)["QueueUrl"]
    clients("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    clients("sqs").send_message(QueueUrl=url, MessageBody='{"poison": true}')
    dead = eventually(lambda: received(clients, f"{stack.queue}-dead"), seconds=40)
    assert dead == [{"poison": True}]


def test_a_failed_asynchronous_invocation_leaves_awss_record_in_the_queue(
    clients: Callable[[str], Any], stack: Stack
) -> None:
    name = f"{stack.prefix}-fails"
    clients("lambda").create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Handler="hello.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": zipped("def handler(event, context):\n    raise ValueError('no')\n")},
    )
    clients("lambda").get_waiter("function_active_v2").wait(FunctionName=name)
    queue = clients("sqs").create_queue(QueueName=f"{name}-failures")["QueueUrl"]
    arn = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    payload = b'{"prefect": {"flow_run_id": "1"}}'
    told = clients("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=payload)["ResponseMetadata"]
    (record,) = eventually(lambda: received(clients, f"{name}-failures"))
    assert record["requestPayload"] == {"prefect": {"flow_run_id": "1"}}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["requestContext"]["requestId"] == told["RequestId"]
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_a_weighted_alias_sends_each_version_its_share(clients: Callable[[str], Any], stack: Stack) -> None:
    name = f"{stack.prefix}-weighted"
    functions = clients("lambda")
    functions.create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Handler="hello.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": zipped("def handler(event, context):\n    return 1\n")},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    first = functions.publish_version(FunctionName=name)["Version"]
    functions.update_function_code(FunctionName=name, ZipFile=zipped("def handler(event, context):\n    return 2\n"))
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    second = functions.publish_version(FunctionName=name)["Version"]
    functions.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion=first,
        RoutingConfig={"AdditionalVersionWeights": {second: 0.5}},
    )
    answers = [functions.invoke(FunctionName=name, Qualifier="live") for _ in range(60)]
    said = [(answer["ExecutedVersion"], json.loads(answer["Payload"].read())) for answer in answers]
    # 60 fair draws give fewer than 10 of a kind once in ten million.
    assert set(said) == {(first, 1), (second, 2)}
    assert 10 <= said.count((first, 1)) <= 50
    with pytest.raises(functions.exceptions.ClientError, match=r"between 0\.0 and 1\.0"):
        functions.update_alias(
            FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {second: 1.5}}
        )
