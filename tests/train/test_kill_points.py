"""Killed before any call to the outside and run again: one run, one version, one entry, the same event."""

from collections.abc import Callable
from typing import Any

import pytest

from tasks import ledger, objects, registry, tracking
from tasks.step import directly
from tests.train.conftest import Shop, Steps

pytestmark = pytest.mark.faults  # every point is killed at: minutes

Call = Callable[..., Any]


class Killed(BaseException):
    """The process is gone: nothing may catch this."""


class Outside:
    """Counts the calls that leave the process and dies before one of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dies_before: int | None = None

    def watch(self, name: str, call: Call) -> Call:
        def watched(*args: Any, **kwargs: Any) -> Any:
            if len(self.calls) == self.dies_before:
                raise Killed(name)
            self.calls.append(name)
            return call(*args, **kwargs)

        return watched

    def reset(self, dies_before: int | None) -> None:
        self.calls, self.dies_before = [], dies_before


class Client:
    """MLflow's client with every method watched that writes: to die before a read is to die before the next write."""

    def __init__(self, outside: Outside, client: Any) -> None:
        self._outside, self._client = outside, client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._outside.watch(name, found) if name.startswith(("create_", "log_", "set_", "delete_")) else found


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Outside:
    """The real MLflow and the real S3, watched."""
    found, real = Outside(), registry.mlflow_client
    for module in (registry, tracking):
        monkeypatch.setattr(module, "mlflow_client", lambda: Client(found, real()))
    for name in ("create", "replace"):
        monkeypatch.setattr(objects, name, found.watch(name, getattr(objects, name)))
    return found


class Quick(Steps):
    """Fits and draws nothing twice: only what leaves the process is of interest here."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}

    def __call__(self, name: str, work: Call, /, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("fit ") and name in self.kept:
            return self.kept[name]
        out = super().__call__(name, work, *args, **kwargs)
        self.kept[name] = out
        return out


def test_killed_before_any_outside_call_and_run_again_it_ends_as_if_never_killed(
    shop: Shop, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.challenges.write_plots", lambda *_: None)
    shop.publish(0)
    steps, found = Quick(), []
    for point in range(100):
        shop.edit(
            f"seed: {point}" if point else "resamples: 200",
            f"seed: {point + 1}" if point else "resamples: 200, seed: 1",
        )
        outside.reset(point)
        try:
            shop.train(steps)
        except Killed as killed:
            found.append(str(killed))
            outside.reset(None)
            shop.train(steps)
        else:
            break
        one_of_each(shop, point + 1)
    assert {"create_run", "log_batch", "log_inputs", "log_artifacts", "create_model_version", "create"} <= set(found)
    assert len(found) > 8


def one_of_each(shop: Shop, trainings: int) -> None:
    """Every training so far left exactly one finished run, one version and one entry."""
    client = registry.mlflow_client()
    experiment = client.get_experiment_by_name("shop")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * trainings
    assert len(registry.versions("shop")) == trainings
    assert len(ledger.entries(shop.bucket, "shop")) == trainings


def test_a_kill_between_record_and_event_tells_the_same_event(shop: Shop) -> None:
    shop.publish(0)
    with pytest.raises(Killed):
        shop.train(DiesOnAnnouncing())
    told = [shop.train().events, shop.train().events]
    assert told[0] == told[1]
    assert len(told[0]) == 1


class DiesOnAnnouncing(Steps):
    def __call__(self, name: str, work: Call, /, *args: Any, **kwargs: Any) -> Any:
        if name == "announce":
            raise Killed(name)
        return directly(name, work, *args, **kwargs)


class Twice(Steps):
    """Registers twice, as a task does that is tried again after a lost answer."""

    def __call__(self, name: str, work: Call, /, *args: Any, **kwargs: Any) -> Any:
        if name == "register model":
            directly(name, work, *args, **kwargs)
        return super().__call__(name, work, *args, **kwargs)


def test_registering_again_after_a_lost_answer_makes_no_second_version(shop: Shop) -> None:
    shop.publish(0)
    shop.train(Twice())
    one_of_each(shop, 1)
