"""From a prediction id back to everything it came from, and the same score again."""

import json
import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from lifecycle.challenge import Challenge, Judgement, Recorder
from lifecycle.predictions import Prediction, partition
from lifecycle.predictions import read as read_line
from tasks import ledger, rescoring
from tasks.rescoring import TOLERANCE
from tasks.scorer import Scorer
from tests.scoring.conftest import NOW, Ask, House, Ran, as_request, rows

Log = Callable[..., list[str]]


@pytest.fixture
def log(house: House, ask: Ask) -> Log:
    """Ask for predictions, put what the function wrote into the log, and return the prediction ids."""

    def logged(number: int, *, alter: Callable[[dict[str, Any]], None] | None = None, **params: Any) -> list[str]:
        request_id = str(uuid.uuid4())
        predictions, lines = ask(as_request(rows(number)), request_id, **params)
        if alter is not None:
            told = [json.loads(line) for line in lines]
            for one in told:
                alter(one)
            lines = [json.dumps(one) for one in told]
        key = partition("loans", datetime.now(UTC)) + request_id
        house.aws.s3.put_object(Bucket=house.bucket, Key=key, Body="\n".join(lines).encode())
        return [f"{request_id}-{row}" for row in range(len(predictions))]

    return logged


def challenged(house: House) -> None:
    """Enter the gate's decision about model 3 into the ledger, as a training does."""
    found = Challenge(
        product="loans",
        train_key="k",
        snapshot="s" * 64,
        batches=("b" * 64,),
        mlflow_run="run-3",
        verdict="promote",
        reasons=(),
        judgement=Judgement(metric="auc", challenger=0.8),
        bundle=house.champion.bundle,
    )
    ledger.append(house.bucket, "loans", found.entry("3", Recorder("train", "batch.validated", NOW)))


def test_a_prediction_leads_to_its_version_features_explanation_gate_snapshot_and_to_the_same_score(
    house: House, log: Log, run: Callable[..., Ran]
) -> None:
    challenged(house)
    ids = log(3)
    found = run("why", "loans", ids[1], "--json")
    told = found.json
    assert (found.code, told["kind"], told["status"]) == (0, "prediction", 200)
    assert (told["model_version"], told["bundle"]) == ("3", house.champion.bundle)
    assert told["served"] == {
        "function_version": house.champion.function_version,
        "arm": "champion",
        "weight": 1.0,
        "ledger_seq": 1,
        "moving": False,
        "experiment": None,
        "experiment_arm": None,
    }
    assert told["features"] == as_request(rows(3))[1]
    explained = told["explanation"][0]
    assert set(explained["contributions"]) == set(house.model.features.feature_names)
    assert (told["gate"]["seq"], told["gate"]["evidence"]["verdict"]) == (2, "promote")
    assert told["origin"]["snapshot"] == "s" * 64
    assert told["origin"]["missing"] == ["b" * 64]
    assert told["rescored"] == {
        "verdict": "same",
        "score": told["score"],
        "difference": 0.0,
        "reason": "The same bundle gives the same score.",
    }


def test_the_explanation_sums_to_the_margin_of_the_score(house: House, log: Log, run: Callable[..., Ran]) -> None:
    told = run("why", "loans", log(1)[0], "--json").json
    (explained,) = told["explanation"]
    margin = explained["base"] + sum(explained["contributions"].values())
    assert 1 / (1 + math.exp(-margin)) == pytest.approx(told["score"], abs=1e-5)


def test_the_files_the_model_learned_from_are_named_with_their_object_versions(
    house: House, log: Log, run: Callable[..., Ran]
) -> None:
    """The bundle names the batches; here one of that id is published after the fact."""
    key = f"validated/loans/{'b' * 64}/manifest.json"
    batch_id = house.publish(rows(7), "january.csv")
    text = house.aws.s3.get_object(Bucket=house.bucket, Key=f"validated/loans/{batch_id}/manifest.json")["Body"].read()
    house.aws.s3.put_object(Bucket=house.bucket, Key=key, Body=text)
    found = run("why", "loans", log(1)[0], "--json").json["origin"]
    assert found["missing"] == []
    assert found["sources"] == [
        {
            "batch_id": "b" * 64,
            "key": "landing/loans/january.csv",
            "object_version": "v1",
            "data_sha256": json.loads(text)["data"]["sha256"],
            "rows": 7,
        }
    ]


