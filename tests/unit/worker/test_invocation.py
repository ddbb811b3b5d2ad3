import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.run_flow.request import RunRequest as Received
from worker.errors import PayloadTooLargeError
from worker.invocation import PAYLOAD_LIMIT
from worker.invocation import RunRequest as Sent

RUN = UUID("7f1b6f0e-6f4e-4c4f-9d0e-1c2f5a9e8b11")
TEXTS = st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3)
REQUESTS: Any = st.fixed_dictionaries(
    {
        "flow_run_id": st.uuids(),
        "run_count": st.integers(0, 99),
        "timeout": st.none() | st.integers(1, 900),
        "env": TEXTS,
        "labels": TEXTS,
        "payload": st.dictionaries(st.text(max_size=10), st.none() | st.booleans() | st.lists(st.integers())),
    }
)


def test_the_shape_of_version_1_is_fixed() -> None:
    text = Sent(RUN, 2, timeout=300, env={"A": "b"}, labels={"c": "d"}, payload={"e": [1]}).to_json()
    assert json.loads(text) == {
        "prefect": {
            "version": 1,
            "flow_run_id": str(RUN),
            "run_count": 2,
            "timeout": 300,
            "env": {"A": "b"},
            "labels": {"c": "d"},
        },
        "payload": {"e": [1]},
    }


@given(fields=REQUESTS)
def test_what_the_worker_sends_is_what_the_function_receives(fields: Any) -> None:
    assert Received.from_json(Sent(**fields).to_json()) == Received(**fields)
    assert Received(**fields).to_json() == Sent(**fields).to_json()
    assert Sent.from_json(Received(**fields).to_json()) == Sent(**fields)


def test_the_largest_payload_is_taken_and_one_byte_more_is_refused() -> None:
    room = PAYLOAD_LIMIT - len(Sent(RUN, 0, payload={"k": ""}).to_json())
    assert len(Sent(RUN, 0, payload={"k": "x" * room}).to_json()) == PAYLOAD_LIMIT
    with pytest.raises(PayloadTooLargeError, match="has 1,000,001 bytes; Lambda takes at most 1,000,000"):
        Sent(RUN, 0, payload={"k": "x" * (room + 1)}).to_json()


def test_the_payload_is_measured_in_bytes_not_in_characters() -> None:
    with pytest.raises(PayloadTooLargeError):
        Sent(RUN, 0, payload={"k": "ü" * (PAYLOAD_LIMIT // 2)}).to_json()


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({}, "prefect: Field required"),
        ([], "the event: Input should be a valid dictionary"),
        (None, "the event: Input should be a valid dictionary"),
        ({"prefect": {"version": 1, "run_count": 0}}, "prefect.flow_run_id: Field required"),
        ({"prefect": {"version": 1, "flow_run_id": "seven", "run_count": 0}}, "prefect.flow_run_id: Input should be"),
        ({"prefect": {"version": 1, "flow_run_id": str(RUN), "run_count": -1}}, "prefect.run_count: Input should be"),
    ],
)
def test_an_event_that_is_no_request_is_refused_by_what_is_wrong(event: Any, found: str) -> None:
    with pytest.raises(ValueError, match=r"The event is not a request to run a flow") as refused:
        Received.from_event(event)
    assert found in str(refused.value)


def test_another_version_is_refused_with_both_numbers() -> None:
    event = {"prefect": {"version": 2, "flow_run_id": str(RUN), "run_count": 0}}
    with pytest.raises(ValueError, match="has version 2; this function reads version 1"):
        Received.from_event(event)


def test_a_field_that_was_added_under_the_same_version_is_ignored() -> None:
    event = {"prefect": {"version": 1, "flow_run_id": str(RUN), "run_count": 0, "new": True}, "newer": 1}
    assert Received.from_event(event) == Received(RUN, 0)
