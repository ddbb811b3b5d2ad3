"""People's words about a release: in force at once, with a name and a reason in the ledger, whatever is down."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flows.ordering import trained_by
from lifecycle.batch import Reason
from lifecycle.control import Actor, ControlRecord
from lifecycle.evidence import Arm, Evidence, StepEvidence
from lifecycle.pairs import Disagreement
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress
from lifecycle.stepping import Judged, begin, hold, settle_step, step
from localcloud.address import free_port
from tasks import claim, control, endpoint, ledger, traffic
from tests.cli.conftest import Run, World
from tests.cli.test_serving import Serving, released
from tests.release.conftest import hearing

__all__ = ["released"]  # a fixture
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
PLAN = ReleasePlan(steps=(10, 50, 100), tick=timedelta(seconds=5), min_requests=30)
AGO = datetime.now(UTC) - timedelta(hours=1)
BY = Actor("release/1", AGO, "model.challenged")
COUNTED = Evidence(
    disagreement=Disagreement(pairs=40, distance=2.0, decided=40, flipped=4),
    steps=(
        StepEvidence(
            step=0,
            weight=0.1,
            challenger=Arm(requests=12, errors=0, slow=1, invalid=0, scores=(6, 6)),
            champion=Arm(requests=100, errors=2, slow=3, invalid=0, scores=(50, 50)),
        ),
    ),
)
WHY = Reason("TOO_FEW_REQUESTS", "requests", "12 to the challenger", "at least 30")


def under_release(world: World, function_version: str = "3", **plan: Any) -> ControlRecord:
    """Put model 2 under release over model 1: held at its first step, or not begun where it waits for approval."""
    held = control.read(world.bucket, world.product)
    if held.record.champion is None:
        world.promoted("1")
        world.challenged("2", ("ab" * 32,), champion="1")
        held = control.read(world.bucket, world.product)
    assert held.record.champion is not None
    challenger = held.record.champion.model_copy(
        update={"model_version": "2", "bundle": "d" * 64, "function_version": function_version}
    )
    move = begin(held.record, challenger, PLAN.model_copy(update=plan), BY)
    if "approval" not in plan:
        move = step(move.record, Progress(since=AGO), Judged(Evidence(), AGO), BY, alias_revision="r")
        move = settle_step(move.record, BY)
        move = hold(move.record, Judged(COUNTED, AGO, (WHY,)), BY)
    return control.write(world.bucket, held, move).record


def last(world: World) -> tuple[str, str, str, str | None]:
    entry = ledger.entries(world.bucket, world.product)[-1]
    assert ledger.check(world.bucket, world.product).holds
    return entry.action, entry.actor, entry.reason, entry.to


def test_a_hold_and_an_approval_are_in_force_with_prefect_and_mlflow_down(run: Run, world: World) -> None:
    under_release(world)
    held = run("hold", "parcels", "--reason", "the airport moves", "--as", "ada", "--json").json
    assert held == {
        "product": "parcels",
        "order": "hold",
        "model": "2",
        "state": "held",
        "weight": 0.1,
        "by": "ada",
        "reason": "the airport moves",
        "changed": True,
        "pending": [],
    }
    assert last(world) == ("hold", "ada", "the airport moves", "2")
    again = run("hold", "parcels", "--as", "bo", "--json").json
    assert (again["changed"], last(world)[1]) == (False, "ada")
    found = run("approve", "parcels", "--reason", "it did", "--as", "bo")
    assert "parcels: the release of model 2 is approved by bo." in found.out
    assert "The sweep brings along: next look." in found.out
    rollout = control.read(world.bucket, "parcels").record.rollout
    assert rollout is not None
    assert (rollout.progress.held, rollout.progress.approved, rollout.approved_by) == (False, True, "bo")
    assert last(world) == ("approve", "bo", "it did", "2")


def test_a_release_that_waits_begins_on_a_named_persons_word_only(run: Run, world: World) -> None:
    under_release(world, approval="required")
    trainer = trained_by(ledger.entries(world.bucket, "parcels"), control.read(world.bucket, "parcels").record)
    assert trainer == "train"
    own = run("approve", "parcels", "--as", "train")
    assert (own.code, "train trained model 2; somebody else has to approve it." in own.err) == (14, True)
    flow = run("approve", "parcels", "--as", "release/7")
    assert (flow.code, "Say who with `--as NAME`." in flow.err) == (14, True)
    assert run("status", "parcels", "--json").json["release"]["state"] == "waiting"
    assert run("approve", "parcels", "--as", "ada", "--json").json["state"] == "moving"


def test_without_a_release_there_is_nothing_to_say_and_that_is_said(run: Run, world: World) -> None:
    world.promoted("1")
    for word in ("approve", "hold", "abort"):
        found = run(word, "parcels")
        assert (found.code, "No model of parcels is under release." in found.err) == (14, True)


@pytest.mark.usefixtures("world")
def test_an_unknown_product_is_met_with_the_nearest_name(run: Run) -> None:
    for word in ("approve", "hold", "abort", "freeze", "unfreeze"):
        found = run(word, "parcel", "--reason", "x")
        assert (found.code, "did you mean 'parcels'?" in found.err) == (2, True)


@pytest.fixture
def _no_prefect(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody answers as Prefect, also where another test's server is the ambient one."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415  it costs seconds

    nobody = f"http://127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", nobody)
    with temporary_settings({PREFECT_API_URL: nobody}):
        yield


@pytest.mark.usefixtures("_no_prefect")
def test_a_freeze_of_everything_is_a_word_for_each_product(run: Run, world: World) -> None:
    found = run("freeze", "--reason", "audit", "--as", "ada", "--json").json
    assert [(one["product"], one["order"], one["changed"]) for one in found] == [("parcels", "freeze", True)]
    assert run("status", "parcels", "--json").json["frozen"] is True
    assert last(world) == ("freeze", "ada", "audit", None)
    assert run("status", "parcels", "--json").json["freeze"]["by"] == "ada"
    assert "frozen; it serves, and nothing else happens, as before." in run("freeze", "parcels", "--reason", "x").out
    done = run("unfreeze", "parcels", "--reason", "done", "--json").json[0]
    assert (done["changed"], done["pending"]) == (True, ["what waited"]), "Prefect is away: the next sweep wakes it"
    assert run("status", "parcels", "--json").json["freeze"] is None
    assert run("freeze", "parcels", "--reason", " ").code == 2


def test_status_says_where_a_release_stands_and_on_what_evidence(run: Run, world: World) -> None:
    under_release(world)
    found = run("status", "parcels", "--json").json
    assert (found["weight"], found["challenger"]["version"]) == (0.1, "2")
    release = found["release"]
    assert release["detectable_ratio"] is None or release["detectable_ratio"] > 1
    assert {**release, "detectable_ratio": None} == {
        "state": "held",
        "step": 0,
        "steps": [10.0, 50.0, 100.0],
        "since": AGO.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "looks": 2,
        "next_look": (AGO + PLAN.tick).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "reasons": [
            {
                "code": "TOO_FEW_REQUESTS",
                "column": "requests",
                "found": "12 to the challenger",
                "expected": "at least 30",
                "rows": None,
            }
        ],
        "challenger": {"requests": 12, "errors": 0, "slow": 1, "invalid": 0, "actions": None, "scored": 12},
        "champion": {"requests": 100, "errors": 2, "slow": 3, "invalid": 0, "actions": None, "scored": 100},
        "replayed": 0,
        "detectable_ratio": None,
        "approved_by": None,
        "held_by": None,
        "pairs": {
            "scored": 40,
            "mean_distance": 0.05,
            "flipped_share": 0.1,
            "labelled": 0,
            "labels_log_e": None,
        },
    }
    told = run("status", "parcels").out
    assert "held, step 1 of 3 at 10% of the requests" in told
    assert "TOO_FEW_REQUESTS: found 12 to the challenger, expected at least 30" in told
    assert "12 requests, 0 failed, 1 slow, 0 invalid" in told
    assert "40 rows scored by both, 0.05 apart, 10.0% decided differently" in told


def test_an_abort_gives_every_request_to_the_champion_at_once(run: Run, released: Serving) -> None:
    """Models 1 and 2 really answer; the release of a third, whose version is that of model 1, is scripted."""
    world, function = released.world, released.house.function
    held = control.read(world.bucket, "parcels")
    champion, first = held.record.champion, held.record.previous
    assert champion is not None
    assert first is not None
    third = first.model_copy(update={"model_version": "3", "bundle": "d" * 64})
    move = begin(held.record, third, PLAN, BY)
    move = step(move.record, Progress(since=AGO), Judged(Evidence(), AGO), BY, alias_revision="r")
    control.write(world.bucket, held, settle_step(move.record, BY))
    seen = endpoint.alias(function)
    assert seen is not None
    split = traffic.split_of(str(champion.function_version), str(first.function_version), 0.5)
    traffic.set_weights(function, split, seen=seen)
    off = {one["check"] for one in run("verify", "parcels", "--json").json if not one["ok"]}
    assert "function alias" in off  # the record says 10 %, the alias 50 %
    found = run("abort", "parcels", "--reason", "wrong holidays", "--as", "ada", "--json").json
    assert (found["order"], found["model"], found["weight"], found["changed"]) == ("abort", "3", 0.0, True)
    serving = endpoint.serving(released.house.settings, "parcels")
    assert serving is not None
    answers = {httpx.get(f"{serving.url}version").headers["x-model-version"] for _ in range(20)}
    assert answers == {"2"}
    assert last(world) == ("take_back", "ada", "Aborted by ada: wrong holidays", "2")
    assert run("status", "parcels", "--json").json["challenger"] is None
    assert run("abort", "parcels").code == 14


def test_status_counts_what_waits_for_the_end_of_a_freeze(run: Run, world: World) -> None:
    world.promoted("1")
    run("freeze", "parcels", "--reason", "the books are closed", "--as", "ada")
    found = run("status", "parcels", "--json").json["freeze"]
    assert found == {**found, "deliveries": 0, "batches": 0, "training": False, "model": None}
    assert "waits     nothing" in run("status", "parcels").out
    world.aws.s3.put_object(Bucket=world.bucket, Key="landing/parcels/march.csv", Body=b"a")
    world.aws.s3.put_object(Bucket=world.bucket, Key=f"validated/parcels/{'ab' * 32}/manifest.json", Body=b"{}")
    claim.leave_wish(world.bucket, "parcels", "run-1")
    world.challenged("2", ("cd" * 32,), champion="1")
    found = run("status", "parcels", "--json").json["freeze"]
    assert found == {
        "since": found["since"],
        "by": "ada",
        "reason": "the books are closed",
        "deliveries": 1,
        "batches": 1,
        "training": True,
        "model": "2",
    }
    told = run("status", "parcels").out
    assert f"since {found['since']} by ada: the books are closed" in told
    assert "1 landed, 1 validated that no model was trained on, a training, the release of model 2" in told
    assert "tropism unfreeze parcels --reason R" in told


def test_the_end_of_a_freeze_wakes_the_sweep_once(run: Run, world: World) -> None:
    with hearing() as heard:
        run("freeze", "parcels", "--reason", "audit", "--as", "ada")
        assert heard.events == []
        for _ in range(2):
            assert run("unfreeze", "parcels", "--reason", "done", "--as", "bo", "--json").json[0]["pending"] == []
    told = [(event["event"], event["payload"]["times"], event["payload"]["actor"]) for event in heard.events]
    assert set(told) == {("product.unfrozen", 1, "bo")}
    assert len({event["id"] for event in heard.events}) == 1
    assert world.product == "parcels"
