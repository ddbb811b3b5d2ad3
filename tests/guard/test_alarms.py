"""The alarms of a challenger, as CloudWatch knows them."""

from typing import Any

import pytest

from lifecycle.errors import ServiceError
from lifecycle.release_plan import Ceilings, ReleasePlan
from tasks import alarms
from tests.guard.conftest import House

PLAN = ReleasePlan(ceilings=Ceilings(errors=0.02, slow=0.125))


def known(house: House) -> dict[str, dict[str, Any]]:
    found = house.clients("cloudwatch").describe_alarms(AlarmNamePrefix=house.function)["MetricAlarms"]
    return {alarm["AlarmName"]: alarm for alarm in found}


def test_a_version_is_watched_behind_the_alias_with_the_plans_own_thresholds(house: House) -> None:
    names = alarms.ensure(house.settings, house.product, "2", PLAN)
    assert names == (f"{house.function}-v2-errors", f"{house.function}-v2-latency")
    errors, latency = (known(house)[name] for name in names)
    where = [
        {"Name": "FunctionName", "Value": house.function},
        {"Name": "Resource", "Value": f"{house.function}:live"},
        {"Name": "ExecutedVersion", "Value": "2"},
    ]
    assert errors["Threshold"] == 0.02
    assert errors["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"] == where
    assert errors["Metrics"][2]["Expression"] == "IF(errors >= 5, errors / invocations, 0)"
    assert (latency["ExtendedStatistic"], latency["Threshold"], latency["Period"]) == ("p87.5", 300.0, 300)
    assert (latency["EvaluateLowSampleCountPercentile"], latency["Dimensions"]) == ("ignore", where)
    for alarm in (errors, latency):
        assert alarm["AlarmActions"][0].endswith(f":{house.settings.function_prefix}-alarms")
        assert alarm["TreatMissingData"] == "notBreaching"


def test_making_them_again_changes_nothing_and_deleting_them_twice_is_harmless(house: House) -> None:
    first = alarms.ensure(house.settings, house.product, "2", PLAN)
    assert alarms.ensure(house.settings, house.product, "2", PLAN) == first
    assert set(known(house)) == set(first)
    alarms.delete(house.settings, house.product, "2")
    alarms.delete(house.settings, house.product, "2")
    assert known(house) == {}


def test_an_alarm_that_was_deleted_switched_off_or_changed_is_as_it_was_after_the_next_call(house: House) -> None:
    errors, latency = alarms.ensure(house.settings, house.product, "2", PLAN)
    before, there = known(house), house.clients("cloudwatch")
    for harm in (
        lambda: there.delete_alarms(AlarmNames=[errors]),
        lambda: there.disable_alarm_actions(AlarmNames=[latency]),
        lambda: alarms.ensure(house.settings, house.product, "2", ReleasePlan()),
    ):
        harm()
        assert shape(known(house)) != shape(before)
        alarms.ensure(house.settings, house.product, "2", PLAN)
        assert shape(known(house)) == shape(before)
    alarms.delete(house.settings, house.product, "2")


def shape(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Leave out how an alarm does and when it was written."""
    return {
        name: {key: value for key, value in alarm.items() if not key.startswith("State") and "Timestamp" not in key}
        for name, alarm in found.items()
    }


def test_an_alarm_that_fires_goes_on_firing_when_it_is_made_sure_of(house: House) -> None:
    errors, _ = alarms.ensure(house.settings, house.product, "2", PLAN)
    written = known(house)[errors]["AlarmConfigurationUpdatedTimestamp"]
    house.clients("cloudwatch").set_alarm_state(AlarmName=errors, StateValue="ALARM", StateReason="a test")
    alarms.ensure(house.settings, house.product, "2", PLAN)
    assert known(house)[errors]["AlarmConfigurationUpdatedTimestamp"] == written
    assert alarms.firing(house.settings, house.product, "2") == (errors,)
    alarms.delete(house.settings, house.product, "2")


def test_alarms_that_a_dead_release_left_go_and_another_products_stay(house: House) -> None:
    alarms.ensure(house.settings, house.product, "2", PLAN)
    stranger = f"{house.function}-v2-v9-errors"  # of a product called "flights-v2"
    house.clients("cloudwatch").put_metric_alarm(
        AlarmName=stranger,
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    names = alarms.ensure(house.settings, house.product, "3", PLAN)
    assert set(known(house)) == {*names, stranger}
    house.clients("cloudwatch").delete_alarms(AlarmNames=[stranger])
    alarms.delete(house.settings, house.product, "3")


def test_only_what_fires_is_told(house: House) -> None:
    errors, _ = alarms.ensure(house.settings, house.product, "2", PLAN)
    assert alarms.firing(house.settings, house.product, "2") == ()
    house.clients("cloudwatch").set_alarm_state(AlarmName=errors, StateValue="ALARM", StateReason="a test")
    assert alarms.firing(house.settings, house.product, "2") == (errors,)
    assert alarms.firing(house.settings, house.product, "3") == ()
    alarms.delete(house.settings, house.product, "2")


def test_alarms_that_nobody_would_hear_are_refused(house: House) -> None:
    (topic,) = (
        found["TopicArn"]
        for found in house.clients("sns").list_topics()["Topics"]
        if found["TopicArn"].endswith(f":{house.settings.function_prefix}-alarms")
    )
    house.clients("sns").delete_topic(TopicArn=topic)
    try:
        with pytest.raises(ServiceError, match="nobody would hear an alarm"):
            alarms.ensure(house.settings, house.product, "2", PLAN)
    finally:
        house.clients("sns").create_topic(Name=f"{house.settings.function_prefix}-alarms")
    assert known(house) == {}
