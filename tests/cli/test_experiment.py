"""What `tropism experiment` refuses before it asks anybody, and how a look reads."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from cli.experiment import shape, tell
from flows.experiment import Look
from lifecycle.experiment import ArmOutcomes, Observed, judge
from lifecycle.experiment_plan import ArmPlan, ExperimentPlan, ExperimentRecord
from tests.cli.conftest import Run, World

PLAN = ExperimentPlan(
    name="colours",
    goal="higher",
    arms=(
        ArmPlan(name="champion", weight=0.5, model_version="2", bundle="2" * 64),
        ArmPlan(name="blue", weight=0.5, model_version="3", bundle="3" * 64),
    ),
)
RECORD = ExperimentRecord(
    product="parcels",
    plan=PLAN,
    planned_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    planned_by="ada",
    reason="to see",
    own="5",
    function_version="9",
)


def look(ours: float, theirs: float) -> Look:
    arms = tuple(
        ArmOutcomes(arm, 1000, np.repeat([1.0, 0.0], [round(share * 1000), round((1 - share) * 1000)]))
        for arm, share in zip(PLAN.arms, (ours, theirs), strict=True)
    )
    return Look(RECORD, "running", judge(PLAN, Observed(arms)), arms)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"--arm": "blue"}, "'blue' is no arm"),
        ({"--arm": "blue=4"}, "'blue=4' is no arm"),
        ({"--arm": "blue=4:1.5"}, "'blue=4:1.5' is no arm"),
        ({"--arm": "blue=4:nan"}, "'blue=4:nan' is no arm"),
        ({"--arm": "=4:0.5"}, "'=4:0.5' is no arm"),
        ({"--goal": "best"}, "'best' is no goal"),
        ({"--reason": " "}, "needs a reason"),
    ],
)
def test_what_is_no_experiment_is_refused_with_what_was_expected(
    run: Run, world: World, changes: dict[str, str], found: str
) -> None:
    options = {"--arm": "blue=4:0.5", "--goal": "higher", "--reason": "to see"} | changes
    ran = run("experiment", "start", "parcels", "colours", *[part for pair in options.items() for part in pair])
    assert (ran.code, ran.out) == (2, "")
    assert found in ran.err


def test_before_any_experiment_there_is_nothing_to_tell_or_stop(run: Run, world: World) -> None:
    for command in (("status", "parcels"), ("stop", "parcels", "--reason", "enough")):
        ran = run("experiment", *command)
        assert ran.code == 14
        assert "no experiment of parcels yet" in ran.err


def test_where_nothing_serves_nothing_is_tried(run: Run, world: World) -> None:
    arguments = ("--arm", "blue=4:0.5", "--goal", "higher", "--reason", "to see")
    ran = run("experiment", "start", "parcels", "colours", *arguments)
    assert ran.code == 14
    assert "Nothing serves parcels" in ran.err


def test_a_look_names_the_winner_with_units_labels_and_certainty() -> None:
    found = shape(look(0.3, 0.45))
    assert (found.state, found.verdict, found.winner, found.since) == (
        "running",
        "winner",
        "blue",
        "2026-03-01T12:00:00Z",
    )
    assert [(arm.name, arm.share, arm.units, arm.labels, arm.mean) for arm in found.arms] == [
        ("champion", 0.5, 1000, 1000, 0.3),
        ("blue", 0.5, 1000, 1000, 0.45),
    ]
    assert {(one.better, one.than) for one in found.comparisons} == {("blue", "champion"), ("champion", "blue")}
    assert [reason.code for reason in found.reasons] == ["BETTER"]


def test_a_look_is_told_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    tell(shape(look(0.3, 0.31)))
    told = capsys.readouterr().out
    assert "Experiment colours of parcels: running since 2026-03-01T12:00:00Z, running." in told
    assert "NOT_YET" in told
    assert "1,000" in told


def test_the_record_is_plain_json() -> None:
    assert ExperimentRecord.model_validate_json(json.dumps(RECORD.model_dump(mode="json"))) == RECORD
