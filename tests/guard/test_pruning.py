"""Old versions really go from Lambda, and nothing that may still be asked does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.release_plan import ReleasePlan
from lifecycle.settings import Settings
from tasks import function_versions, pruning
from tests.conftest import Aws
from tests.guard.conftest import ANSWER, House
from tests.localcloud.small_functions import Clients, function

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLAN = ReleasePlan(keep_versions=3, keep_for=timedelta(days=90))


@pytest.fixture
def many(aws: Aws, clients: Clients) -> Iterator[House]:
    """Eight versions, numbered from 1; the alias points to 2 and gives 3 a share; nothing is in the ledger."""
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": "prune"})
    sources = [f"{ANSWER}# {number}\n" for number in range(8)]
    name = function(clients, *sources, name=settings.predict_function("flights"))
    weights = {"AdditionalVersionWeights": {"3": 0.1}}
    clients("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig=weights)
    house = House(settings, clients, "flights", "")
    house.write_record(champion="2", challenger="3", weight=0.1)
    yield house
    clients("lambda").delete_function(FunctionName=name)


def numbers(house: House) -> list[str]:
    return [version.number for version in function_versions.published(house.function)]


def test_a_dry_run_says_what_would_go_and_deletes_nothing(many: House) -> None:
    judged = pruning.judged(many.settings, many.product, PLAN, NOW)
    assert [one.number for one in judged if one.prune] == ["5", "4", "1"]
    assert len(numbers(many)) == 8


def test_what_may_go_goes_once_and_the_rest_answers_on(many: House) -> None:
    gone = list(pruning.prune(many.settings, many.product, PLAN, NOW))
    assert [one.number for one in gone] == ["5", "4", "1"]
    assert numbers(many) == ["2", "3", "6", "7", "8"]
    assert list(pruning.prune(many.settings, many.product, PLAN, NOW)) == []
    assert many.clients("lambda").invoke(FunctionName=many.function, Qualifier="live")["StatusCode"] == 200


def test_lambda_itself_refuses_what_the_alias_sends_requests_to(many: House) -> None:
    assert [function_versions.delete_version(many.function, number) for number in ("2", "3", "99")] == [False] * 3
    with pytest.raises(ValueError, match="no version"):
        function_versions.delete_version(many.function, "live")
    assert len(numbers(many)) == 8


def test_a_record_that_changes_meanwhile_ends_the_work(many: House) -> None:
    going = pruning.prune(many.settings, many.product, PLAN, NOW)
    assert next(going).number == "5"
    body = many.clients("s3").get_object(Bucket=many.bucket, Key=f"control/{many.product}.json")["Body"].read()
    moved = body.replace(b'"revision":3', b'"revision":4')
    many.clients("s3").put_object(Bucket=many.bucket, Key=f"control/{many.product}.json", Body=moved)
    assert list(going) == []
    assert numbers(many) == ["1", "2", "3", "4", "6", "7", "8"]


@pytest.mark.parametrize("change", [b'"frozen":true', b'"release":{"state":"rolling_back","to":"10"}'])
def test_nothing_goes_while_the_product_is_frozen_or_traffic_moves(many: House, change: bytes) -> None:
    key = f"control/{many.product}.json"
    body = many.clients("s3").get_object(Bucket=many.bucket, Key=key)["Body"].read()
    field = change.partition(b":")[0]
    before = b'"frozen":false' if field == b'"frozen"' else b'"release":null'
    many.clients("s3").put_object(Bucket=many.bucket, Key=key, Body=body.replace(before, change))
    assert list(pruning.prune(many.settings, many.product, PLAN, NOW)) == []
    assert len(numbers(many)) == 8
