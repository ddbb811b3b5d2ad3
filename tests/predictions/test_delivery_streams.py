"""What a product's log is made of, once and again, and in whatever state it is found."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber
from botocore.validate import validate_parameters

from deployments.aws.apply import TEMPLATE
from lifecycle.errors import ServiceError, SpecError
from lifecycle.settings import Settings
from tasks import delivery_streams, endpoint
from tasks.clients import firehose, logs
from tests.predictions.conftest import ROLES, mould


def described(settings: Settings) -> dict[str, Any]:
    name = f"{settings.function_prefix}-predictions-flights"
    found: dict[str, Any] = firehose().describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    return found


def everything(settings: Settings) -> list[object]:
    """All that `ensure` makes, as AWS tells it."""
    group = f"/aws/lambda/{settings.function_prefix}-predict-flights"
    groups = logs().describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    filters = logs().describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    return [described(settings), groups, filters]


def test_a_products_log_goes_from_its_function_to_its_part_of_the_bucket(settings: Settings) -> None:
    name = delivery_streams.ensure(settings, "flights")
    assert name == f"{settings.function_prefix}-predictions-flights"
    stream, (group,), (subscription,) = everything(settings)  # type: ignore[misc]
    assert (group["logGroupName"], group["retentionInDays"]) == (
        f"/aws/lambda/{settings.predict_function('flights')}",
        30,
    )
    assert subscription["filterPattern"] == '"prediction.answered"'
    assert subscription["destinationArn"] == stream["DeliveryStreamARN"]
    assert subscription["roleArn"] == ROLES["tropism:subscription-role"]
    (destination,) = stream["Destinations"]
    found = destination["ExtendedS3DestinationDescription"]
    assert found["RoleARN"] == ROLES["tropism:delivery-role"]
    assert found["BucketARN"] == f"arn:aws:s3:::{settings.bucket}"
    assert found["Prefix"] == "predictions/flights/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    assert found["ErrorOutputPrefix"] == "predictions-failed/flights/!{firehose:error-output-type}/"
    assert found["BufferingHints"]["IntervalInSeconds"] == 60
    kinds = [one["Type"] for one in found["ProcessingConfiguration"]["Processors"]]
    assert kinds == ["Decompression", "CloudWatchLogProcessing", "AppendDelimiterToRecord"]


@pytest.mark.usefixtures("aws")
def test_a_second_call_changes_nothing(settings: Settings) -> None:
    delivery_streams.ensure(settings, "flights")
    before = everything(settings)
    assert delivery_streams.ensure(settings, "flights") == delivery_streams.stream_name(settings, "flights")
    assert everything(settings) == before


def test_several_callers_at_once_make_one(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = set(pool.map(lambda _: delivery_streams.ensure(settings, "flights"), range(4)))
    assert names == {delivery_streams.stream_name(settings, "flights")}


def test_what_somebody_changed_or_took_away_is_put_back(settings: Settings) -> None:
    name = delivery_streams.ensure(settings, "flights")
    group = f"/aws/lambda/{settings.predict_function('flights')}"
    _, groups, (subscription,) = everything(settings)  # type: ignore[misc]
    found = described(settings)
    firehose().update_destination(
        DeliveryStreamName=name,
        CurrentDeliveryStreamVersionId=found["VersionId"],
        DestinationId=found["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={"Prefix": "elsewhere/"},
    )
    logs().put_retention_policy(logGroupName=group, retentionInDays=1)
    logs().delete_subscription_filter(logGroupName=group, filterName="predictions")
    delivery_streams.ensure(settings, "flights")
    stream, groups_again, (again,) = everything(settings)  # type: ignore[misc]
    assert stream["Destinations"] == found["Destinations"]
    assert groups_again == groups
    assert {**again, "creationTime": 0} == {**subscription, "creationTime": 0}


def test_a_stream_that_was_deleted_is_made_again(settings: Settings) -> None:
    name = delivery_streams.ensure(settings, "flights")
    before = described(settings)["Destinations"]
    firehose().delete_delivery_stream(DeliveryStreamName=name)
    delivery_streams.ensure(settings, "flights")
    (destination,), (known,) = described(settings)["Destinations"], before
    assert destination["ExtendedS3DestinationDescription"] == known["ExtendedS3DestinationDescription"]


def test_logs_are_kept_as_long_as_the_moulds(settings: Settings) -> None:
    group = f"/aws/lambda/{settings.function_prefix}-predict"
    logs().create_log_group(logGroupName=group)
    logs().put_retention_policy(logGroupName=group, retentionInDays=7)
    delivery_streams.ensure(settings, "flights")
    assert everything(settings)[1][0]["retentionInDays"] == 7  # type: ignore[index]


def test_an_endpoint_is_made_with_its_log(settings: Settings) -> None:
    endpoint.ensure_endpoint(settings, "flights")
    assert described(settings)["DeliveryStreamStatus"] == "ACTIVE"


def test_a_stack_that_names_no_roles_is_refused_with_the_way_out(settings: Settings) -> None:
    other = settings.model_copy(update={"function_prefix": f"{settings.function_prefix}x"})
    mould(f"{other.function_prefix}-predict", {"tropism:delivery-role": ROLES["tropism:delivery-role"]})
    with pytest.raises(ServiceError, match=r"no tropism:subscription-role.*tropism up"):
        delivery_streams.ensure(other, "flights")


def test_without_a_mould_the_service_is_quoted(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"function_prefix": "absent"})
    with pytest.raises(ServiceError, match=r"prediction log of flights could not be set up.*ResourceNotFoundException"):
        delivery_streams.ensure(nowhere, "flights")


def test_a_name_firehose_does_not_take_is_refused_before_anything_is_made() -> None:
    settings = Settings.model_validate({"bucket": "nowhere", "function_prefix": "p" * 31})
    with pytest.raises(SpecError, match=r"has 65 characters, at most 64"):
        delivery_streams.ensure(settings, "flights" * 3)


def test_the_configuration_is_one_the_real_service_understands() -> None:
    settings = Settings.model_validate({"bucket": "a-bucket"})
    roles = delivery_streams.Roles("arn:aws-cn:iam::123456789012:role/d", "arn:aws-cn:iam::123456789012:role/s")
    wanted = delivery_streams.destination(settings, "flights", roles)
    model = botocore.session.Session().get_service_model("firehose")
    validate_parameters(wanted, model.shape_for("ExtendedS3DestinationConfiguration"))
    validate_parameters(wanted, model.shape_for("ExtendedS3DestinationUpdate"))
    kinds, names = model.shape_for("ProcessorType"), model.shape_for("ProcessorParameterName")
    for processor in wanted["ProcessingConfiguration"]["Processors"]:
        assert processor["Type"] in kinds.enum  # type: ignore[attr-defined]
        assert {one["ParameterName"] for one in processor.get("Parameters", [])} <= set(names.enum)  # type: ignore[attr-defined]
    assert wanted["CompressionFormat"] in model.shape_for("CompressionFormat").enum  # type: ignore[attr-defined]
    assert wanted["BucketARN"] == "arn:aws-cn:s3:::a-bucket"


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Firehose as it is on AWS, where making and deleting take their time. Answers in the order they were added."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = botocore.session.Session().create_client("firehose", region_name="us-east-1")
    monkeypatch.setattr(delivery_streams, "firehose", lambda: client)
    monkeypatch.setattr(delivery_streams, "_EVERY", 0.0)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def stream(status: str, **more: object) -> dict[str, object]:
    known = {"DeliveryStreamName": "s", "DeliveryStreamARN": "arn:aws:s", "DeliveryStreamStatus": status}
    more = {"DeliveryStreamType": "DirectPut", "VersionId": "1", "Destinations": [], **more}
    return {"DeliveryStreamDescription": {**known, "HasMoreDestinations": False, **more}}


WANTED = {"RoleARN": "arn:aws:iam::123456789012:role/d", "BucketARN": "arn:aws:s3:::b"}


def test_a_stream_is_awaited_while_it_is_deleted_and_made(stubbed: Stubber) -> None:
    stubbed.add_response("describe_delivery_stream", stream("DELETING"))
    stubbed.add_client_error("describe_delivery_stream", "ResourceNotFoundException")
    stubbed.add_client_error("create_delivery_stream", "ResourceInUseException")
    stubbed.add_client_error("describe_delivery_stream", "ResourceNotFoundException")
    stubbed.add_response("create_delivery_stream", {"DeliveryStreamARN": "arn:aws:s"})
    stubbed.add_response("describe_delivery_stream", stream("CREATING"))
    stubbed.add_response("describe_delivery_stream", stream("ACTIVE"))
    assert delivery_streams._active("s", WANTED, "flights")["DeliveryStreamStatus"] == "ACTIVE"


def test_a_stream_that_could_not_be_made_is_an_error_with_the_reason(stubbed: Stubber) -> None:
    why = {"Type": "KMS_KEY_NOT_FOUND", "Details": "The key is gone."}
    stubbed.add_response("describe_delivery_stream", stream("CREATING_FAILED", FailureDescription=why))
    with pytest.raises(ServiceError, match=r"CREATING_FAILED\. The key is gone\. Run `aws firehose delete-del"):
        delivery_streams._active("s", WANTED, "flights")


def test_the_moulds_tags_are_what_the_template_sets() -> None:
    text = TEMPLATE.read_text()
    assert f'"{delivery_streams.DELIVERY_ROLE}", Value: !GetAtt DeliveryRole.Arn' in text
    assert f'"{delivery_streams.SUBSCRIPTION_ROLE}", Value: !GetAtt SubscriptionRole.Arn' in text
