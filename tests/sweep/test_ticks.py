"""The next look at a release, on a real Prefect server: one run per look, due at its time, and what fails says so."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from lifecycle.errors import ServiceError
from lifecycle.lost import busy_with
from tasks import runs, ticks
from tasks.ticks import Tick
from tests.orchestrator import POOL, Prefect

DUE = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)


def look(number: int) -> Tick:
    return Tick("flights", "7", "ab" * 32, number, DUE)


def test_without_the_deployment_the_way_out_is_named(prefect: Prefect) -> None:
    assert prefect.url
    with pytest.raises(ServiceError, match=r"no deployment 'release/release'.*tropism apply"):
        ticks.schedule(look(1))


def test_a_look_is_scheduled_once_and_the_next_one_is_another_run(prefect: Prefect) -> None:
    flow_id = prefect.client.create_flow_from_name("release")
    prefect.client.create_deployment(
        flow_id,
        name="release",
        entrypoint="flows.release.release",
        work_pool_name=POOL,
        tags=["tropism", "recoverable"],
        parameter_openapi_schema={"type": "object", "properties": {}},
    )
    first = ticks.schedule(look(2))
    assert ticks.schedule(look(2)) == first
    second = ticks.schedule(look(3))
    assert second != first
    run = prefect.client.read_flow_run(UUID(first))
    assert run.parameters == {"product": "flights", "model_version": "7"}
    assert (run.state_name, run.state.state_details.scheduled_time if run.state else None) == ("Scheduled", DUE)
    assert {found.id for found in busy_with(runs.unfinished(), "release", "flights")} >= {first, second}


def test_without_an_address_no_server_is_started_for_it() -> None:
    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(ServiceError, match="PREFECT_API_URL is not set"):
        ticks.schedule(look(4))


def test_a_server_that_is_away_is_a_failed_service() -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(ServiceError, match="Prefect does not answer"),
    ):
        ticks.schedule(look(5))
