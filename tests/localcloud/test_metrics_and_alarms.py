"""Metrics by version and alarms on them, asked of a running emulator; functions really run, crash and time out."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws
from tests.localcloud.small_functions import Clients, function

ANSWER = "def handler(event, context):\n    return {'statusCode': 200, 'body': context.function_version}\n"
CRASH = "def handler(event, context):\n    raise ValueError('broken')\n"
SLEEP = "import time\ndef handler(event, context):\n    time.sleep(30)\n"
CHOOSE = "def handler(event, context):\n    if event.get('crash'):\n        raise ValueError('broken')\n    return 1\n"


@pytest.fixture(scope="module")
def clients(aws: Aws) -> Iterator[Clients]:
    made: dict[str, Any] = {"s3": aws.s3}

    def client(name: str) -> Any:
        if name not in made:
            made[name] = boto3.session.Session().client(name)
        return made[name]

    yield client
    for name, one in made.items():
        if name != "s3":
            one.close()


def dimensions(**named: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in named.items()]


def total(clients: Clients, metric: str, **named: str) -> float:
    """Sum a metric over the last minutes; nothing at all is no data, which is less than a zero."""
    now = datetime.now(UTC)
    points = clients("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=dimensions(**named),
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points) if points else -1


def test_a_weighted_alias_counts_each_answer_under_the_version_that_gave_it(clients: Clients, aws: Aws) -> None:
    name = function(clients, ANSWER, ANSWER + "# 2\n")
    clients("lambda").create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    clients("lambda").create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    url = clients("lambda").get_function_url_config(FunctionName=name, Qualifier="live")["FunctionUrl"]
    identity = url.removeprefix("https://").partition(".")[0]
    answered: Counter[str] = Counter()
    for number in range(40):
        if number % 2:
            answer = clients("lambda").invoke(FunctionName=name, Qualifier="live")
            answered[json.loads(answer["Payload"].read())["body"]] += 1
        else:
            answered[httpx.get(f"{aws.endpoint}/_aws/lambda-url/{identity}/").text] += 1
    resource = f"{name}:live"
    assert set(answered) == {"1", "2"}
    for version, count in answered.items():
        where = {"FunctionName": name, "Resource": resource, "ExecutedVersion": version}
        assert (total(clients, "Invocations", **where), total(clients, "Errors", **where)) == (count, 0)
    assert total(clients, "Invocations", FunctionName=name, Resource=resource) == 40
    assert total(clients, "Invocations", FunctionName=name) == 40


def test_a_version_asked_for_by_number_is_no_traffic_of_the_alias(clients: Clients) -> None:
    name = function(clients, ANSWER)
    clients("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    clients("lambda").invoke(FunctionName=name, Qualifier="1")
    clients("lambda").invoke(FunctionName=name)
    assert total(clients, "Invocations", FunctionName=name, Resource=f"{name}:1") == 1
    assert total(clients, "Invocations", FunctionName=name, Resource=name) == 1
    assert total(clients, "Invocations", FunctionName=name) == 2
    assert total(clients, "Invocations", FunctionName=name, Resource=f"{name}:live") == -1


@pytest.mark.parametrize(("source", "timeout"), [(CRASH, 10), (SLEEP, 1)])
def test_a_handler_that_raises_or_takes_too_long_is_an_error(clients: Clients, source: str, timeout: int) -> None:
    name = function(clients, source, timeout=timeout)
    answer = clients("lambda").invoke(FunctionName=name, Qualifier="1")
    assert "FunctionError" in answer
    where = {"FunctionName": name, "Resource": f"{name}:1"}
    assert [total(clients, metric, **where) for metric in ("Invocations", "Errors", "Throttles")] == [1, 1, 0]


def test_a_throttled_request_is_no_invocation_and_no_error(clients: Clients) -> None:
    name = function(clients, ANSWER)
    clients("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        clients("lambda").invoke(FunctionName=name)
    assert total(clients, "Throttles", FunctionName=name) >= 1
    assert total(clients, "Invocations", FunctionName=name) == -1


def alarm_on(clients: Clients, name: str, version: str, topic: str, **changed: Any) -> str:
    """Watch the share of crashes of one version behind the alias, from two crashes on."""
    where = dimensions(FunctionName=name, Resource=f"{name}:live", ExecutedVersion=version)

    def series(identity: str, metric: str) -> dict[str, Any]:
        watched = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": where}
        return {
            "Id": identity,
            "MetricStat": {"Metric": watched, "Period": 60, "Stat": "Sum"},
            "ReturnData": False,
        }

    share = {"Id": "share", "Expression": "IF(errors >= 2, errors / invocations, 0)", "ReturnData": True}
    wanted = {
        "AlarmName": f"{name}-v{version}-errors",
        "Metrics": [series("errors", "Errors"), series("invocations", "Invocations"), share],
        "EvaluationPeriods": 1,
        "Threshold": 0.5,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic],
        **changed,
    }
    clients("cloudwatch").put_metric_alarm(**wanted)
    return str(wanted["AlarmName"])


def state(clients: Clients, alarm: str) -> str:
    return str(clients("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"])


def topic_and_queue(clients: Clients) -> tuple[str, str]:
    name = f"t{uuid.uuid4().hex[:8]}"
    topic = clients("sns").create_topic(Name=name)["TopicArn"]
    queue = clients("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": arn}]}
    clients("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def received(clients: Clients, queue: str, *, wait: int) -> list[dict[str, Any]]:
    found = clients("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
    return [json.loads(json.loads(message["Body"])["Message"]) for message in found.get("Messages", [])]


def eventually(ask: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ask()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_an_alarm_fires_by_itself_on_the_version_it_names_and_on_no_other(clients: Clients) -> None:
    name = function(clients, CHOOSE, CHOOSE + "# 2\n")
    topic, queue = topic_and_queue(clients)
    clients("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="2")
    first, second = (alarm_on(clients, name, version, topic) for version in ("1", "2"))
    clients("lambda").invoke(FunctionName=name, Qualifier="live", Payload=b"{}")
    assert eventually(lambda: state(clients, second) == "OK")
    for _ in range(3):
        clients("lambda").invoke(FunctionName=name, Qualifier="live", Payload=b'{"crash": true}')
    (message,) = received(clients, queue, wait=10)
    assert (message["AlarmName"], message["NewStateValue"], message["OldStateValue"]) == (second, "ALARM", "OK")
    assert datetime.strptime(message["StateChangeTime"], "%Y-%m-%dT%H:%M:%S.%f%z").utcoffset() == timedelta(0)
    (errors, _, _) = message["Trigger"]["Metrics"]
    assert {"name": "ExecutedVersion", "value": "2"} in errors["MetricStat"]["Metric"]["Dimensions"]
    assert (state(clients, first), state(clients, second)) == ("OK", "ALARM")
    assert received(clients, queue, wait=2) == []


def test_a_percentile_of_few_samples_keeps_the_alarms_state_where_it_is_to_be_ignored(clients: Clients) -> None:
    name = function(clients, ANSWER)
    topic, queue = topic_and_queue(clients)
    clients("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    latency: dict[str, Any] = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": dimensions(FunctionName=name, Resource=f"{name}:live", ExecutedVersion="1"),
        "ExtendedStatistic": "p90",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.001,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic],
    }
    strict, patient = f"{name}-strict", f"{name}-patient"
    clients("cloudwatch").put_metric_alarm(AlarmName=strict, **latency)
    clients("cloudwatch").put_metric_alarm(AlarmName=patient, EvaluateLowSampleCountPercentile="ignore", **latency)
    assert (state(clients, strict), state(clients, patient)) == ("OK", "OK")
    clients("lambda").invoke(FunctionName=name, Qualifier="live")
    (message,) = received(clients, queue, wait=10)
    assert message["AlarmName"] == strict
    assert message["Trigger"]["Dimensions"][0] == {"value": name, "name": "FunctionName"}
    for _ in range(50):
        clients("lambda").invoke(FunctionName=name, Qualifier="live")
    assert (state(clients, strict), state(clients, patient)) == ("ALARM", "OK")
    for _ in range(50):
        clients("lambda").invoke(FunctionName=name, Qualifier="live")
    assert eventually(lambda: state(clients, patient) == "ALARM")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Metrics": [{"Id": "x", "Expression": "RATE(y)", "ReturnData": True}]}, "RATE"),
        ({"DatapointsToAlarm": 2}, "cannot be greater than EvaluationPeriods"),
    ],
)
def test_an_alarm_that_aws_or_the_emulator_cannot_evaluate_is_refused(
    clients: Clients, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said):
        alarm_on(clients, "nobody", "1", "arn:aws:sns:us-east-1:000000000000:none", **changed)


def test_a_function_that_fails_on_a_message_of_a_topic_is_asked_again(clients: Clients, tmp_path: Any) -> None:
    seen = tmp_path / "seen"
    source = (
        "import os\n"
        "def handler(event, context):\n"
        f"    with open({str(seen)!r}, 'a') as out:\n"
        "        out.write(event['Records'][0]['Sns']['Message'] + '\\n')\n"
        "    raise ValueError('again')\n"
    )
    name = function(clients, source)
    topic = clients("sns").create_topic(Name=name)["TopicArn"]
    arn = clients("lambda").get_function_configuration(FunctionName=name)["FunctionArn"]
    clients("lambda").add_permission(
        FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    clients("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    clients("sns").publish(TopicArn=topic, Message="hello")
    assert eventually(lambda: seen.exists() and seen.read_text().splitlines() == ["hello"] * 3)
