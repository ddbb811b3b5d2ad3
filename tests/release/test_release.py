"""Release and rollback on real functions, a real registry and real conditional writes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import httpx
import pytest

from flows import finishing, going_back, release, rollback, traffic
from lifecycle.errors import BundleError, ConflictError, ReleaseError, ServiceError
from lifecycle.reversal import Wish
from lifecycle.smoke import request
from tasks import clients, control, endpoint, function_versions, ledger, packages, registry
from tests.release.conftest import House, Listener, Made, register, work

P = ParamSpec("P")
R = TypeVar("R")
pytestmark = [
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]


def everything(house: House) -> dict[str, Any]:
    """What every record of what serves says."""
    record = control.read(house.bucket, house.product).record
    found, alias = endpoint.serving(house.settings, house.product), endpoint.alias(house.function)
    assert ledger.check(house.bucket, house.product).holds
    return {
        "champion": record.champion.model_version if record.champion else None,
        "previous": record.previous.model_version if record.previous else None,
        "under_way": record.release is not None,
        "endpoint": found.model_version if found else None,
        "alias": alias.function_version == record.champion.function_version if alias and record.champion else None,
        "registry": registry.model_aliases(house.product).get("champion"),
        "moves": [
            (entry.action, entry.from_, entry.to)
            for entry in ledger.entries(house.bucket, house.product)
            if entry.action != "challenge"
        ],
    }


def serving(champion: str, previous: str | None, *moves: tuple[str, str | None, str | None]) -> dict[str, Any]:
    return {
        "champion": champion,
        "previous": previous,
        "under_way": False,
        "endpoint": champion,
        "alias": True,
        "registry": champion,
        "moves": list(moves),
    }


FIRST, SECOND = ("promote", None, "1"), ("promote", "1", "2")


def test_a_released_model_is_what_every_record_and_the_endpoint_itself_say(settled: House, listener: Listener) -> None:
    assert everything(settled) == serving("2", "1", FIRST, SECOND)
    found = endpoint.serving(settled.settings, settled.product)
    assert found is not None
    body = request(function_versions.bundle_of(settled.bucket, settled.function, str(found.function_version)).contract)
    answer = httpx.post(f"{found.url}invocations", json=body, timeout=10)
    assert (answer.status_code, answer.json()["model_version"]) == (200, "2")
    assert listener.names() == []


def test_releasing_again_changes_nothing_and_an_older_event_is_behind(settled: House, listener: Listener) -> None:
    before = control.read(settled.bucket, settled.product)
    assert release.carry_out(work(settled), "2").state == "unchanged"
    assert release.carry_out(work(settled), "1").state == "behind"
    assert control.read(settled.bucket, settled.product) == before
    assert listener.events == []


def test_of_two_releases_at_once_one_wins_and_the_other_says_so(two: House, bundles: Made) -> None:
    """The second one decides after the first has read the record and before it writes."""
    third = register(two, bundles(3, two.product), champion="2")
    fourth = register(two, bundles(4, two.product), champion="2")

    def overtaken(name: str, do: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if name == "change champion":
            release.carry_out(work(two, name="faster"), fourth)
        return do(*args, **kwargs)

    with pytest.raises(ConflictError, match=f"faster wrote revision .* champion is model {fourth}"):
        release.carry_out(work(two, overtaken, "slower"), third)
    assert everything(two) == serving(fourth, "2", FIRST, SECOND, ("promote", "2", fourth))


def refused(house: House, version: str) -> str:
    before = everything(house)
    with pytest.raises((ReleaseError, BundleError)) as caught:
        release.carry_out(work(house), version)
    assert everything(house) == before
    return str(caught.value)


def test_what_may_not_be_released_is_refused_with_its_reason_and_nothing_moves(
    settled: House, bundles: Made, listener: Listener
) -> None:
    failed = register(settled, bundles(3, settled.product), champion="2", verdict="refuse")
    assert "did not pass the promotion gate" in refused(settled, failed)
    stale = register(settled, bundles(4, settled.product), champion="1")
    assert "was compared with model 1, but model 2 serves now" in refused(settled, stale)
    assert [(event["event"], event["payload"]["cause"]) for event in listener.events] == [
        ("retrain.requested", "stale_comparison")
    ]
    foreign = register(settled, bundles(5, "another"), champion="2")
    assert "of another product: another" in refused(settled, foreign)
    held = control.read(settled.bucket, settled.product)
    frozen = held.record.model_copy(update={"frozen": True})
    settled.aws.s3.put_object(
        Bucket=settled.bucket, Key=control.record_key(settled.product), Body=frozen.model_dump_json().encode()
    )
    fine = register(settled, bundles(6, settled.product), champion="2")
    before = everything(settled)
    put_off = release.carry_out(work(settled), fine)
    assert (put_off.state, "is frozen" in put_off.reason, everything(settled)) == ("waiting", True, before)
    body = held.record.model_dump_json().encode()
    settled.aws.s3.put_object(Bucket=settled.bucket, Key=control.record_key(settled.product), Body=body)


def test_a_bundle_altered_in_the_registry_is_refused(settled: House, bundles: Made) -> None:
    version = register(settled, bundles(3, settled.product), champion="2")
    keys = [item["Key"] for item in settled.aws.s3.list_objects_v2(Bucket=settled.bucket, Prefix="mlflow/")["Contents"]]
    run = registry.version_of(settled.product, version).mlflow_run
    (model,) = [key for key in keys if run in key and key.endswith("bundle/model.ubj")]
    settled.aws.s3.put_object(Bucket=settled.bucket, Key=model, Body=b"not the model")
    assert "model.ubj has sha256" in refused(settled, version)


def test_a_model_that_does_not_answer_after_the_move_gives_the_traffic_back(
    two: House, bundles: Made, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "ANSWER_SECONDS", 0.5)
    version = register(two, bundles(3, two.product), champion="2")

    def pulled(name: str, do: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if name == "read back":
            endpoint.move_alias(two.function, "1")
        return do(*args, **kwargs)

    with pytest.raises(ReleaseError, match="does not answer as function version"):
        release.carry_out(work(two, pulled), version)
    assert everything(two) == serving("2", "1", FIRST, SECOND, ("promote", "2", version), ("roll_back", version, "2"))
    assert listener.names() == ["release.rolled_back"]
    assert release.carry_out(work(two), version).state == "behind"


def test_a_first_model_that_does_not_answer_leaves_an_endpoint_that_says_no_model_serves(
    house: House, bundles: Made, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "ANSWER_SECONDS", 0.5)
    register(house, bundles(1, house.product), champion=None)

    def pulled(name: str, do: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if name == "read back":
            endpoint.move_alias(house.function, "1")
        return do(*args, **kwargs)

    with pytest.raises(ReleaseError):
        release.carry_out(work(house, pulled), "1")
    found = everything(house)
    assert (found["champion"], found["endpoint"], found["registry"], found["under_way"]) == (None, None, None, False)
    assert found["moves"] == [FIRST, ("roll_back", "1", None)]
    assert listener.names() == ["release.rolled_back"]


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


MUTATING = frozenset({"PutObject", "UpdateFunctionCode", "PublishVersion", "UpdateAlias", "CreateAlias"})
UNSEEN = frozenset({"move model alias", "emit event"})  # outside calls that do not go through boto3


@dataclass
class Killer:
    """Kills at the n-th outside change, right before it is made; counts them when n is 0."""

    at: int
    made: list[str] = field(default_factory=list)

    def before_call(self, model: Any, **_: object) -> None:
        if model.name in MUTATING:
            self.count(model.name)

    def count(self, name: str) -> None:
        self.made.append(name)
        if len(self.made) == self.at:
            raise KilledError(f"{self.at}: {name}")

    def step(self, name: str, do: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if name in UNSEEN:
            self.count(name)
        return do(*args, **kwargs)


@pytest.fixture
def watched() -> Iterator[Callable[[int], Killer]]:
    """Put a killer between this process and AWS."""
    put: list[Killer] = []

    def watch(at: int) -> Killer:
        put.append(Killer(at))
        for client in (clients.s3(), clients.lambda_client()):
            client.meta.events.register("before-call", put[-1].before_call, unique_id=f"killer{len(put)}")
        return put[-1]

    yield watch
    for number, killer in enumerate(put, start=1):
        for client in (clients.s3(), clients.lambda_client()):
            client.meta.events.unregister("before-call", killer.before_call, unique_id=f"killer{number}")


@pytest.mark.faults
def test_killed_before_any_change_and_run_again_a_release_comes_to_the_same_end(
    two: House, bundles: Made, watched: Callable[[int], Killer]
) -> None:
    champion, moves, at = "2", [FIRST, SECOND], 0
    while True:
        at += 1
        version = register(two, bundles(at % 5 + 3, two.product), champion=champion)
        killer = watched(at)
        try:
            release.carry_out(work(two, killer.step), version)
        except KilledError:
            release.carry_out(work(two), version)
        moves.append(("promote", champion, version))
        assert everything(two) == serving(version, champion, *moves), killer.made
        assert len(list(function_versions.published(two.function))) <= at + 3, killer.made
        champion = version
        if len(killer.made) < at:
            break
    assert {"UpdateFunctionCode", "PublishVersion", "PutObject", "UpdateAlias", *UNSEEN} <= set(killer.made)


def test_a_rollback_serves_the_previous_model_again_and_a_second_one_goes_further_back(
    two: House, bundles: Made, listener: Listener
) -> None:
    third = register(two, bundles(3, two.product), champion="2")
    release.carry_out(work(two), third)
    listener.events.clear()
    once = rollback.carry_out(work(two), Wish("wish-1", "slow"))
    assert (once.model_version, once.previous, once.pending) == ("2", third, ())
    assert everything(two) == serving("2", "1", FIRST, SECOND, ("promote", "2", third), ("roll_back", third, "2"))
    again = rollback.carry_out(work(two), Wish("wish-1", "slow"))
    assert (again.model_version, set(listener.names())) == ("2", {"release.rolled_back"})
    assert len({event["id"] for event in listener.events}) == 1
    further = rollback.carry_out(work(two), Wish("wish-2", "still slow"))
    assert (further.model_version, everything(two)["previous"]) == ("1", None)
    with pytest.raises(ReleaseError, match="Nothing served before model 1"):
        rollback.carry_out(work(two), Wish("wish-3", "again"))
    forward = rollback.carry_out(work(two), Wish("wish-4", "it was right"), to=third)
    assert (forward.model_version, everything(two)["endpoint"]) == (third, third)


def test_a_rollback_to_a_missing_or_altered_model_leaves_what_serves(settled: House) -> None:
    before = everything(settled)
    with pytest.raises(ReleaseError, match=r"Model 9 never served .* Models that served: 1, 2"):
        rollback.carry_out(work(settled), Wish("wish-1", "slow"), to="9")
    previous = control.read(settled.bucket, settled.product).record.previous
    assert previous is not None
    number = str(previous.function_version)
    version = next(found for found in function_versions.published(settled.function) if found.number == number)
    key = function_versions.code_key(settled.function, packages.to_sha256(version.code_sha256))
    body = settled.aws.s3.get_object(Bucket=settled.bucket, Key=key)["Body"].read()
    settled.aws.s3.put_object(Bucket=settled.bucket, Key=key, Body=body[:-1] + b"x")
    with pytest.raises(BundleError, match="not the code it was published from"):
        rollback.carry_out(work(settled), Wish("wish-2", "slow"))
    settled.aws.s3.put_object(Bucket=settled.bucket, Key=key, Body=body)
    clients.lambda_client().delete_function(FunctionName=settled.function, Qualifier=number)
    with pytest.raises(BundleError, match="does not exist"):
        rollback.carry_out(work(settled), Wish("wish-3", "slow"))
    assert everything(settled) == before


@pytest.mark.faults
def test_killed_before_any_change_and_run_again_a_rollback_goes_back_one_step_only(
    two: House, bundles: Made, watched: Callable[[int], Killer]
) -> None:
    third = register(two, bundles(3, two.product), champion="2")
    release.carry_out(work(two), third)
    moves, at = [FIRST, SECOND, ("promote", "2", third)], 0
    while True:
        at += 1
        killer, wish = watched(at), Wish(f"wish-{at}", "slow")
        try:
            rollback.carry_out(work(two, killer.step), wish)
        except KilledError:
            rollback.carry_out(work(two), wish)
        moves.append(("roll_back", third, "2"))
        assert everything(two) == serving("2", "1", *moves), killer.made
        if len(killer.made) < at:
            break
        rollback.carry_out(work(two), Wish(f"forth-{at}", "again"), to=third)
        moves.append(("roll_back", "2", third))
    assert {"UpdateAlias", "PutObject", *UNSEEN} <= set(killer.made)


def test_a_rollback_needs_neither_the_registry_nor_prefect_and_says_what_is_pending(
    two: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/absent/folder.db")

        def deaf(name: str, do: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
            if name == "emit event":
                raise ServiceError("Prefect did not accept it.")
            return do(*args, **kwargs)

        done = rollback.carry_out(work(two, deaf), Wish("wish-1", "slow"))
    assert (done.model_version, done.pending) == ("1", ("model_alias", "event"))
    found = everything(two)
    assert (found["endpoint"], found["registry"], found["under_way"]) == ("1", "2", True)
    assert finishing.finish(work(two), control.read(two.bucket, two.product)).pending == ()
    assert everything(two) == serving("1", None, FIRST, SECOND, ("roll_back", "2", "1"))


def test_the_plain_function_rolls_back_from_the_ambient_settings(
    two: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROPISM_BUCKET", two.bucket)
    monkeypatch.setenv("TROPISM_FUNCTION_PREFIX", two.settings.function_prefix)
    done = going_back.roll_back(two.product, "slow", actor="somebody", request="wish-1")
    assert (done.model_version, done.previous, done.reason) == ("1", "2", "slow")
    assert listener.events[0]["payload"]["actor"] == "somebody"
