from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.configuration import LambdaJobConfiguration, LambdaVariables, Target

MODELS = [LambdaVariables, LambdaJobConfiguration]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", 127),
        ("memory", 10_241),
        ("memory", "plenty"),
        ("timeout", 0),
        ("timeout", 901),
        ("function_name", ""),
        ("function_name", "a" * 65),
        ("function_name", "name:alias"),
        ("function_name", "name with spaces"),
        ("qualifier", ""),
        ("qualifier", "live;drop"),
        ("qualifier", "a" * 129),
        ("payload", ["not", "an", "object"]),
    ],
)
def test_a_variable_out_of_bounds_is_refused_by_its_name(model: Any, name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        model(**{"function_name": "run-flow", name: value})
    assert refused.value.errors()[0]["loc"] == (name,)


@pytest.mark.parametrize("model", MODELS)
@given(memory=st.integers(128, 10_240), timeout=st.integers(1, 900))
def test_every_variable_within_bounds_is_taken(model: Any, memory: int, timeout: int) -> None:
    made = model(function_name="run-flow", memory=memory, timeout=timeout, qualifier="$LATEST")
    assert (made.memory, made.timeout) == (memory, timeout)


def test_a_function_may_be_named_by_its_arn() -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:tropism-run-flow"
    assert LambdaJobConfiguration(function_name=arn, qualifier="live").target == Target(arn, "live")


def test_a_function_must_be_named() -> None:
    with pytest.raises(ValidationError) as refused:
        LambdaVariables()  # type: ignore[call-arg]
    assert refused.value.errors()[0]["loc"] == ("function_name",)


@pytest.mark.parametrize(
    "name",
    [
        "PREFECT_API_AUTH_STRING",
        "PREFECT_API_KEY",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL",
        "PREFECT_HOME",
        "AWS_SECRET_ACCESS_KEY",
    ],
)
def test_settings_and_credentials_are_refused_as_variables_of_the_environment(name: str) -> None:
    with pytest.raises(ValidationError, match=f"names {name}. An invocation carries no settings of Prefect"):
        LambdaJobConfiguration(function_name="run-flow", env={"STAGE": "prod", name: "x"})


def test_a_command_is_refused_because_nothing_would_run_it() -> None:
    with pytest.raises(ValidationError, match="takes no command; found 'prefect flow-run execute'"):
        LambdaJobConfiguration(function_name="run-flow", command="prefect flow-run execute")
