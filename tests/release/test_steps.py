"""Releases in steps, on real functions, a real registry and real conditional writes; what was counted is scripted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from flows import ordering, release, rollback, stepping
from flows.finishing import Released
from lifecycle.control import Contender, ControlRecord, Rollout
from lifecycle.errors import ServiceError
from lifecycle.reversal import Wish
from lifecycle.stepping import state_of
from tasks import control, endpoint, ledger
from tests.conftest import Aws
from tests.release.conftest import House, Listener, Made, built, describe, hearing, register, release_two
from tests.release.script import Script, failing, healthy, silent

pytestmark = [
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]


@dataclass
class Stage:
    """A product that a model serves and that has traffic; challengers are registered one by one."""

    house: House
    script: Script
    listener: Listener
    bundles: Made
    before: int = 0
    count: int = 0

    @property
    def champion(self) -> Contender:
        found = self.record.champion
        assert found is not None
        return found

    @property
    def rollout(self) -> Rollout:
        found = self.record.rollout
        assert found is not None
        return found

    def challenger(self) -> str:
        self.count += 1
        made = self.bundles(self.count % 3 + 3, self.house.product)
        return register(self.house, made, champion=self.champion.model_version)

    def look(self, version: str, name: str = "test") -> Released:
        return release.carry_out(self.script.work(self.house, name), version)

    def later(self, version: str) -> Released:
        self.script.later()
        return self.look(version)

    @property
    def record(self) -> ControlRecord:
        return control.read(self.house.bucket, self.house.product).record

    @property
    def alias(self) -> tuple[str, dict[str, float]]:
        found = endpoint.alias(self.house.function)
        assert found is not None
        return found.function_version, dict(found.extra)

    def moves(self) -> list[tuple[str, str | None, str | None, Any]]:
        found = ledger.entries(self.house.bucket, self.house.product)
        assert ledger.check(self.house.bucket, self.house.product).holds
        made = [one for one in found[self.before :] if one.action != "challenge"]
        return [(one.action, one.from_, one.to, one.evidence.get("weight")) for one in made]


@pytest.fixture(scope="module")
def base(aws: Aws, bundles: Made, registry_uri: str) -> Iterator[House]:
    assert registry_uri
    with built(aws) as house, hearing():
        release_two(house, bundles)
        yield house


@pytest.fixture
def stage(base: House, bundles: Made, listener: Listener) -> Iterator[Stage]:
    """The product with whatever model serves by now; what a test leaves under release is taken out."""
    describe(base.settings.root, base.product, without_traffic="hold")
    before = len(ledger.entries(base.bucket, base.product))
    made = Stage(base, Script(), listener, bundles, before)
    yield made
    if made.record.rollout is not None:
        rollback.carry_out(Script().work(base), Wish(f"clean-{before}", "the test is over"))


def test_a_healthy_release_goes_through_every_step_to_the_end(stage: Stage) -> None:
    old = stage.champion
    version = stage.challenger()
    found = stage.look(version)
    assert (found.state, found.weight) == ("advanced", 0.5)
    new = found.function_version
    assert stage.alias == (old.function_version, {new: 0.5})
    serving = endpoint.serving(stage.house.settings, stage.house.product)
    assert serving is not None
    answers = Counter(httpx.get(f"{serving.url}version").headers["x-model-version"] for _ in range(60))
    assert 12 < answers[old.model_version] < 48
    assert set(answers) == {old.model_version, version}
    assert stage.script.watched == [new]
    assert stage.look(version).reason.startswith("The next look is due at")
    stage.script.later(1)
    assert (stage.look(version).state, state_of(stage.record)) == ("held", "baking")
    second = stage.later(version)
    assert (second.state, second.weight, stage.alias) == ("advanced", 1.0, (new, {}))
    assert stage.record.champion == old
    done = stage.later(version)
    assert (done.state, done.pending, stage.alias) == ("promoted", (), (new, {}))
    record = stage.record
    assert (record.champion.model_version, record.previous, record.challenger, record.rollout, record.weight) == (
        version,
        old,
        None,
        None,
        0.0,
    )
    before = old.model_version
    assert stage.moves() == [
        ("step", before, version, 0.5),
        ("step", before, version, 1.0),
        ("promote", before, version, 1.0),
    ]
    assert stage.listener.names() == ["release.advanced", "release.advanced", "release.promoted"]
    assert [tick.number for tick in stage.script.scheduled] == [1, 1, 2, 3]
    assert stage.script.watched == []
    assert stage.look(version).state == "unchanged"


def test_a_model_that_fails_is_out_of_the_traffic_and_not_released_again(stage: Stage) -> None:
    old, version = stage.champion, stage.challenger()
    stage.look(version)
    stage.script.evidence = failing
    found = stage.later(version)
    assert (found.state, found.weight) == ("rolled_back", 0.0)
    assert "HARM errors" in found.reason
    assert stage.alias == (old.function_version, {})
    assert (stage.record.champion, stage.record.challenger, stage.record.weight) == (old, None, 0.0)
    assert stage.moves() == [("step", old.model_version, version, 0.5), ("take_back", version, old.model_version, 0.0)]
    assert stage.listener.names() == ["release.advanced", "release.rolled_back"]
    assert (stage.listener.events[-1]["payload"]["version"], stage.listener.events[-1]["payload"]["previous"]) == (
        old.model_version,
        version,
    )
    assert stage.script.watched == []
    assert stage.look(version).state == "behind"


def test_harm_at_full_weight_gives_everything_back_to_the_champion(stage: Stage) -> None:
    old, version = stage.champion, stage.challenger()
    stage.look(version)
    stage.later(version)
    assert stage.alias[0] != old.function_version
    stage.script.evidence = lambda rollout: healthy(rollout, slow=200)
    assert stage.later(version).state == "rolled_back"
    assert stage.alias == (old.function_version, {})


def test_its_version_is_watched_again_at_every_look_also_one_that_goes_on_with_a_step(stage: Stage) -> None:
    version = stage.challenger()
    stage.script.before = cut_off_at("set weights")
    with pytest.raises(ServiceError):
        stage.look(version)
    new = str(stage.record.challenger and stage.record.challenger.function_version)
    stage.script.before = lambda _: None
    for expected in ("advanced", "held", "advanced"):
        stage.script.watched.clear()  # somebody deleted the alarms
        stage.script.later(1)
        assert (stage.look(version).state, stage.script.watched) == (expected, [new])


def test_a_version_that_cannot_be_watched_goes_no_further_and_harm_takes_it_back_all_the_same(stage: Stage) -> None:
    old, version = stage.champion, stage.challenger()
    stage.look(version)
    stage.script.before = cut_off_at("watch version")
    assert stage.later(version).state == "held"
    assert [reason.code for reason in stage.rollout.reasons] == ["UNWATCHED"]
    assert stage.alias == (old.function_version, {stage.record.challenger.function_version: 0.5})
    stage.script.evidence = failing
    assert stage.later(version).state == "rolled_back"
    assert stage.alias == (old.function_version, {})


def cut_off_at(name: str) -> Callable[[str], None]:
    """Return what fails before one step as a service does."""

    def fail(step: str) -> None:
        if step == name:
            raise ServiceError(f"There is no answer to {name}.")

    return fail


def test_without_traffic_it_holds_replays_once_and_says_so_once(stage: Stage) -> None:
    old, version = stage.champion, stage.challenger()
    stage.look(version)
    stage.script.evidence = silent
    for _ in range(3):
        assert stage.later(version).state == "held"
    assert stage.rollout.evidence.at(0).replayed == 25
    assert "no live request; 25 replayed" in stage.rollout.reasons[0].found
    assert stage.listener.names() == ["release.advanced", "release.held"]
    stage.script.later(100_000)
    assert stage.look(version).state == "held"
    assert stage.moves() == [("step", old.model_version, version, 0.5)]


def test_a_newer_model_takes_the_place_of_one_of_which_nothing_is_learned(stage: Stage) -> None:
    old, silent_one = stage.champion, stage.challenger()
    stage.look(silent_one)
    newer = stage.challenger()
    assert stage.look(newer).state == "waiting"
    stage.script.evidence = silent
    stage.later(silent_one)
    found = stage.look(newer)
    assert (found.state, found.model_version, found.weight) == ("advanced", newer, 0.5)
    assert stage.moves() == [
        ("step", old.model_version, silent_one, 0.5),
        ("take_back", silent_one, old.model_version, 0.0),
        ("step", old.model_version, newer, 0.5),
    ]
    assert stage.look(silent_one).state == "behind"


def test_an_alias_moved_by_somebody_else_ends_the_release_and_is_never_raised_again(stage: Stage) -> None:
    old, version = stage.champion, stage.challenger()
    stage.look(version)
    endpoint.move_alias(stage.house.function, str(old.function_version))
    found = stage.later(version)
    assert (found.state, stage.alias) == ("rolled_back", (old.function_version, {}))
    assert "TRAFFIC_MOVED" in found.reason
    assert stage.moves()[-1] == ("take_back", version, old.model_version, 0.0)


def test_a_guard_that_acts_before_the_step_is_settled_is_not_overruled(stage: Stage) -> None:
    """The look dies after the alias was moved; meanwhile an alarm takes the challenger out."""
    old, version = stage.champion, stage.challenger()

    def die(name: str) -> None:
        if name == "settle step":
            raise KeyboardInterrupt

    stage.script.before = die
    with pytest.raises(KeyboardInterrupt):
        stage.look(version)
    assert stage.alias[1] != {}
    assert not stage.rollout.settled
    endpoint.move_alias(stage.house.function, str(old.function_version))
    stage.script.before = lambda _: None
    found = stage.look(version)
    assert (found.state, stage.alias) == ("rolled_back", (old.function_version, {}))
    assert "TRAFFIC_MOVED: found version" in found.reason


def test_a_challenger_that_never_answers_is_taken_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody gives its requests back the moment they were given to it, so nobody hears it."""
    old, version = stage.champion, stage.challenger()
    monkeypatch.setattr(stepping, "ANSWER_SECONDS", 0.5)

    def snatch(name: str) -> None:
        if name == "read back" and stage.alias[1]:
            endpoint.move_alias(stage.house.function, str(old.function_version))

    stage.script.before = snatch
    found = stage.look(version)
    assert (found.state, stage.alias) == ("rolled_back", (old.function_version, {}))
    assert "NOT_ANSWERING: found It has 50% of the requests and answered none of" in found.reason
    assert stage.moves() == [("step", old.model_version, version, 0.5), ("take_back", version, old.model_version, 0.0)]


