"""Releases killed before every outside change, once each, and gone on with by the next look or by the sweep alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from flows import mending, release, stepping, waking
from flows.finishing import Released
from flows.mending import Place
from lifecycle.control import Contender, ControlRecord, Move, Rollout
from lifecycle.evidence import Evidence
from lifecycle.release_plan import ReleasePlan
from tasks import clients, control, endpoint, ledger, registry
from tasks.control import Held
from tasks.traffic import split_of
from tests.conftest import Aws
from tests.release.conftest import House, Listener, Made, built, describe, hearing, register, release_two
from tests.release.script import Script, healthy
from tests.release.test_release import MUTATING, KilledError

pytestmark = [
    pytest.mark.faults,  # every point is killed at: minutes
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
PLAN = ReleasePlan(steps=(50, 100), bake_time=timedelta(seconds=2), tick=timedelta(seconds=1), min_requests=30)
# Outside calls that no AWS client makes, or that the script answers.
SEEN = frozenset(
    {"move model alias", "emit event", "count evidence", "watch version", "delete alarms", "schedule next look"}
)


@dataclass
class Killer:
    """Kills at the n-th outside call that changes or judges something, right before it."""

    at: int
    made: list[str] = field(default_factory=list)

    def before_call(self, model: Any, **_: object) -> None:
        if model.name in MUTATING:
            self.count(model.name)

    def before_step(self, name: str) -> None:
        if name in SEEN:
            self.count(name)

    def count(self, name: str) -> None:
        self.made.append(name)
        if len(self.made) == self.at:
            raise KilledError(f"{self.at}: {name}")


@dataclass(frozen=True)
class Cast:
    """Who is on the stage: the champion, the one before it, and a challenger that is published already."""

    house: House
    champion: Contender
    previous: Contender
    challenger: Contender


@pytest.fixture(scope="module")
def cast(aws: Aws, bundles: Made, registry_uri: str) -> Iterator[Cast]:
    assert registry_uri
    with built(aws) as house, hearing():
        release_two(house, bundles)
        before = control.read(house.bucket, house.product).record
        third = register(house, bundles(3, house.product), champion="2")
        release.carry_out(Script(recent=0).work(house), third)
        after = control.read(house.bucket, house.product).record
        assert before.champion is not None
        assert before.previous is not None
        assert after.champion is not None
        describe(house.settings.root, house.product, without_traffic="hold")
        yield Cast(house, before.champion, before.previous, after.champion)


def opening(cast: Cast) -> House:
    """Return the moment before the challenger's release, in a bucket of its own."""
    old, bucket = cast.house, cast.house.aws.bucket()
    house = replace(old, settings=old.settings.model_copy(update={"bucket": bucket}))
    for item in old.aws.s3.list_objects_v2(Bucket=old.bucket, Prefix="code/")["Contents"]:
        old.aws.s3.copy_object(Bucket=bucket, Key=item["Key"], CopySource={"Bucket": old.bucket, "Key": item["Key"]})
    challenge = next(one for one in ledger.entries(old.bucket, old.product) if one.to == cast.challenger.model_version)
    ledger.append(
        bucket,
        old.product,
        type(challenge).__base__.model_validate(
            challenge.model_dump(include=set(type(challenge).__base__.model_fields))
        ),
    )
    record = ControlRecord(product=old.product, revision=1, champion=cast.champion, previous=cast.previous)
    control.write(bucket, Held(record, None), Move("moved", record, "set", "the opening"))
    endpoint.move_alias(old.function, str(cast.champion.function_version))
    registry.set_model_alias(old.product, "champion", cast.champion.model_version)
    return house


