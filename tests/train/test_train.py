"""A training from validated batches to a decision that is written down once."""

import json
import os
from pathlib import Path

import mlflow.xgboost
import numpy as np
import pytest
import xgboost

from lifecycle.challenge import Challenge
from lifecycle.errors import TrainingError
from lifecycle.events import ModelChallenged, ModelRefused
from tasks import ledger, registry
from tasks.evaluation import score_bundle
from tests.train.conftest import Shop, Steps, orders


def decided(version: str) -> Challenge:
    return Challenge.model_validate_json(registry.version_of("shop", version).decision)


def test_the_first_batch_makes_the_first_version_and_wakes_the_release(shop: Shop) -> None:
    shop.publish(0)
    steps = shop.train()
    (version,) = registry.versions("shop")
    assert (version.version, version.verdict) == ("1", "promote")
    assert steps.events == [ModelChallenged(product="shop", version="1", bundle=version.bundle)]
    (entry,) = ledger.entries(shop.bucket, "shop")
    assert (entry.action, entry.to, entry.evidence["codes"]) == ("challenge", "1", "NO_CHAMPION")
    assert entry.evidence["mlflow_run"] == version.mlflow_run
    assert "| auc |" in steps.pages[0]


def test_the_same_snapshot_again_tells_the_same_decision_and_changes_nothing(shop: Shop) -> None:
    shop.publish(0)
    first = shop.train()
    again = shop.train()
    assert again.events == first.events
    assert [event.id for event in again.events] == [event.id for event in first.events]
    assert "read rows" not in again.done
    assert len(registry.versions("shop")) == len(ledger.entries(shop.bucket, "shop")) == 1


def test_a_challenger_of_a_changed_world_is_promoted_against_the_champion_on_the_same_rows(shop: Shop) -> None:
    shop.publish(0)
    shop.train()
    shop.crown("1")
    for number in (1, 2, 3, 4):
        shop.publish(number)
    steps = shop.train()
    found = decided("2")
    assert (found.verdict, found.champion) == ("promote", "1")
    assert isinstance(steps.events[0], ModelChallenged)
    told = found.judgement
    assert told.champion is not None
    assert told.challenger is not None
    assert told.improvement == pytest.approx(told.challenger - told.champion)
    assert told.champion != decided("1").judgement.challenger
    assert decided("1").judgement.score_psi is None  # nobody to compare with
    assert told.score_psi is not None
    assert told.score_psi > 0.02  # a model of another world scores the same rows otherwise
    assert "champion" in steps.pages[0]


def test_a_challenger_that_is_no_better_is_refused_with_its_interval(shop: Shop) -> None:
    shop.publish(0)
    shop.publish(1)
    shop.train()
    shop.crown("1")
    shop.publish(1, key="landing/shop/more.parquet", change=lambda frame: frame.assign(order=frame["order"] + 5000))
    steps = shop.train()
    (event,) = steps.events
    assert isinstance(event, ModelRefused)
    assert (event.version, event.outcome) == ("2", "refuse")
    assert decided("2").judgement.lower is not None
    assert [entry.evidence["verdict"] for entry in ledger.entries(shop.bucket, "shop")] == ["promote", "refuse"]


def test_the_champions_own_model_over_again_is_no_change(shop: Shop) -> None:
    shop.publish(0)
    shop.train()
    shop.crown("1")
    shop.edit("resamples: 200", "resamples: 201")
    (event,) = shop.train().events
    assert isinstance(event, ModelRefused)
    assert (event.version, event.outcome) == ("2", "no_change")
    versions = registry.versions("shop")
    assert versions[0].bundle == versions[1].bundle


def test_too_few_rows_are_undecidable_and_make_no_model(shop: Shop) -> None:
    shop.publish(0, rows=100)
    steps = shop.train()
    (event,) = steps.events
    assert isinstance(event, ModelRefused)
    assert (event.version, event.outcome) == (None, "undecidable")
    assert "TOO_FEW_ROWS" in event.reasons[0]
    assert registry.versions("shop") == ()
    (entry,) = ledger.entries(shop.bucket, "shop")
    assert (entry.to, entry.evidence["verdict"]) == (None, "undecidable")
    assert shop.train().events == steps.events
    assert len(ledger.entries(shop.bucket, "shop")) == 1


def test_a_holdout_of_one_class_is_undecidable(shop: Shop) -> None:
    shop.publish(0, change=lambda frame: frame.assign(returned=frame["returned"].where(frame.index < 400, 0)))
    (event,) = shop.train().events
    assert isinstance(event, ModelRefused)
    assert event.outcome == "undecidable"
    assert any("ONE_CLASS" in reason for reason in event.reasons)


def test_a_leaking_column_is_named_and_the_model_refused(shop: Shop) -> None:
    shop.publish(0, change=lambda frame: frame.assign(amount=frame["returned"] * 100.0 + frame["amount"].fillna(0) % 9))
    (event,) = shop.train().events
    assert isinstance(event, ModelRefused)
    assert {reason.split(":")[0] for reason in event.reasons} == {"LEAK amount", "LEAK ratio"}


