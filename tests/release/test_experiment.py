"""An experiment on a function that really runs: started, met by units, judged, stopped, and killed on its way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flows import designing, experiment, mending, release, rollback
from flows.designing import Wanted
from flows.following import Work
from lifecycle.assignment import assign
from lifecycle.control import ControlRecord
from lifecycle.errors import ReleaseError, UsageError
from lifecycle.reversal import Wish
from tasks import control, endpoint, experiments, ledger
from tests.conftest import Aws
from tests.release.conftest import House, Made, built, describe, hearing, register, release_two, work

pytestmark = [
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
ROW = {"dataframe_records": [{"distance": 700.0}]}


class KilledError(BaseException):
    """Where a run ended. Nothing in a process survives its end, so no `except Exception` does either."""


@dataclass
class Lab:
    """A product whose model 2 serves after model 1, and whose models 3 and 4 passed the gate; 5 did not."""

    house: House
    count: int = 0

    @property
    def record(self) -> ControlRecord:
        return control.read(self.house.bucket, self.house.product).record

    @property
    def alias(self) -> str:
        found = endpoint.alias(self.house.function)
        assert found is not None
        assert not found.extra
        return found.function_version

    def entries(self) -> list[tuple[str, str | None]]:
        found = ledger.entries(self.house.bucket, self.house.product)
        assert ledger.check(self.house.bucket, self.house.product).holds
        return [(one.action, one.to) for one in found if one.action != "challenge"]

    def wanted(self, *arms: tuple[str, str, float]) -> Wanted:
        self.count += 1
        return Wanted(f"try-{self.count}", arms or (("blue", "3", 0.5),), "higher", column="user")

    def start(self, wanted: Wanted, by: Work | None = None) -> None:
        by = by or work(self.house)
        experiment.start(by, designing.plan_of(by, wanted), "to see")

    def ask(self, **changes: Any) -> tuple[int, str]:
        url = endpoint.serving(self.house.settings, self.house.product)
        assert url is not None
        answer = httpx.post(f"{url.url}invocations", json=ROW | changes, timeout=30)
        return answer.status_code, answer.headers["x-model-version"]

    def settle(self) -> None:
        """Leave it as it was found."""
        if self.record.champion is not None and self.record.champion.experiment:
            experiment.stop(work(self.house), "the test is over")


@pytest.fixture(scope="module")
def built_lab(aws: Aws, bundles: Made, registry_uri: str) -> Iterator[Lab]:
    assert registry_uri
    with built(aws) as house, hearing():
        release_two(house, bundles)
        for seed, verdict in ((3, "promote"), (4, "promote"), (5, "refuse")):
            register(house, bundles(seed, house.product), champion="2", verdict=verdict)
        describe(house.settings.root, house.product)
        yield Lab(house)


@pytest.fixture
def lab(built_lab: Lab) -> Iterator[Lab]:
    with hearing():
        yield built_lab
        built_lab.settle()


@pytest.mark.faults
def test_every_unit_keeps_to_its_arm_until_the_champion_has_all_requests_again(lab: Lab) -> None:
    before, own = lab.entries(), lab.alias
    wanted = lab.wanted(("blue", "3", 0.4), ("red", "4", 0.2))
    lab.start(wanted)
    champion = lab.record.champion
    assert champion is not None
    assert (champion.model_version, champion.function_version, lab.record.release) == ("2", lab.alias, None)
    assert lab.alias != own
    kept = experiments.read(lab.house.bucket, lab.house.product).record
    assert kept is not None
    versions = {arm.name: arm.model_version for arm in kept.plan.arms}
    for user in (f"user-{n}" for n in range(12)):
        arm = assign(kept.plan.experiment(), user).arm.name
        assert lab.ask(params={"unit": user}) == (200, versions[arm])
        assert lab.ask(dataframe_records=[{"distance": 700.0, "user": user}]) == (200, versions[arm])
    assert lab.ask() == (200, "2")
    assert release.carry_out(work(lab.house), "3").state == "waiting"

    experiment.stop(work(lab.house), "seen enough")
    assert lab.alias == own
    assert {lab.ask(params={"unit": f"user-{n}"}) for n in range(6)} == {(200, "2")}
    assert lab.entries()[len(before) :] == [("start_experiment", "2"), ("stop_experiment", "2")]
    experiment.stop(work(lab.house), "again")
    assert len(lab.entries()) == len(before) + 2
    assert experiment.look(work(lab.house)).state == "stopped"
    with pytest.raises(ReleaseError, match="was called"):
        lab.start(wanted)


def test_what_may_not_be_tried_moves_nothing(lab: Lab) -> None:
    own = lab.alias
    for arms, found in (
        ((("bad", "5", 0.5),), "may not answer requests"),
        ((("all", "3", 0.5), ("rest", "4", 0.5)), "leave nothing for the champion"),
        ((("same", "2", 0.5),), "no experiment"),
        ((("../up", "3", 0.5),), "cannot be"),
    ):
        with pytest.raises((ReleaseError, UsageError), match=found):
            lab.start(lab.wanted(*arms))
    assert (lab.alias, lab.record.release) == (own, None)


def test_a_rollback_ends_it_and_another_one_may_start(lab: Lab) -> None:
    lab.start(lab.wanted())
    before = lab.entries()
    rollback.carry_out(work(lab.house), Wish("it-harms", "it harms"), "1")
    assert lab.ask(params={"unit": "user-1"}) == (200, "1")
    assert experiment.look(work(lab.house)).state == "ended"
    experiment.stop(work(lab.house), "it is over")
    assert lab.entries()[len(before) :] == [("roll_back", "1")]
    rollback.carry_out(work(lab.house), Wish("and-back", "it did not"), "2")
    lab.start(lab.wanted())
    assert experiment.look(work(lab.house)).state == "running"


def test_a_rollback_to_the_champion_itself_is_refused_and_names_what_ends_the_experiment(lab: Lab) -> None:
    lab.start(lab.wanted())
    alias, before = lab.alias, lab.entries()
    champion = lab.record.champion
    assert champion is not None
    with pytest.raises(ReleaseError, match=f"tropism experiment stop {lab.house.product}"):
        rollback.carry_out(work(lab.house), Wish("to-itself", "enough"), champion.model_version)
    assert (lab.alias, lab.entries(), lab.record.release) == (alias, before, None)
    assert experiment.look(work(lab.house)).state == "running"


def killing(house: House, at: int) -> tuple[Work, list[str]]:
    """Return work whose `at`-th step is carried out, after which the process dies."""
    made: list[str] = []

    def step(name: str, act: Any, *given: Any, **named: Any) -> Any:
        done = act(*given, **named)
        made.append(name)
        if len(made) == at:
            raise KilledError(name)
        return done

    return replace(work(house), step=step), made


@pytest.mark.faults
@pytest.mark.parametrize(("helper", "since"), [("the same command", 3), ("the sweep", 9)])
def test_killed_after_any_step_it_is_gone_on_with(lab: Lab, helper: str, since: int) -> None:
    """One ledger entry a start and one a stop, whatever was killed; the endpoint follows the record in the end."""
    own, killed = lab.alias, set()
    for at in range(since, 40):
        wanted, before = lab.wanted(), lab.entries()
        by, made = killing(lab.house, at)
        try:
            lab.start(wanted, by)
        except KilledError as error:
            killed.add(str(error))
        else:
            experiment.stop(work(lab.house), "enough")
            break
        if helper == "the sweep":
            swept(lab)
        lab.start(wanted)
        champion = lab.record.champion
        assert champion is not None
        assert (champion.experiment, champion.function_version) == (wanted.name, lab.alias), made[-1]
        by, made = killing(lab.house, at - since + 1)
        try:
            experiment.stop(by, "enough")
        except KilledError as error:
            killed.add(str(error))
        if helper == "the sweep":
            swept(lab)
        experiment.stop(work(lab.house), "enough")
        assert lab.alias == own, made[-1]
        assert lab.entries()[len(before) :] == [("start_experiment", "2"), ("stop_experiment", "2")], made[-1]
    assert {"start experiment", "append to ledger", "move alias", "read back", "settle control record"} <= killed
    assert {"publish version", "keep experiment", "stop experiment"} <= killed or since > 3


def swept(lab: Lab) -> None:
    """Finish what was left half done, as the sweep does once it is old enough."""
    held = control.read(lab.house.bucket, lab.house.product)
    if held.record.release is not None:
        mending.finishing.finish(work(lab.house), held)
    assert lab.record.champion is not None
    assert lab.alias == lab.record.champion.function_version


def test_what_the_log_and_the_labels_tell_is_judged(lab: Lab) -> None:
    lab.start(lab.wanted())
    kept = experiments.read(lab.house.bucket, lab.house.product).record
    assert kept is not None
    lines, labels = [], []
    now = datetime.now(UTC) + timedelta(minutes=1)
    for n in range(600):
        assigned = assign(kept.plan.experiment(), f"user-{n}")
        told = {"event": "prediction.answered", "at": now.isoformat(), "request_id": f"r{n}", "status": 200}
        told |= {"experiment": kept.plan.name, "arm": assigned.arm.name, "unit": assigned.unit}
        lines.append(json.dumps(told | {"function_version": kept.function_version, "method": "POST"}))
        good = n % 10 < (7 if assigned.arm.name == "blue" else 3)
        labels.append({"prediction_id": f"r{n}-0", "label": good, "label_at": now.isoformat()})
    told_at = f"{now:dt=%Y-%m-%d/hour=%H}"
    s3, bucket, product = lab.house.aws.s3, lab.house.bucket, lab.house.product
    s3.put_object(Bucket=bucket, Key=f"predictions/{product}/{told_at}/one", Body="\n".join(lines * 2).encode())
    waiting = experiment.look(replace(work(lab.house), clock=lambda: now + timedelta(minutes=1)))
    assert (waiting.verdict.state, sum(arm.exposed for arm in waiting.arms)) == ("running", 600)
    text = "\n".join(["no json", *map(json.dumps, labels)])
    s3.put_object(Bucket=bucket, Key=f"labels/{product}/one.jsonl", Body=text.encode())
    found = experiment.look(replace(work(lab.house), clock=lambda: now + timedelta(minutes=1)))
    assert (found.state, found.verdict.state, found.verdict.winner) == ("running", "winner", "blue")
    assert sum(len(arm.labels) for arm in found.arms) == 600