@dataclass
class Play:
    """One release, told by what is counted, maybe killed once."""

    house: House
    challenger: Contender
    script: Script
    listener: Listener

    def look(self) -> Released:
        """Look as the flow does; making the version anew each time is another test's business."""
        self.script.later()
        work, held = self.script.work(self.house), control.read(self.house.bucket, self.house.product)
        if held.record.decision is None and held.record.rollout is None:
            return stepping.start(work, held, self.challenger, PLAN)
        return release.carry_out(work, self.challenger.model_version)

    def sweep(self) -> None:
        """Sweep a minute later, and look where the events ask for it, as the automation does."""
        self.script.later(60)
        place = Place(self.script.step, self.house.settings, "sweep/test", "schedule", self.script.now)
        self.listener.events.clear()
        list(mending.mend_champion(place, self.house.product, ()))
        list(waking.wake_release(place, self.house.product, ()))
        for event in list(self.listener.events):
            if event["event"] == "model.challenged":
                release.carry_out(self.script.work(self.house), event["payload"]["version"])

    @property
    def record(self) -> ControlRecord:
        return control.read(self.house.bucket, self.house.product).record

    def to_the_end(self, go_on: Callable[[], object]) -> None:
        for _ in range(12):
            record, ends = self.record, {"promote", "take_back"}
            if record.decision is not None and record.decision.action in ends and record.release is None:
                return
            go_on()
        raise AssertionError(f"it never ended: {self.record}")

    def everything(self) -> dict[str, Any]:
        record, alias = self.record, endpoint.alias(self.house.function)
        entries = ledger.entries(self.house.bucket, self.house.product)
        assert ledger.check(self.house.bucket, self.house.product).holds
        return {
            "champion": record.champion.model_version if record.champion else None,
            "previous": record.previous.model_version if record.previous else None,
            "challenger": record.challenger,
            "weight": record.weight,
            "rollout": record.rollout,
            "alias": (alias.function_version, dict(alias.extra)) if alias else None,
            "registry": registry.model_aliases(self.house.product).get("champion"),
            "moves": [(one.action, one.to, one.evidence.get("weight")) for one in entries if one.action != "challenge"],
            "watched": self.script.watched,
        }


def same_weight(before: ControlRecord, play: Play) -> None:
    """A step that was being carried out when the process died is carried out at the weight that was decided."""
    rollout, now = before.rollout, play.record
    if rollout is None or rollout.settled or before.challenger is None or before.champion is None:
        return
    alias = endpoint.alias(play.house.function)
    wanted = split_of(str(before.champion.function_version), str(before.challenger.function_version), before.weight)
    assert now.rollout is not None
    assert (now.weight, now.rollout.settled, now.rollout.progress.step) == (before.weight, True, rollout.progress.step)
    assert alias is not None
    assert wanted.is_in(alias)


def enumerate_kills(
    cast: Cast, listener: Listener, evidence: Callable[[Rollout], Evidence], go_on: Callable[[Play], object]
) -> set[str]:
    """Kill before the first call, before the second, and so on to the end; return which calls there were."""
    expected: dict[str, Any] | None = None
    killed, at = set[str](), 0
    while True:
        play = Play(opening(cast), cast.challenger, Script(evidence), listener)
        killer = Killer(at)
        play.script.before = killer.before_step
        for client in (clients.s3(), clients.lambda_client()):
            client.meta.events.register("before-call", killer.before_call, unique_id="killer")
        try:
            play.to_the_end(play.look)
        except KilledError:
            killed.add(killer.made[-1])
        finally:
            for client in (clients.s3(), clients.lambda_client()):
                client.meta.events.unregister("before-call", killer.before_call, unique_id="killer")
        play.script.before = lambda _: None
        left = play.record
        if at and len(killer.made) < at:
            return killed
        if at:
            go_on(play)
            same_weight(left, play)
        play.to_the_end(partial(go_on, play))
        found = play.everything()
        expected = expected or found
        assert found == expected, killer.made
        at += 1


def test_a_release_killed_before_any_call_and_woken_by_the_sweep_ends_as_it_would_have(
    cast: Cast, listener: Listener
) -> None:
    killed = enumerate_kills(cast, listener, healthy, Play.sweep)
    assert {"PutObject", "UpdateAlias", *SEEN} - {"delete alarms"} <= killed


def test_a_release_that_harms_killed_before_any_call_and_run_again_is_taken_back(
    cast: Cast, listener: Listener
) -> None:
    def late(rollout: Rollout) -> Evidence:
        return healthy(rollout, slow=300) if rollout.progress.step else healthy(rollout)

    killed = enumerate_kills(cast, listener, late, Play.look)
    assert {"PutObject", "UpdateAlias", *SEEN} == killed
