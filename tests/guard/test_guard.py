"""The guard on a real alias, bucket and queue: told twice, too late, by a stranger, and while others move the alias."""

import json
from pathlib import Path
from typing import Any

import pytest

from functions.guard import effects
from functions.guard.handler import AliasContestedError, handler
from lifecycle.alias import AliasState
from tasks import alarms
from tests.guard.conftest import House

SAMPLE = json.loads((Path(__file__).parent / "aws" / "latency.json").read_text())


def told(house: House, version: str, *, at: str = "2026-03-01T10:09:41.131+0000", **changed: Any) -> dict[str, Any]:
    """Return what SNS hands to the guard."""
    named = {"FunctionName": house.function, "Resource": f"{house.function}:live", "ExecutedVersion": version}
    dimensions = [{"name": name, "value": value} for name, value in named.items()]
    message = {
        **SAMPLE,
        "AlarmName": f"{house.function}-v{version}-latency",
        "StateChangeTime": at,
        "Trigger": {**SAMPLE["Trigger"], "Dimensions": dimensions},
        **changed,
    }
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(message)}}]}


def queued(house: House) -> list[dict[str, Any]]:
    found = house.clients("sqs").receive_message(QueueUrl=house.queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def test_a_challenger_loses_its_share_and_what_happened_is_recorded_and_told(house: House) -> None:
    house.write_record(champion="1", challenger="2", weight=0.25)
    house.route("1", v2=0.25)
    assert handler(told(house, "2"), None) == {"codes": ["taken_back"]}
    assert house.routed() == ("1", {})
    (record,) = alarms.guarded(house.bucket, house.product)
    assert (record.code, record.to, record.before) == ("taken_back", "1", "version 1 (75%), version 2 (25%)")
    (message,) = queued(house)
    assert (message["source"], message["detail-type"]) == ("tropism.guard", "Alarm Fired")
    assert message["detail"] == json.loads(record.to_json())


def test_traffic_that_rose_moves_nothing_and_is_told(house: House) -> None:
    house.write_record(champion="1", challenger="2", weight=0.25)
    house.route("1", v2=0.25)
    watched = {**SAMPLE["Trigger"], "Dimensions": [{"name": "FunctionName", "value": house.function}]}
    event = told(house, "2", AlarmName=f"{house.function}-traffic", Trigger=watched)
    assert [handler(event, None) for _ in range(2)] == [{"codes": ["told"]}] * 2
    assert house.routed() == ("1", {"2": 0.25})
    assert alarms.guarded(house.bucket, house.product) == ()
    first, again = queued(house)
    assert first == again
    assert (first["detail-type"], first["detail"]["product"]) == ("Traffic Rose", house.product)


def test_a_challenger_with_all_the_traffic_gives_it_back_to_the_champion_of_the_record(house: House) -> None:
    house.write_record(champion="1", challenger="2", weight=1.0)
    house.route("2")
    assert handler(told(house, "2"), None) == {"codes": ["taken_back"]}
    assert house.routed() == ("1", {})


def test_an_alarm_of_the_champion_cannot_block_the_release_that_replaces_it(house: House) -> None:
    house.write_record(champion="1", challenger="3", weight=0.5)
    house.route("1", v3=0.5)
    assert handler(told(house, "1"), None) == {"codes": ["champion"]}
    assert house.routed() == ("1", {"3": 0.5})
    (record,) = alarms.guarded(house.bucket, house.product)
    assert (record.code, record.to) == ("champion", None)


def test_a_champion_keeps_all_the_traffic_whatever_its_alarm_says(house: House) -> None:
    house.write_record(champion="2")
    house.route("2")
    assert handler(told(house, "2"), None) == {"codes": ["champion"]}
    assert house.routed() == ("2", {})


def test_the_same_firing_again_changes_nothing_and_keeps_the_first_record(house: House) -> None:
    house.write_record(champion="1", challenger="2", weight=0.25)
    house.route("1", v2=0.25)
    handler(told(house, "2"), None)
    (first,) = alarms.guarded(house.bucket, house.product)
    assert handler(told(house, "2"), None) == {"codes": ["taken_back"]}
    assert alarms.guarded(house.bucket, house.product) == (first,)


def test_killed_between_the_traffic_and_the_record_the_next_try_finds_the_challenger_out(house: House) -> None:
    house.write_record(champion="1", challenger="2", weight=0.25)
    house.route("1")
    assert handler(told(house, "2"), None) == {"codes": ["already_out"]}
    assert [record.code for record in alarms.guarded(house.bucket, house.product)] == ["already_out"]


def test_another_firing_of_the_same_alarm_is_a_record_of_its_own(house: House) -> None:
    house.write_record(champion="1", challenger="2", weight=0.25)
    house.route("1", v2=0.25)
    handler(told(house, "2"), None)
    handler(told(house, "2", at="2026-03-01T11:00:00.000+0000"), None)
    assert [record.code for record in alarms.guarded(house.bucket, house.product)] == ["taken_back", "already_out"]


def test_without_a_control_record_the_additional_version_is_the_challenger(house: House) -> None:
    house.route("1", v2=0.25)
    assert handler(told(house, "2"), None) == {"codes": ["taken_back"]}
    assert house.routed() == ("1", {})


def test_a_bucket_that_is_gone_saves_no_bad_challenger(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TROPISM_BUCKET", "no-such-bucket-anywhere")
    house.route("1", v2=0.25)
    with pytest.raises(Exception, match="NoSuchBucket"):
        handler(told(house, "2"), None)
    assert house.routed() == ("1", {})


def test_a_queue_that_is_gone_keeps_nothing_from_being_done_and_recorded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROPISM_EVENTS_QUEUE_URL", f"{house.queue}-gone")
    house.route("1", v2=0.25)
    assert handler(told(house, "2"), None) == {"codes": ["taken_back"]}
    assert len(alarms.guarded(house.bucket, house.product)) == 1


def test_an_alias_moved_in_between_is_read_again_before_anything_is_decided(house: House) -> None:
    """The release ended and promoted version 2 right after the guard had read: version 2 stays."""
    house.write_record(champion="1", challenger="2", weight=0.25)
    house.route("1", v2=0.25)
    seen = effects.traffic(house.function)
    assert isinstance(seen, AliasState)
    house.write_record(champion="2")
    house.route("2")
    assert effects.move(house.function, "1", seen.revision) is False
    assert house.routed() == ("2", {})
    assert handler(told(house, "2"), None) == {"codes": ["champion"]}


def test_an_alias_that_others_keep_moving_makes_lambda_try_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.route("1", v2=0.25)
    real = effects.traffic

    def contested(function: str) -> AliasState | None:
        found = real(function)
        house.route("1", v2=0.25)  # a new revision, every time somebody has looked
        return found

    monkeypatch.setattr(effects, "traffic", contested)
    with pytest.raises(AliasContestedError, match="moved by others 5 times"):
        handler(told(house, "2"), None)
    assert house.routed() == ("1", {"2": 0.25})
    assert alarms.guarded(house.bucket, house.product) == ()


@pytest.mark.parametrize("changed", [{"NewStateValue": "OK"}, {"Trigger": {}}, {"AlarmName": 7}])
def test_what_asks_for_nothing_leaves_no_trace(house: House, changed: dict[str, Any]) -> None:
    house.route("1", v2=0.25)
    assert handler(told(house, "2", **changed), None) == {"codes": []}
    assert house.routed() == ("1", {"2": 0.25})
    assert alarms.guarded(house.bucket, house.product) == ()


def test_a_function_that_answers_for_no_product_is_left_alone(house: House) -> None:
    event = json.loads(json.dumps(told(house, "2")).replace(house.function, "somebody-elses"))
    assert handler(event, None) == {"codes": []}
