"""What a trial says of an event, and that the server does what it says."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events.actions import DoNothing, RunDeployment, SendNotification
from prefect.events.schemas.automations import AutomationCore, CompoundTrigger, EventTrigger, Posture
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments import plan as planning
from deployments import standing
from deployments.event_file import read
from deployments.manifest import load
from deployments.standing import Known
from deployments.trial import Tried, try_all
from lifecycle.errors import UsageError
from lifecycle.events import BatchLanded

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "events" / "aws"


@pytest.fixture(scope="module")
def known() -> Known:
    return standing.in_repository(load(ROOT / "prefect.yaml", {}))


def tried(known: Known, text: str) -> dict[str, Tried]:
    given = read(text, "event.json")
    assert given.event is not None
    return {one.automation: one for one in try_all(known, given.event)}


def firing(found: dict[str, Tried]) -> list[str]:
    return [name for name, one in found.items() if one.verdict == "fires"]


def event(name: str, resource: str, related: tuple[dict[str, str], ...] = (), **payload: object) -> str:
    found = {"event": name, "resource": {"prefect.resource.id": resource}, "related": related, "payload": payload}
    return json.dumps(found)


def core(name: str, actions: list[Any] | None = None, *, enabled: bool = True, **trigger: Any) -> AutomationCore:
    made = EventTrigger(**{"expect": {"parcel.lost"}, "posture": Posture.Reactive, "within": timedelta(0), **trigger})
    return AutomationCore(name=name, enabled=enabled, trigger=made, actions=actions or [DoNothing()])


@pytest.mark.parametrize(
    ("golden", "automation", "deployment"),
    [
        ("put_plain", "ingest-on-batch-landed", "ingest"),
        ("put_quotes_and_braces", "ingest-on-batch-landed", "ingest"),
        ("ecs_killed", "sweep-on-run-lost", "sweep"),
        ("lambda_retries_exhausted", "sweep-on-run-lost", "sweep"),
    ],
)
def test_a_message_of_aws_fires_what_the_bridge_would_wake(
    known: Known, golden: str, automation: str, deployment: str
) -> None:
    text = (GOLDEN / f"{golden}.json").read_text()
    found = tried(known, text)

    assert firing(found) == [automation]
    assert [act.deployment for act in found[automation].acts] == [deployment]
    expected = json.loads(text)["expected"]
    if "landed" in expected:
        assert found[automation].acts[0].values == {
            "product": "flights",
            "key": expected["landed"]["key"],
            "object_version": expected["landed"]["object_version"],
            "retry_of": None,
        }


def test_a_message_as_the_queue_holds_it_is_unwrapped(known: Known) -> None:
    message = json.loads((GOLDEN / "put_plain.json").read_text())["message"]

    assert firing(tried(known, json.dumps({"Records": [{"body": json.dumps(message)}]}))) == ["ingest-on-batch-landed"]


def test_what_the_bridge_keeps_back_and_what_it_cannot_read() -> None:
    kept = read((GOLDEN / "hidden.json").read_text(), "hidden.json")

    assert (kept.event, kept.kept_back.startswith("The bridge sends nothing: ")) == (None, True)
    with pytest.raises(UsageError, match=r"native_notification\.json is not understood"):
        read((GOLDEN / "native_notification.json").read_text(), "native_notification.json")
    with pytest.raises(UsageError, match=r"event\.json holds no event\. Found a list"):
        read("[]", "event.json")
    with pytest.raises(UsageError, match="resource: "):
        read('{"event": "batch.landed", "resource": {}}', "event.json")


def test_the_others_say_why_they_would_not(known: Known) -> None:
    found = tried(known, event("batch.validated", "tropism.product.flights", product="flights"))

    assert firing(found) == []
    assert found["train-on-batch-validated"].why == (
        "match: prefect.resource.id is tropism.product.flights, expected tropism.batch.*",
    )
    assert found["ingest-on-batch-landed"].why == ("it expects batch.landed, the event is batch.validated",)


def test_a_run_without_the_tag_wakes_no_sweep(known: Known) -> None:
    crashed = ("prefect.flow-run.Crashed", f"prefect.flow-run.{uuid.uuid4()}")
    tag = {"prefect.resource.id": "prefect.tag.recoverable", "prefect.resource.role": "tag"}
    cared_for, other = tried(known, event(*crashed, (tag,))), tried(known, event(*crashed))

    assert firing(cared_for) == ["sweep-on-run-crashed"]
    assert other["sweep-on-run-crashed"].why == (
        "match_related: prefect.resource.id is nothing, expected prefect.tag.recoverable",
        "match_related: prefect.resource.role is nothing, expected tag",
    )


def test_parameters_that_cannot_be_made_or_are_not_taken_fail(known: Known) -> None:
    nothing = tried(known, event("batch.landed", "tropism.product.flights"))["ingest-on-batch-landed"]
    wrong = tried(known, event("batch.landed", "tropism.product.x", product=7, key="k"))["ingest-on-batch-landed"]

    assert (nothing.verdict, "its templates cannot be rendered" in nothing.why[0]) == ("fails", True)
    (why,) = wrong.why
    assert why.startswith("ingest does not take its parameters: Validation failed for field 'product'.")


def test_a_misspelt_event_is_recognised(known: Known) -> None:
    assert known.hint("batch.landet") == "Nothing sends an event called 'batch.landet'. Did you mean 'batch.landed'?"
    assert known.hint("batch.landed") == known.hint("prefect.flow-run.Completed") == ""


def test_switched_off_triggers_are_disabled(known: Known) -> None:
    off = standing.in_repository(load(ROOT / "prefect.yaml", {"TROPISM_TRIGGERS_ENABLED": "false"}))
    found = tried(off, (GOLDEN / "put_plain.json").read_text())

    assert firing(found) == []
    assert found["ingest-on-batch-landed"].why == ("it is disabled",)


def test_automations_made_by_hand_are_tried_with_their_notifications(prefect_server: Any) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        block = CustomWebhookNotificationBlock(name="ops", url="http://127.0.0.1:9/").save("ops", overwrite=True)
    say = SendNotification(block_document_id=block, subject="{{ event.resource.id }}", body="{{ event.payload.why }}")
    nowhere = RunDeployment(source="selected", deployment_id=uuid.UUID(int=7), parameters={})
    both = CompoundTrigger(triggers=[core("a").trigger, core("b").trigger], require="all", within=timedelta(minutes=1))
    made = (
        core("tells", [say]),
        core("off", enabled=False),
        core("twice", threshold=2, within=timedelta(minutes=1)),
        core("later", after={"parcel.sent"}, within=timedelta(minutes=1)),
        core("absence", posture=Posture.Proactive, within=timedelta(minutes=1)),
        core("curious", [say.model_copy(update={"body": "{{ flow_run.name }}"})]),
        core("nowhere", [nowhere]),
        AutomationCore(name="both", trigger=both, actions=[DoNothing()]),
    )
    ids = [prefect_server.client.create_automation(one) for one in made]
    try:
        found = tried(standing.on_server(prefect_server.client), event("parcel.lost", "parcel.1", why="rain"))
    finally:
        for one in ids:
            prefect_server.client.delete_automation(one)

    verdicts = {name: found[name].verdict for name in (one.name for one in made)}
    assert verdicts == {
        "tells": "fires",
        "off": "quiet",
        "twice": "unclear",
        "later": "unclear",
        "absence": "quiet",
        "curious": "fails",
        "nowhere": "fails",
        "both": "unclear",
    }
    assert found["tells"].acts[0].values == {"subject": "parcel.1", "body": "rain"}
    assert found["twice"].why == ("it needs 2 such events within 0:01:00",)
    assert "a template asks the server for flow_run" in found["curious"].why[0]
    assert found["nowhere"].why == (f"there is no deployment {uuid.UUID(int=7)}",)


def test_the_server_starts_what_the_trial_said(prefect_server: Any, checkout: Callable[..., Any], places: Any) -> None:
    made = checkout(prefect_server.url)
    planning.apply(made.settings, source=made.manifest, at=places, environ=made.environ)
    key = f"landing/flights/{uuid.uuid4()} 'a' {{{{ b }}}}.csv"
    landed = BatchLanded(product="flights", bucket="lake", key=key, object_version=None, etag="e", size=1)
    wire = dict(landed.to_prefect(datetime.now(UTC)))
    found = tried(standing.on_server(prefect_server.client), json.dumps(wire))
    before = {run.id for run in prefect_server.runs("ingest")}
    prefect_server.post(wire)

    assert firing(found) == ["ingest-on-batch-landed"]
    (run,) = prefect_server.new_runs("ingest", before, 1)
    assert run.parameters == found["ingest-on-batch-landed"].acts[0].values
