"""Release, rollback and sweep as Prefect runs them: steps are tasks, and the outcome is the run's result."""

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName, TaskRunFilter

from flows.release import release
from flows.rollback import rollback
from flows.sweep import sweep
from tests.orchestrator import Prefect
from tests.release.conftest import House, Made, register

pytestmark = [
    pytest.mark.usefixtures("registry_uri"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow, under SQLAlchemy 2.1
]


def test_a_release_a_rollback_and_a_sweep_are_runs_whose_steps_people_can_see(
    house: House, bundles: Made, prefect: Prefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROPISM_BUCKET", house.bucket)
    monkeypatch.setenv("TROPISM_FUNCTION_PREFIX", house.settings.function_prefix)
    monkeypatch.setenv("TROPISM_ROOT", str(house.settings.root))
    monkeypatch.setenv("TROPISM_ROOT", str(house.settings.root))
    for version, champion in (("1", None), ("2", "1")):
        register(house, bundles(int(version), house.product), champion=champion)
        name = f"release-{house.product}-{version}"
        released = release.with_options(flow_run_name=name)(house.product, version)
        assert (released.state, released.model_version, released.pending) == ("promoted", version, ())
    back = rollback(house.product, "slow", actor="somebody")
    assert (back.model_version, back.previous) == ("1", "2")
    assert sweep(house.product).done == ()
    runs = FlowRunFilter(name=FlowRunFilterName(any_=[f"release-{house.product}-2"]))
    tasks = prefect.client.read_task_runs(flow_run_filter=runs, task_run_filter=TaskRunFilter())
    order = [run.name.rpartition("-")[0] for run in sorted(tasks, key=lambda run: str(run.start_time))]
    assert order == [
        "read control record",
        "read model version",
        "fetch bundle",
        "ensure endpoint",
        "publish version",
        "ask for predictions",
        "warm version",
        "count recent requests",
        "change champion",
        "append to ledger",
        "move alias",
        "read back",
        "move model alias",
        "settle warmth",
        "emit event",
        "settle control record",
        "build page",
    ]
