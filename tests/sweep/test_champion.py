"""What serves, brought after the control record; and changes killed anywhere, finished by the sweep alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows import mending, release, rollback, waking
from flows.mending import Place
from lifecycle.lost import Run
from lifecycle.reversal import Wish
from tasks import control, endpoint, ledger, registry
from tasks.step import directly
from tests.release.conftest import House, Listener, Made, register, work
from tests.release.test_release import (
    FIRST,
    SECOND,
    KilledError,
    Killer,
    everything,
    serving,
    watched,
)

__all__ = ["watched"]  # a fixture
pytestmark = [
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]


def place(house: House, *, later: float = 60) -> Place:
    return Place(directly, house.settings, "sweep/test", "schedule", datetime.now(UTC) + timedelta(seconds=later))


def mend(house: House, *active: Run) -> list[str]:
    return list(mending.mend_champion(place(house), house.product, active))


def repairs(house: House) -> list[tuple[Any, Any]]:
    found = [entry for entry in ledger.entries(house.bucket, house.product) if entry.action == "repair"]
    return [(entry.evidence["what"], entry.evidence["found"]) for entry in found]


def test_an_alias_moved_by_hand_is_moved_back_entered_and_told_once(settled: House, listener: Listener) -> None:
    before = everything(settled)
    first = control.read(settled.bucket, settled.product).record.previous
    assert first is not None
    endpoint.move_alias(settled.function, str(first.function_version))
    assert everything(settled)["endpoint"] == "1"
    assert len(mend(settled)) == 1
    assert mend(settled) == []
    found = everything(settled)
    assert {**found, "moves": found["moves"][:2]} == before
    assert repairs(settled)[-1] == ("function_alias", first.function_version)
    assert listener.names() == ["lifecycle.diverged"]
    assert (listener.events[0]["payload"]["what"], listener.events[0]["payload"]["revision"]) == ("function_alias", 4)


def test_a_model_alias_moved_by_hand_is_moved_back(settled: House, listener: Listener) -> None:
    registry.set_model_alias(settled.product, "champion", "1")
    assert len(mend(settled)) == 1
    assert registry.model_aliases(settled.product) == {"champion": "2"}
    assert repairs(settled)[-1] == ("model_alias", "1")
    assert listener.names() == ["lifecycle.diverged"]
    assert mend(settled) == []


def test_nothing_is_mended_while_a_release_or_a_rollback_works(settled: House) -> None:
    registry.set_model_alias(settled.product, "champion", "1")
    for flow in ("release", "rollback"):
        busy = Run("1", flow, "RUNNING", "Running", datetime.now(UTC), parameters={"product": settled.product})
        assert mend(settled, busy) == []
    assert registry.model_aliases(settled.product) == {"champion": "1"}
    registry.set_model_alias(settled.product, "champion", "2")


def sweep_until_still(house: House, listener: Listener) -> None:
    """Sweep, and start the releases that the sweep's events ask for, as the automation does."""
    for _ in range(3):
        listener.events.clear()
        told = [*mend(house), *waking.wake_release(place(house), house.product, ())]
        for event in listener.events:
            if event["event"] == "model.challenged":
                release.carry_out(work(house, name="woken"), event["payload"]["version"])
        if not told:
            return


@pytest.mark.faults
def test_a_release_killed_before_any_change_is_finished_by_the_sweep(
    two: House, bundles: Made, listener: Listener, watched: Callable[[int], Killer]
) -> None:
    champion, moves, at = "2", [FIRST, SECOND], 3  # before the fourth nothing is decided, only code is published
    while True:
        at += 1
        version = register(two, bundles(at % 5 + 3, two.product), champion=champion)
        killer = watched(at)
        try:
            release.carry_out(work(two, killer.step), version)
        except KilledError:
            sweep_until_still(two, listener)
        moves.append(("promote", champion, version))
        assert everything(two) == serving(version, champion, *moves), killer.made
        champion = version
        if len(killer.made) < at:
            break
    assert repairs(two) == []


@pytest.mark.faults
def test_a_rollback_killed_before_any_change_is_finished_by_the_sweep_never_undone(
    two: House, listener: Listener, watched: Callable[[int], Killer]
) -> None:
    moves, at, undone = [FIRST, SECOND], 0, 0
    while True:
        at += 1
        killer = watched(at)
        try:
            rollback.carry_out(work(two, killer.step), Wish(f"wish-{at}", "slow"))
        except KilledError:
            sweep_until_still(two, listener)
        if everything(two)["endpoint"] == "2":
            assert killer.made == ["PutObject"]  # killed before the wish was written down: nothing happened yet
            undone += 1
            continue
        moves.append(("roll_back", "2", "1"))
        assert everything(two) == serving("1", None, *moves), killer.made
        if len(killer.made) < at:
            break
        rollback.carry_out(work(two), Wish(f"forth-{at}", "again"), to="2")
        moves.append(("roll_back", "1", "2"))
    assert undone == 1
    assert repairs(two) == []
