"""What Prefect is asked, against a real server."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from prefect import flow
from prefect.states import Crashed, Running

from cli.orchestrator import Orchestrator, connect
from lifecycle.errors import ServiceError
from tasks.ticks import Tick
from tests.orchestrator import POOL, Prefect

BEFORE = datetime.now(UTC) - timedelta(minutes=5)


TRAIN, RELEASE = f"train-{uuid4()}", f"release-{uuid4()}"  # the server is shared, these names are not


@flow(name=TRAIN)
def train(product: str) -> str:
    """Stand in for the flow of that name."""
    return product


@flow(name=RELEASE)
def release(product: str) -> str:
    """Stand in for the flow of that name."""
    return product


@pytest.fixture
def orchestrator(prefect: Prefect) -> Orchestrator:
    return connect(prefect.url)


def test_runs_are_those_of_the_flow_and_the_product(prefect: Prefect, orchestrator: Orchestrator) -> None:
    for product, state in (("letters", Running()), ("parcels", Crashed(message="The process is gone."))):
        prefect.client.create_flow_run(train, parameters={"product": product}, state=state)
    [found] = orchestrator.runs(TRAIN, since=BEFORE, product="parcels")
    assert (found.state, found.ended_badly, found.message) == ("CRASHED", True, "The process is gone.")
    assert (found.page, found.cause) == (f"{prefect.url.removesuffix('/api')}/runs/flow-run/{found.id}", None)
    assert len(orchestrator.runs(TRAIN, since=BEFORE)) == 2
    assert orchestrator.runs(RELEASE, since=BEFORE) == ()


def test_a_look_at_a_release_was_caused_by_the_look_before_it(
    prefect: Prefect,
    orchestrator: Orchestrator,
) -> None:
    look = Tick("letters", "2", "ab" * 32, 3, datetime.now(UTC))
    run = {
        "flow_id": str(prefect.client.create_flow(release)),
        "parameters": {"product": "letters"},
        "idempotency_key": look.key,
        "state": {"type": "RUNNING"},
    }
    assert httpx.post(f"{prefect.url}/flow_runs/", json=run).status_code == 201
    [found] = orchestrator.runs(RELEASE, since=BEFORE, product="letters")
    assert found.cause == "the look before it"


def test_an_automation_that_failed_to_act_is_found(prefect: Prefect, orchestrator: Orchestrator) -> None:
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.automation.action.failed",
        "resource": {"prefect.resource.id": "prefect.automation.x", "prefect.resource.name": "ingest-on-batch-landed"},
        "payload": {"reason": "no such parameter"},
    }
    assert httpx.post(f"{prefect.url}/events", json=[event]).status_code == 204
    found = []
    prefect.wait_until(lambda: bool(found.extend(orchestrator.failed_actions(since=BEFORE)) or found))
    assert (found[0].automation, found[0].reason) == ("ingest-on-batch-landed", "no such parameter")
    assert orchestrator.failed_actions(since=datetime.now(UTC) + timedelta(minutes=1)) == ()


def test_pools_without_workers_are_told_as_such(orchestrator: Orchestrator) -> None:
    pools = {pool.name: (pool.type, pool.online) for pool in orchestrator.pools()}
    assert pools[POOL] == ("lambda", ())
    assert orchestrator.version() == "3.8.8"
    assert orchestrator.automations() == ()


def test_a_server_that_is_away_is_named_with_what_to_run() -> None:
    with pytest.raises(ServiceError, match=r"Prefect at http://127\.0\.0\.1:9/api does not answer as it should\."):
        connect("http://127.0.0.1:9/api").version()


def test_no_address_is_said() -> None:
    with pytest.raises(ServiceError, match="PREFECT_API_URL is not set"):
        connect(None)