def test_a_frozen_product_is_watched_and_goes_back_but_not_on(stage: Stage) -> None:
    version = stage.challenger()
    stage.look(version)
    frozen = ordering.freeze(stage.script.work(stage.house, "ada"), "audit")
    assert (frozen.changed, frozen.weight) == (True, 0.5)
    assert "FROZEN: found the product is frozen" in stage.later(version).reason
    stage.script.later(100_000)
    assert stage.look(version).state == "held"
    stage.script.evidence = failing
    assert stage.later(version).state == "rolled_back"
    ordering.unfreeze(stage.script.work(stage.house, "ada"), "done")


def test_a_person_lets_it_begin_and_holds_it_and_takes_it_back(stage: Stage) -> None:
    old = stage.champion
    describe(stage.house.settings.root, stage.house.product, without_traffic="hold", approval="required")
    version = stage.challenger()
    assert stage.look(version).state == "waiting"
    ada = stage.script.work(stage.house, "ada")
    ordering.approve(ada, "seen")
    assert [tick.number for tick in stage.script.scheduled] == [0]
    assert (stage.look(version).state, stage.rollout.approved_by) == ("advanced", "ada")
    ordering.hold(stage.script.work(stage.house, "bo"), "wait")
    assert "HELD: found held by a person" in stage.later(version).reason
    aborted = ordering.abort(ada, "no", "wish-abort")
    assert (aborted.changed, aborted.model_version, stage.alias) == (True, version, (old.function_version, {}))
    assert ordering.abort(ada, "no", "wish-abort").changed is False
    assert [move[0] for move in stage.moves()] == ["approve", "step", "hold", "take_back"]
    assert stage.look(version).state == "behind"


