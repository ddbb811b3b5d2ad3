"""What AWS writes into an alarm's SNS message, kept as files, and everything that is no such message."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.guarding import Alarm, Rise
from lifecycle.notices import NotOurs, read_alarm

SAMPLES = Path(__file__).parent / "aws"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def sample(name: str, **changed: Any) -> dict[str, Any]:
    return {**json.loads((SAMPLES / f"{name}.json").read_text()), **changed}


@pytest.mark.parametrize(("name", "metric"), [("errors", "Errors+Invocations"), ("latency", "Duration")])
def test_an_alarm_is_read_by_the_dimensions_of_what_it_watches(name: str, metric: str) -> None:
    body = sample(name)
    assert read_alarm(json.dumps(body)) == Alarm(
        name=f"tropism-predict-flights-v7-{name}",
        function="tropism-predict-flights",
        function_version="7",
        metric=metric,
        at="2026-03-01T10:09:41.131+0000",
        reason=body["NewStateReason"],
    )


def test_an_alarm_about_a_whole_functions_traffic_is_one_of_its_own() -> None:
    body = sample("traffic")
    assert read_alarm(json.dumps(body)) == Rise(
        name="tropism-predict-flights-traffic",
        function="tropism-predict-flights",
        at="2026-03-01T10:09:41.131+0000",
        reason=body["NewStateReason"],
    )


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA", None])
def test_an_alarm_that_does_not_fire_asks_for_nothing(state: str | None) -> None:
    assert isinstance(read_alarm(json.dumps(sample("latency", NewStateValue=state))), NotOurs)


def dimensions(**named: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in named.items()]


@pytest.mark.parametrize(
    "watched",
    [
        dimensions(),
        dimensions(FunctionName="f"),
        dimensions(FunctionName="f", Resource="f:live"),
        dimensions(FunctionName="f", Resource="g:live", ExecutedVersion="7"),
        dimensions(FunctionName="f", ExecutedVersion="7"),
    ],
)
def test_an_alarm_about_no_version_behind_an_alias_is_not_ours(watched: list[dict[str, str]]) -> None:
    trigger = {**sample("latency")["Trigger"], "Dimensions": watched}
    assert isinstance(read_alarm(json.dumps(sample("latency", Trigger=trigger))), NotOurs)


def test_metric_math_over_two_versions_blames_neither() -> None:
    body = sample("errors")
    body["Trigger"]["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"][2]["value"] = "8"
    assert isinstance(read_alarm(json.dumps(body)), NotOurs)


@given(JSON | st.text() | st.binary())
def test_anything_else_is_answered_and_never_raises(value: Any) -> None:
    text = value if isinstance(value, str | bytes) else json.dumps(value)
    assert isinstance(read_alarm(text), NotOurs)


@given(st.fixed_dictionaries({"Trigger": JSON, "AlarmName": st.text(), "StateChangeTime": st.text()}))
def test_any_trigger_is_read_without_raising(body: dict[str, Any]) -> None:
    assert isinstance(read_alarm(json.dumps({**body, "NewStateValue": "ALARM"})), NotOurs)
