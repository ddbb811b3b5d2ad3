"""The demo's story: told from the records, and never failing for what is already known."""

from pathlib import Path

import pytest

from cli import context, demo
from cli.follow import Sight
from cli.landing import Landed
from cli.story import STEPS, Stage, outcome, step_back
from cli.verdicts import Verdicts
from lifecycle.challenge import HoldoutWindow, Judgement
from lifecycle.errors import ProductError, ServiceError
from tests.cli.conftest import World

BATCH = "ab" * 32


@pytest.fixture
def stage(world: World, tmp_path: Path) -> Stage:
    return Stage(context.here(world.product), world.product, tmp_path / "files", 7)


def test_the_story_is_told_in_this_order() -> None:
    assert [step.title for step in STEPS] == [
        "January arrives",
        "February arrives, with a real defect in it",
        "March arrives",
        "April arrives",
        "A month arrives truncated",
        "The mended file arrives, while people ask",
        "The same file once more",
        "A prediction, with its reasons",
        "A step back",
    ]


def test_a_refused_challenger_is_told_with_its_interval(world: World, stage: Stage) -> None:
    record = world.delivered("2026-03.csv", batch_id=BATCH)
    world.challenged(
        "2",
        (BATCH,),
        verdict="refuse",
        champion="1",
        judgement=Judgement(
            metric="auc", challenger=0.7139, champion=0.7183, improvement=-0.0044, lower=-0.0137, upper=0.005
        ),
        holdout=HoldoutWindow(after="a", until="b", rows=6435, digest="d"),
    )
    verdict = Verdicts(world.bucket, world.product).of(BATCH)
    landed = Landed(Path("2026-03.csv"), record.key, "v1", BATCH, record.delivery_id, 1)
    told = outcome(stage, Sight(landed, record, verdict, "", None))
    assert told[0] == "Batch parcels/abababababab is validated. 100 of 100 rows."
    scores = "auc on the same 6435 newest rows: challenger 0.7139, champion 0.7183"
    assert told[2:] == [
        f"{scores}; difference -0.0044, interval [-0.0137, +0.0050].",
        "The endpoint has no model yet.",
    ]


def test_with_one_model_there_is_nothing_to_go_back_to_and_that_is_no_failure(world: World, stage: Stage) -> None:
    world.promoted("1")
    assert step_back(stage) == ["Only one model ever served, so there is nothing to go back to."]


def test_a_missing_file_is_named_before_anything_lands(stage: Stage) -> None:
    with pytest.raises(ServiceError, match=r"The demo has no file of month 3\."):
        stage.file(3)


def test_a_script_that_fails_says_why(world: World, stage: Stage) -> None:
    with pytest.raises(ProductError, match=r"could not write the demo's files\. It said: .*drops\.py"):
        demo.write_files(stage.here, stage.folder, (1,), 7)
    assert world.product
