"""Lost runs on a real Prefect server, with tasks and buckets in the emulator."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Crashed, Failed, Pending, Running

from flows import mending, sweep
from flows.mending import Place
from lifecycle.errors import ServiceError
from lifecycle.events import RunLost
from lifecycle.lost import Notice
from lifecycle.settings import Settings
from tasks import events, ledger, runs
from tasks.step import directly
from tests.conftest import Aws
from tests.orchestrator import Prefect

CAUSE = "prefect.flow-run.Crashed"
IN_CARE = (runs.OURS, runs.RECOVERABLE)


@dataclass(frozen=True)
class World:
    """A product of this test's own, in a bucket, with deployments on a server that every test shares."""

    prefect: Prefect
    settings: Settings
    product: str
    ecs: Any = field(repr=False)

    def place(self, *, later: float = 60, cause: str = CAUSE) -> Place:
        now = datetime.now(UTC) + timedelta(seconds=later)
        return Place(directly, self.settings, "sweep/test", cause, now)

    def run(
        self,
        flow: str,
        pool: str,
        state: State[Any],
        *,
        pid: str | None = None,
        tags: tuple[str, ...] = (runs.OURS, runs.RECOVERABLE),
    ) -> FlowRun:
        client = self.prefect.client
        deployment = client.create_deployment(
            client.create_flow_from_name(flow),
            name=uuid.uuid4().hex,
            work_pool_name=self.pool(pool),
            tags=list(tags),
            parameter_openapi_schema={"type": "object", "properties": {}},
        )
        made = client.create_flow_run_from_deployment(deployment, parameters={"product": self.product})
        client.set_flow_run_state(made.id, Pending())
        if state.type.value != "PENDING":
            client.set_flow_run_state(made.id, Running())
            client.set_flow_run_state(made.id, state)
        if pid is not None:
            client.update_flow_run(made.id, infrastructure_pid=pid)
        return client.read_flow_run(made.id)

    def pool(self, kind: str) -> str:
        if kind not in {pool.name for pool in self.prefect.client.read_work_pools()}:
            self.prefect.client.create_work_pool(WorkPoolCreate(name=kind, type="process"))
        return kind

    def state(self, run: FlowRun) -> str:
        state = self.prefect.client.read_flow_run(run.id).state
        return state.name or "" if state else ""

    def successors(self, run: FlowRun) -> list[FlowRun]:
        wanted = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[f"rerun:{run.id}"]))
        return self.prefect.client.read_flow_runs(flow_run_filter=wanted)

    def task(self, run: FlowRun | None = None) -> str:
        named = [{"name": "PREFECT__FLOW_RUN_ID", "value": str(run.id)}] if run else []
        started = self.ecs.run_task(
            cluster=self.settings.function_prefix,
            taskDefinition=self.settings.function_prefix,
            overrides={"containerOverrides": [{"name": "prefect", "environment": named}]},
        )
        arn: str = started["tasks"][0]["taskArn"]
        return arn


@pytest.fixture
def world(aws: Aws, prefect: Prefect, tmp_path: Path) -> World:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    ecs = boto3.session.Session().client("ecs")
    ecs.create_cluster(clusterName=prefix)
    ecs.register_task_definition(
        family=prefix, containerDefinitions=[{"name": "prefect", "image": "absent", "memory": 128}]
    )
    settings = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": prefix, "root": tmp_path})
    return World(prefect, settings, f"p{uuid.uuid4().hex[:8]}", ecs)


def test_a_run_whose_worker_died_before_submitting_it_is_run_again_once(world: World) -> None:
    lost = world.run("ingest", "lambda", Pending())
    assert world.state(lost) == "Pending"
    list(mending.mend_runs(world.place(later=0)))
    assert (world.state(lost), world.successors(lost)) == ("Pending", [])
    list(mending.mend_runs(world.place()))
    list(mending.mend_runs(world.place()))
    assert world.state(lost) == "Crashed"
    (successor,) = world.successors(lost)
    assert successor.parameters == {"product": world.product, "retry_of": str(lost.id)}
    assert {"rerun", f"retry-of:{lost.id}", runs.RECOVERABLE} <= set(successor.tags)
    assert successor.state_name == "Scheduled"


def test_a_run_is_judged_by_its_task(world: World) -> None:
    cluster = world.settings.function_prefix
    alive = world.run("train", "ecs", Running(), pid=f"{cluster}::{world.task()}")
    killed, unknown = world.task(), "arn:aws:ecs:us-east-1:000000000000:task/none/none"
    dead = world.run("train", "ecs", Running(), pid=f"{cluster}::{killed}")
    gone = world.run("train", "ecs", Running(), pid=f"{cluster}::{unknown}")
    unnoted = world.run("train", "ecs", Pending())
    world.task(unnoted)
    world.ecs.stop_task(cluster=cluster, task=killed, reason="killed by a test")
    list(mending.mend_runs(world.place()))
    assert [world.state(run) for run in (alive, dead, gone, unnoted)] == ["Running", "Crashed", "Crashed", "Pending"]
    assert [len(world.successors(run)) for run in (alive, dead, gone, unnoted)] == [0, 1, 1, 0]
    message = world.prefect.client.read_flow_run(dead.id).state
    assert message is not None
    assert "killed by a test" in str(message.message)