def test_people_read_the_same(house: House, log: Log, run: Callable[..., Ran]) -> None:
    challenged(house)
    out = run("why", "loans", log(1)[0]).out
    for part in ("champion with 100% of the requests", "gate", "snapshot", "re-scored: The same bundle", "purpose="):
        assert part in out


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda one: one["scores"].__setitem__(0, one["scores"][0] + 1e-6), "The scores differ by 1e-06"),
        (lambda one: one["features"][0].__setitem__(0, 1.0), "they have another digest"),
    ],
)
def test_a_record_that_was_altered_differs_and_the_exit_code_says_so(
    log: Log, run: Callable[..., Ran], alter: Callable[[dict[str, Any]], None], reason: str
) -> None:
    found = run("why", "loans", log(2, alter=alter)[0])
    assert (found.code, "DIFFERS" in found.out, reason in found.out) == (1, True, True)


def test_where_only_digests_are_kept_nothing_is_re_scored_and_nothing_is_claimed(
    log: Log, run: Callable[..., Ran]
) -> None:
    ids = log(1, alter=lambda one: one.update(features=None))
    found = run("why", "loans", ids[0], "--json")
    assert (found.code, found.json["features"], found.json["rescored"]["verdict"]) == (0, None, "impossible")
    assert len(found.json["features_sha256"]) == 64


def test_a_version_that_is_gone_cannot_vouch_for_its_answers(house: House, log: Log, run: Callable[..., Ran]) -> None:
    ids = log(1)
    client = boto3.session.Session().client("lambda")
    client.delete_function(FunctionName=house.function, Qualifier=str(house.champion.function_version))
    client.close()
    found = run("why", "loans", ids[0], "--json").json
    assert (found["rescored"]["verdict"], found["origin"]) == ("impossible", None)
    assert "does not exist" in found["rescored"]["reason"]


def test_a_prediction_nobody_made_is_answered_with_how_far_the_log_was_read(
    house: House, run: Callable[..., Ran]
) -> None:
    assert house.keys("predictions/") == []
    found = run("why", "loans", f"{uuid.uuid4()}-0")
    assert (found.code, "There is no prediction" in found.err) == (2, True)


def test_an_older_prediction_is_found_when_its_day_is_named(house: House, ask: Ask, run: Callable[..., Ran]) -> None:
    request_id, then = str(uuid.uuid4()), datetime.now(UTC) - timedelta(days=40)
    _, (line,) = ask(as_request(rows(1)), request_id)
    told = {**json.loads(line), "at": then.isoformat()}
    key = partition("loans", then) + "a"
    house.aws.s3.put_object(Bucket=house.bucket, Key=key, Body=json.dumps(told).encode())
    assert run("why", "loans", f"{request_id}-0").code == 2
    found = run("why", "loans", f"{request_id}-0", "--at", f"{then:%Y-%m-%d}", "--json").json
    assert found["rescored"]["verdict"] == "same"


def test_a_thousand_predictions_score_the_same_again(house: House, ask: Ask) -> None:
    records: list[Prediction] = []
    for number, size in enumerate((1, 1, 1, 2, 5, 90, 400, 500)):
        _, lines = ask(as_request(rows(size, seed=number)), str(uuid.uuid4()))
        records += [record for line in lines if (record := read_line(line.encode())) is not None]
    scorer = rescoring.open_version(house.bucket, house.function, records[0])
    assert isinstance(scorer, Scorer)
    found = [
        rescoring.rescore(scorer, record, row)
        for record in records
        for row in range(record.first_row, record.first_row + record.rows)
    ]
    assert len(found) == 1000
    assert {one.verdict for one in found} == {"same"}
    assert max(one.difference or 0.0 for one in found) <= TOLERANCE
