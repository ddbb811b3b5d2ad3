"""A sweep whose clock has jumped by an hour takes no living run for dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prefect.states import Running

from flows import mending
from flows.sweep import sweep
from lifecycle.lost import LONGEST_INVOCATION
from tests.clocks import jumped
from tests.sweep.test_runs import World, world

__all__ = ["world"]
pytestmark = [
    pytest.mark.faults,  # runs have to become old
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_healthy_run_is_not_declared_dead_by_a_clock_that_jumped(
    world: World, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    """On Lambda nobody vouches for a run: only its age tells."""
    for name, value in (("BUCKET", world.settings.bucket), ("FUNCTION_PREFIX", world.settings.function_prefix)):
        monkeypatch.setenv(f"TROPISM_{name}", value)
    monkeypatch.setenv("TROPISM_ROOT", str(world.settings.root))
    healthy = world.run("ingest", "lambda", Running(), pid="fn::req-1")
    with jumped(by):
        sweep(world.product)
    assert (world.state(healthy), world.successors(healthy)) == ("Running", [])


def test_by_its_own_clock_it_would_be(world: World) -> None:
    healthy = world.run("ingest", "lambda", Running(), pid="fn::req-1")
    assert HOUR > LONGEST_INVOCATION
    list(mending.mend_runs(world.place(later=HOUR.total_seconds())))
    assert (world.state(healthy), len(world.successors(healthy))) == ("Crashed", 1)
