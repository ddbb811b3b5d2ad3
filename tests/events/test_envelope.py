"""What every event has: an id of what happened, and a form on the wire that Prefect reads."""

import dataclasses
import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from prefect.server.events.schemas.events import ReceivedEvent

from deployments.samples import events
from lifecycle.events import Event, EventName

AT = datetime(2013, 2, 1, tzinfo=UTC)


def test_every_name_has_an_example() -> None:
    assert {event.name for event in events()} == set(EventName)


@pytest.mark.parametrize("event", events(), ids=lambda event: event.name)
def test_prefect_reads_every_event_and_its_payload_survives(event: Event) -> None:
    wire = json.loads(json.dumps(event.to_prefect(AT, flow_run_id="r-1")))

    read = ReceivedEvent.model_validate(wire)

    assert (read.id, read.event, read.resource.id) == (event.id, event.name, event.resource)
    assert read.payload == event.payload
    assert read.payload["product"] == event.product


@pytest.mark.parametrize("event", events(), ids=lambda event: event.name)
def test_an_attempt_is_another_event_and_who_retries_or_when_is_not(event: Event) -> None:
    again = dataclasses.replace(event, attempt=event.attempt + 1)
    told_by_another = dataclasses.replace(event, retry_of="another run")

    assert again.id != event.id
    assert told_by_another.id == event.id


def test_examples_are_all_different_happenings() -> None:
    ids = [event.id for event in events()]

    assert len(set(ids)) == len(ids)


def test_the_bridge_starts_with_the_standard_library_alone() -> None:
    heavy = ["prefect", "boto3", "botocore", "pydantic", "numpy", "httpx", "yaml", "mlflow", "pandas"]
    code = f"import sys, functions.bridge.handler; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
