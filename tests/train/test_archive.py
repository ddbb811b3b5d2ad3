"""Earlier champions are tried again: a season that comes back is answered by the model of its last time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle.challenge import Challenge
from lifecycle.ledger import Decision
from tasks import ledger, registry
from tasks.evaluation import score_bundle
from tests.train.conftest import Shop, Steps, orders

AT = datetime(2013, 1, 1, tzinfo=UTC)
LAST = 4


def decided(version: str) -> Challenge:
    return Challenge.model_validate_json(registry.version_of("shop", version).decision)


def summer(frame: pd.DataFrame) -> pd.DataFrame:
    """What the weight means turns around, and back."""
    random = np.random.default_rng(len(frame) + int(frame["order"].iloc[0]))
    chance = 1 / (1 + np.exp(-(-1 + 0.5 * (frame["weight"] - 6) + 0.8 * (frame["city"] == "Ulm"))))
    return frame.assign(returned=(random.random(len(frame)) < chance).astype("int64"))


def winter(frame: pd.DataFrame) -> pd.DataFrame:
    random = np.random.default_rng(len(frame) + int(frame["order"].iloc[0]))
    chance = 1 / (1 + np.exp(-(-1 - 0.5 * (frame["weight"] - 6) + 0.8 * (frame["city"] == "Ulm"))))
    return frame.assign(returned=(random.random(len(frame)) < chance).astype("int64"))


def serve(shop: Shop, version: str, action: str = "promote", before: str | None = None) -> None:
    """Make a version the champion, and enter it as a release or a rollback does."""
    shop.crown(version)
    found = registry.version_of("shop", version)
    evidence = {"bundle": found.bundle, "function_version": version, "mlflow_run": found.mlflow_run}
    decision = Decision(
        at=AT,
        actor="test",
        cause="test",
        action=action,
        from_=before,
        to=version,
        reason="test",
        evidence=evidence,
        key=f"{action}/{version}",
    )
    ledger.append(shop.bucket, "shop", decision)


@pytest.fixture
def year(shop: Shop) -> Shop:
    """A winter, whose model served, a summer, whose model serves, and the next winter, not trained on yet."""
    shop.publish(0, change=winter)
    shop.train()
    serve(shop, "1")
    for number in range(1, LAST):
        shop.publish(number, change=summer)
    shop.train()
    serve(shop, "2", before="1")
    shop.publish(LAST, change=winter)
    return shop


def test_a_season_that_comes_back_is_answered_by_the_model_of_its_last_time(year: Shop, tmp_path: Path) -> None:
    steps = year.train()
    found = decided("3")
    assert (found.verdict, found.candidate, found.again, found.champion) == ("promote", "model 1", "1", "2")
    assert found.judgement.improvement is not None
    assert found.judgement.improvement > 0.1
    metrics = registry.mlflow_client().get_run(found.mlflow_run).data.metrics
    assert metrics["candidate/model 1/stopping_score"] > metrics["candidate/all/stopping_score"]
    first, again = (registry.fetch_bundle("shop", version, tmp_path / version) for version in ("1", "3"))
    columns = {name: orders(LAST)[name].to_numpy() for name in ("amount", "weight", "city")}
    np.testing.assert_array_equal(score_bundle(again, columns), score_bundle(first, columns))
    assert again.manifest.lineage.batches == first.manifest.lineage.batches
    assert again.manifest.lineage.mlflow_run == found.mlflow_run
    assert again.reference != first.reference
    assert "Model 3, which is model 1 again, may replace model 2." in steps.pages[0]
    entry = ledger.entries(year.bucket, "shop")[-1]
    assert (entry.to, entry.evidence["again"]) == ("3", "1")


@pytest.mark.faults
def test_without_the_archive_the_same_season_makes_a_worse_model(year: Shop) -> None:
    year.edit("max_rounds: 30", "max_rounds: 30, archived: 0")
    steps = year.train()
    assert decided("3").candidate == "all"
    assert not any("score model" in step for step in steps.done)
    worse = decided("3").judgement.challenger
    year.edit("archived: 0", "archived: 1")
    year.train()
    better = decided("4").judgement.challenger
    assert better is not None
    assert worse is not None
    assert better > worse + 0.05


def test_a_model_that_somebody_went_back_from_is_not_tried_again(year: Shop) -> None:
    serve(year, "1", "roll_back", before="2")
    serve(year, "2", "roll_back", before="1")
    assert "score model 1" not in year.train().done
    assert decided("3").candidate == "all"


def test_a_champion_that_learned_from_the_rows_that_choose_is_no_candidate(shop: Shop) -> None:
    for number in range(3):
        shop.publish(number)
        shop.train()
        serve(shop, str(number + 1), before=str(number) if number else None)
    shop.edit("holdout_days: 5", "holdout_days: 20")
    shop.publish(2, change=lambda frame: frame.head(690))
    done = shop.train().done
    assert "score model 1" in done
    assert "score model 2" not in done


def test_a_champion_of_other_features_is_left_out_so_that_a_column_taken_away_stays_away(year: Shop) -> None:
    year.edit("numbers: [amount, weight, ratio]", "numbers: [weight]")
    (year.settings.products / "shop" / "features.py").unlink()
    assert "score model 1" not in year.train().done


@pytest.mark.faults
def test_a_champion_whose_bundle_is_gone_costs_nobody_a_training(year: Shop) -> None:
    run = registry.version_of("shop", "1").mlflow_run
    listed = year.aws.s3.list_objects_v2(Bucket=year.bucket, Prefix="mlflow/shop/")["Contents"]
    (model,) = [one["Key"] for one in listed if run in one["Key"] and one["Key"].endswith("model.ubj")]
    year.aws.s3.delete_object(Bucket=year.bucket, Key=model)
    assert "score model 1" not in year.train().done
    assert decided("3").candidate == "all"


class Cut(Steps):
    """Carries steps out until an earlier champion is scored."""

    def __call__(self, name: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if name == "score model 1":
            raise KeyboardInterrupt
        return super().__call__(name, work, *args, **kwargs)


@pytest.mark.faults
def test_a_training_cut_off_while_earlier_champions_are_scored_is_made_once(year: Shop) -> None:
    with pytest.raises(KeyboardInterrupt):
        year.train(Cut())
    year.train()
    assert [one.version for one in registry.versions("shop")] == ["3", "2", "1"]
    assert decided("3").again == "1"