def test_a_run_that_lambda_reported_is_run_again_and_one_of_another_submission_is_not(world: World) -> None:
    mine = world.run("ingest", "lambda", Running(), pid="fn::req-1")
    other = world.run("ingest", "lambda", Running(), pid="fn::req-2")
    for run in (mine, other):
        event = RunLost(
            product=world.product, flow_run_id=str(run.id), cause="Lambda RetriesExhausted", process="req-1"
        )
        events.send(event)
    deadline = time.monotonic() + 20
    while not {str(mine.id), str(other.id)} <= runs.notices(datetime.now(UTC), timedelta(hours=1)).keys():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    list(mending.mend_runs(world.place(later=1, cause="run.lost")))
    assert (world.state(mine), world.state(other)) == ("Crashed", "Running")
    assert [len(world.successors(run)) for run in (mine, other)] == [1, 0]
    assert runs.notices(datetime.now(UTC), timedelta(hours=1))[str(mine.id)] == Notice(
        str(mine.id), "req-1", "Lambda RetriesExhausted"
    )


def test_a_successor_that_crashes_is_given_up_and_said_so_once(world: World) -> None:
    lost = world.run("train", "ecs", Crashed(message="killed"))
    list(mending.mend_runs(world.place(later=0)))
    (successor,) = world.successors(lost)
    world.prefect.client.set_flow_run_state(successor.id, Crashed(message="killed again"), force=True)
    told = [list(mending.mend_runs(world.place(later=0))) for _ in range(2)]
    assert [sum(str(successor.id) in line for line in lines) for lines in told] == [1, 0]
    assert world.successors(successor) == []
    (entry,) = ledger.entries(world.settings.bucket, world.product)
    assert (entry.action, entry.evidence["flow_run"]) == ("run_lost", str(successor.id))
    assert "killed again" in entry.reason


def test_runs_that_failed_by_themselves_or_are_not_in_our_care_are_left_alone(world: World) -> None:
    failed = world.run("train", "ecs", Failed(message="bad input"))
    foreign = world.run("train", "ecs", Crashed(message="killed"), tags=(runs.RECOVERABLE,))
    done = world.run("train", "ecs", Completed())
    list(mending.mend_runs(world.place()))
    assert [world.successors(run) for run in (failed, foreign, done)] == [[], [], []]
    (seen,) = [run for run in [runs._run(world.prefect.client.read_flow_run(done.id), "train")] if run]
    assert runs.declare_crashed(seen, "by mistake") is False
    assert world.state(done) == "Completed"


def test_a_sweep_that_was_killed_gives_up_its_place_and_is_not_run_again(world: World) -> None:
    killed = world.run("sweep", "lambda", Pending(), tags=(runs.OURS,))
    list(mending.mend_runs(world.place()))
    assert (world.state(killed), world.successors(killed)) == ("Crashed", [])


def test_a_part_that_fails_keeps_no_other_from_its_turn_and_fails_the_run_at_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch, registry_uri: str
) -> None:
    lost = world.run("ingest", "lambda", Crashed(message="killed"))
    monkeypatch.setenv("TROPISM_BUCKET", world.settings.bucket)
    monkeypatch.setenv("TROPISM_FUNCTION_PREFIX", world.settings.function_prefix)
    monkeypatch.setenv("TROPISM_ROOT", str(world.settings.root))
    key = f"landing/{world.product}/late.csv"
    client = boto3.session.Session().client("s3")
    client.put_object(Bucket=world.settings.bucket, Key=key, Body=b"a,b\n1,2\n")
    client.put_object(Bucket=world.settings.bucket, Key=f"control/{world.product}.json", Body=b"{}")
    with pytest.raises(ServiceError, match="4 parts failed") as caught:
        sweep.sweep(world.product, cause="schedule")
    assert "is no control record" in caught.value.detail
    assert len(world.successors(lost)) == 1
    assert registry_uri


@pytest.fixture(autouse=True)
def _untouched_by_others(world: World) -> Callable[[], None]:
    """Every test leaves its runs ended, so that no other test's sweep has to judge them."""
    yield
    for run in world.prefect.client.read_flow_runs(limit=200):
        if not (run.state and run.state.is_final()):
            world.prefect.client.set_flow_run_state(run.id, Completed(), force=True)


def test_ids_of_runs_are_uuids(world: World) -> None:
    run = world.run("ingest", "lambda", Pending())
    assert [UUID(found.id) for found in runs.unfinished()] == [run.id]