def test_a_champion_that_cannot_read_todays_rows_leaves_it_undecidable(shop: Shop) -> None:
    shop.publish(0)
    shop.train()
    shop.crown("1")
    shop.edit("  - { name: weight, type: double }\n", "")
    shop.edit("numbers: [amount, weight, ratio]", "numbers: [amount, double]")
    hook = shop.settings.products / "shop" / "features.py"
    hook.write_text("def derive(columns):\n    return {'double': columns['amount'] * 2}\n")
    (event,) = shop.train().events
    assert isinstance(event, ModelRefused)
    assert event.outcome == "undecidable"
    assert event.reasons[0].startswith("CHAMPION_CANNOT_SCORE")
    assert "'weight'" in event.reasons[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Great Expectations' own imports
def test_features_their_own_suite_refuses_make_no_model(shop: Shop) -> None:
    rule = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "weight", "min_value": 0, "max_value": 3},
        "severity": "critical",
        "meta": {"why": "A parcel is light."},
    }
    suite = {"name": "shop_features", "meta": {}, "expectations": [rule]}
    (shop.settings.expectations / "shop_features.json").write_text(json.dumps(suite))
    shop.publish(0)
    (event,) = shop.train().events
    assert isinstance(event, ModelRefused)
    assert (event.version, event.outcome) == (None, "undecidable")
    assert event.reasons[0].startswith("FEATURES_REFUSED")


def test_features_are_fitted_on_the_rows_before_the_holdout_only(shop: Shop, tmp_path: Path) -> None:
    shop.publish(0, change=lambda frame: frame.assign(city=frame["city"].where(frame.index < 600, "Oslo")))
    shop.train()
    levels = registry.fetch_bundle("shop", "1", tmp_path).features.levels["city"]
    assert levels == ("Graz", "Köln", "Ulm")


def test_a_regression_goes_the_same_way_with_its_own_metrics_and_plots(shop: Shop) -> None:
    shop.edit("task: binary", "task: regression")
    shop.edit("metric: auc, floors: { auc: 0.55 }", "metric: rmse, floors: { rmse: 0.5 }")
    shop.edit("max_rounds: 30", "max_rounds: 30, recent_days: 12")
    for number in range(3):
        shop.publish(number)
    shop.train()
    shop.crown("1")
    for number in (3, 4):
        shop.publish(number)
    shop.train()
    found = decided("2")
    assert (found.verdict, found.candidate, found.judgement.metric) == ("promote", "recent", "rmse")
    assert found.judgement.improvement is not None
    assert found.judgement.improvement > 0.01
    client = registry.mlflow_client()
    metrics = client.get_run(found.mlflow_run).data.metrics
    assert metrics["candidate/recent/stopping_score"] < metrics["candidate/all/stopping_score"]
    stored = {item.path for item in client.list_artifacts(found.mlflow_run, "plots")}
    assert stored == {f"plots/{name}.png" for name in ("residuals", "gain", "scores")}


def test_nothing_validated_says_what_to_bring(shop: Shop) -> None:
    with pytest.raises(TrainingError, match=r"nothing to train shop on.*tropism drop shop"):
        shop.train()


def test_the_bundle_answers_as_the_model_was_judged_and_mlflow_opens_it(shop: Shop, tmp_path: Path) -> None:
    shop.publish(0)
    shop.train()
    bundle = registry.fetch_bundle("shop", "1", tmp_path / "bundle")
    frame = orders(0)
    columns = {name: frame[name].to_numpy() for name in ("amount", "weight", "city")}
    answers = score_bundle(bundle, columns)
    booster = mlflow.xgboost.load_model("models:/shop/1")
    assert isinstance(booster, xgboost.Booster)
    assert booster.feature_names == ["amount", "weight", "ratio", "city"]
    matrix = bundle.features.transform(columns)
    np.testing.assert_array_equal(answers, booster.inplace_predict(matrix).astype(float))
    assert json.loads(bundle.reference)["rows"] == bundle.manifest.lineage.rows
    assert bundle.manifest.lineage.mlflow_run == registry.version_of("shop", "1").mlflow_run
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_the_run_says_what_was_trained_on_and_how_it_scored(shop: Shop) -> None:
    batch = shop.publish(0)
    shop.train()
    client = registry.mlflow_client()
    run = client.get_run(registry.version_of("shop", "1").mlflow_run)
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith(f"s3://{shop.bucket}/mlflow/shop/")
    assert run.data.tags["tropism.batches"] == batch[:12]
    assert run.data.tags["tropism.suites"] == f"shop_raw:{'5' * 64}"
    assert run.data.params["max_rounds"] == "30"
    assert run.data.metrics["rows/holdout"] == decided("1").holdout.rows  # type: ignore[union-attr]
    assert run.data.metrics["challenger/auc"] == decided("1").judgement.challenger
    (given,) = run.inputs.dataset_inputs
    assert {tag.key: tag.value for tag in given.tags}["sha256"] == decided("1").snapshot
    stored = {item.path for item in client.list_artifacts(run.info.run_id, "plots")}
    assert stored == {f"plots/{name}.png" for name in ("calibration", "gain", "roc", "scores")}


def test_the_page_escapes_what_data_contains(shop: Shop) -> None:
    nasty = "a|b\n<script>`x`"
    shop.edit("min_slice_rows: 100", "min_slice_rows: 50")
    shop.publish(0, change=lambda frame: frame.assign(city=np.where(frame["city"] == "Ulm", nasty, frame["city"])))
    page = shop.train(Steps()).pages[0]
    assert "<script>" not in page
    assert "city = a b  script  x " in page
