"""Against a real server: what `apply` makes, what a second one does, and what events start."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from deployments import plan as planning
from deployments.automations import WATCH
from deployments.samples import events
from lifecycle.events import (
    BatchLanded,
    Event,
    LabelsLanded,
    MetricBreached,
    ModelChallenged,
    RetrainRequested,
    RunLost,
)

NASTY = 'landing/flights/a b+c%20d\'s {{ "x" }} <é ü>/2013-02.csv'


@pytest.fixture
def applied(prefect_server: Any, checkout: Callable[..., Any], places: Any) -> Any:
    made = checkout(prefect_server.url)
    planning.apply(made.settings, source=made.manifest, at=places, environ=made.environ)
    return made


def landed(**changes: Any) -> BatchLanded:
    fields = {"product": "flights", "bucket": "lake", "object_version": "v1", "etag": "e", "size": 1, **changes}
    return BatchLanded(key=fields.pop("key", f"landing/flights/{uuid.uuid4()}.csv"), **fields)


def wire(event: Event) -> dict[str, Any]:
    return dict(event.to_prefect(datetime.now(UTC)))


def seen(server: Any, deployment: str) -> set[object]:
    return {run.id for run in server.runs(deployment)}


def test_a_second_apply_changes_nothing_and_keeps_every_id(prefect_server: Any, applied: Any, places: Any) -> None:
    def ids() -> tuple[set[object], set[object]]:
        client = prefect_server.client
        return {found.id for found in client.read_deployments()}, {found.id for found in client.read_automations()}

    before = ids()
    started = time.monotonic()
    again = planning.apply(applied.settings, source=applied.manifest, at=places, environ=applied.environ)

    assert again.differences == ()
    assert ids() == before
    assert time.monotonic() - started < 5


def test_the_plan_names_a_schedule_trigger_pool_and_automation_changed_by_hand(
    prefect_server: Any, applied: Any, places: Any
) -> None:
    client = prefect_server.client
    sweep = next(found for found in client.read_deployments() if found.name == "sweep")
    client.update_deployment_schedule(sweep.id, sweep.schedules[0].id, active=False)
    by_name = {found.name: found for found in client.read_automations()}
    client.pause_automation(by_name["train-on-batch-validated"].id)
    client.delete_automation(by_name["release-on-model-challenged"].id)
    client.pause_automation(by_name[WATCH].id)

    found = planning.plan(applied.settings, source=applied.manifest, at=places, environ=applied.environ)

    assert {(item.kind, item.name, item.field) for item in found.differences} == {
        ("deployment", "sweep/sweep", "schedules"),
        ("trigger", "train-on-batch-validated", ""),
        ("trigger", "release-on-model-challenged", ""),
        ("automation", WATCH, ""),
    }
    planning.apply(applied.settings, source=applied.manifest, at=places, environ=applied.environ)
    assert (
        planning.plan(applied.settings, source=applied.manifest, at=places, environ=applied.environ).differences == ()
    )


def test_a_deployment_that_is_renamed_leaves_no_automation_behind(
    prefect_server: Any, applied: Any, places: Any
) -> None:
    applied.replace("- name: rollback", "- name: go-back")
    applied.replace("- name: release\n", "- name: give-traffic\n")

    planning.apply(applied.settings, source=applied.manifest, at=places, environ=applied.environ)

    client = prefect_server.client
    names = {found.name for found in client.read_deployments()}
    assert names == {"ingest", "train", "give-traffic", "go-back", "score", "monitor", "respond", "sweep"}
    triggers = [found.name for found in client.read_automations()]
    assert triggers.count("release-on-model-challenged") == 1
    known = {found.id for found in client.read_deployments()}
    actions = [action for found in client.read_automations() for action in found.actions]
    assert {action.deployment_id for action in actions} <= known


@pytest.mark.usefixtures("applied")
def test_the_schedule_makes_sweeps(prefect_server: Any) -> None:
    """A server whose SQLAlchemy is not the one Prefect was made for logs an error and never schedules anything."""
    end = time.monotonic() + 90  # the scheduler looks every minute
    scheduled: list[Any] = []
    while not scheduled and time.monotonic() < end:
        scheduled = prefect_server.runs("sweep", scheduled=True)
        time.sleep(0.5)

    assert scheduled
    assert all(run.expected_start_time.second == 0 for run in scheduled)


@pytest.mark.parametrize(
    ("event", "deployment", "parameters"),
    [
        (
            landed(key=NASTY, object_version=None, retry_of="r-1"),
            "ingest",
            {"product": "flights", "key": NASTY, "object_version": None, "retry_of": "r-1"},
        ),
        (
            landed(key="landing/flights/plain.csv"),
            "ingest",
            {"product": "flights", "key": "landing/flights/plain.csv", "object_version": "v1", "retry_of": None},
        ),
        (
            RetrainRequested(product="flights", cause='drift "x"', request_id="1"),
            "train",
            {"product": "flights", "cause": 'drift "x"', "retry_of": None},
        ),
        (
            ModelChallenged(product="flights", version="12", bundle="d"),
            "release",
            {"product": "flights", "model_version": "12", "retry_of": None},
        ),
        (
            LabelsLanded(
                product="flights", bucket="lake", key="labels/flights/a.csv", object_version="v", etag="e", size=1
            ),
            "monitor",
            {"product": "flights", "cause": "labels.landed", "retry_of": None},
        ),
        (
            next(event for event in events() if isinstance(event, MetricBreached)),
            "respond",
            {"product": "flights", "cause": "metric.breached", "retry_of": None},
        ),
        (
            RunLost(product=None, flow_run_id=str(uuid.UUID(int=7)), cause="c", process="p"),
            "sweep",
            {"product": None, "cause": "run.lost"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.usefixtures("applied")
def test_an_event_starts_a_run_with_typed_parameters(
    prefect_server: Any, event: Event, deployment: str, parameters: dict[str, Any]
) -> None:
    before = seen(prefect_server, deployment)

    prefect_server.post(wire(event))

    runs = [
        run
        for run in prefect_server.new_runs(deployment, before, 1)
        if run.created_by is not None and run.created_by.type == "AUTOMATION"
    ]
    assert [run.parameters for run in runs] == [parameters]


@pytest.mark.usefixtures("applied")
def test_the_same_event_posted_five_times_gives_one_run(prefect_server: Any) -> None:
    before, event, last = seen(prefect_server, "ingest"), landed(), landed()

    for _ in range(5):
        prefect_server.post(wire(event))
    prefect_server.post(wire(last))

    runs = prefect_server.new_runs("ingest", before, 2)
    assert sorted(run.parameters["key"] for run in runs) == sorted([event.key, last.key])


@pytest.mark.usefixtures("applied")
def test_a_second_attempt_is_a_new_event(prefect_server: Any) -> None:
    before, key = seen(prefect_server, "ingest"), f"landing/flights/{uuid.uuid4()}.csv"

    prefect_server.post(wire(landed(key=key)), wire(landed(key=key, attempt=1)))

    assert [run.parameters["key"] for run in prefect_server.new_runs("ingest", before, 2)] == [key, key]


@pytest.mark.usefixtures("applied")
def test_a_crashed_run_in_care_wakes_the_sweep_and_a_crashed_sweep_does_not(prefect_server: Any) -> None:
    from prefect.states import Crashed  # noqa: PLC0415

    client = prefect_server.client
    by_name = {found.name: found for found in client.read_deployments()}
    before = seen(prefect_server, "sweep")
    crashed_sweep = client.create_flow_run_from_deployment(by_name["sweep"].id)
    client.set_flow_run_state(crashed_sweep.id, Crashed(), force=True)
    crashed = client.create_flow_run_from_deployment(by_name["rollback"].id, parameters={"product": "p", "reason": "r"})
    client.set_flow_run_state(crashed.id, Crashed(), force=True)

    runs = prefect_server.new_runs("sweep", before | {crashed_sweep.id}, 1)

    woken = [run for run in runs if run.parameters.get("cause") == "prefect.flow-run.Crashed"]
    assert len(woken) == 1


@pytest.mark.usefixtures("applied")
def test_an_action_that_fails_to_render_wakes_the_sweep_with_its_name_and_reason(prefect_server: Any) -> None:
    before = seen(prefect_server, "sweep")
    body = wire(landed())
    del body["payload"]["key"]

    prefect_server.post(body)

    end = time.monotonic() + 30
    causes: list[str] = []
    while not causes and time.monotonic() < end:
        runs = [run for run in prefect_server.runs("sweep") if run.id not in before]
        causes = [run.parameters["cause"] for run in runs if "failed" in run.parameters.get("cause", "")]
        time.sleep(0.2)
    assert causes[0].startswith("automation ingest-on-batch-landed failed: Unable to create flow run from deployment")
