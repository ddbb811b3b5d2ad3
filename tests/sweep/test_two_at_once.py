"""Two sweeps at once: what was lost is declared so and run again once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from prefect.states import Crashed, Pending

from flows import mending
from tests.sweep.test_runs import World, world

__all__ = ["world"]
pytestmark = pytest.mark.faults


def test_two_sweeps_at_once_run_each_lost_run_again_once(world: World) -> None:
    lost = [world.run("ingest", "lambda", Pending()), world.run("train", "ecs", Crashed(message="killed"))]
    places = [world.place(), world.place()]
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(copy_context().run, lambda place: list(mending.mend_runs(place)), place) for place in places
        ]
        assert [job.exception() for job in jobs] == [None, None]
    list(mending.mend_runs(world.place()))  # whoever was slower may have left the first one to the next
    assert [world.state(run) for run in lost] == ["Crashed", "Crashed"]
    assert [len(world.successors(run)) for run in lost] == [1, 1]