def test_what_cannot_be_counted_holds(stage: Stage) -> None:
    version = stage.challenger()
    stage.look(version)
    stage.later(version)

    def blind(_: object) -> Any:
        raise ServiceError("The log does not answer.")

    stage.script.evidence = blind
    found = stage.later(version)
    assert found.state == "held"
    assert "METRIC_MISSING: found nothing could be counted: The log does not answer." in found.reason
    stage.script.evidence = healthy
    assert stage.later(version).state == "promoted"


def test_too_thin_traffic_is_released_at_once_only_where_the_product_says_so(stage: Stage) -> None:
    version = stage.challenger()
    stage.script.recent = 2
    assert stage.look(version).state == "advanced"
    rollback.carry_out(stage.script.work(stage.house), Wish("thin-1", "start over"))
    describe(stage.house.settings.root, stage.house.product, without_traffic="release")
    version = stage.challenger()
    assert stage.look(version).state == "promoted"
    assert stage.champion.model_version == version
    assert "at once, on the gate alone. TRAFFIC_TOO_THIN requests: found 2 requests" in stage.champion.reason
    stage.script.recent = None
    assert stage.look(stage.challenger()).state == "advanced"


def test_a_rollback_to_a_named_model_takes_the_challenger_out_too(stage: Stage) -> None:
    version, before = stage.challenger(), stage.record.previous
    assert before is not None
    stage.look(version)
    work = stage.script.work(stage.house)
    back = rollback.carry_out(work, Wish("named-1", "late alarms"), to=before.model_version)
    assert (back.model_version, stage.record.rollout) == (before.model_version, None)
    assert stage.alias == (before.function_version, {})
    assert stage.script.watched == []
    assert stage.listener.names()[-1] == "release.rolled_back"


def test_a_rollback_in_the_middle_of_a_release_leaves_the_champion_alone(stage: Stage) -> None:
    old, version, before = stage.champion, stage.challenger(), stage.record.previous
    assert before is not None
    stage.look(version)
    work = stage.script.work(stage.house)
    back = rollback.carry_out(work, Wish("middle-1", "late alarms"))
    assert (back.model_version, back.previous) == (old.model_version, version)
    assert rollback.carry_out(work, Wish("middle-1", "late alarms")).model_version == old.model_version
    assert (stage.alias, stage.record.challenger, stage.record.rollout) == ((old.function_version, {}), None, None)
    assert rollback.carry_out(work, Wish("middle-2", "still")).model_version == before.model_version


def test_approval_is_waited_for_before_any_traffic_moves(stage: Stage) -> None:
    old = stage.champion
    describe(stage.house.settings.root, stage.house.product, without_traffic="hold", approval="required")
    version = stage.challenger()
    found = stage.look(version)
    assert (found.state, stage.alias, state_of(stage.record)) == ("waiting", (old.function_version, {}), "waiting")
    assert "WAITS_FOR_APPROVAL" in found.reason
    stage.script.later(1_000_000)
    assert stage.look(version).state == "waiting"
    assert stage.moves() == []
