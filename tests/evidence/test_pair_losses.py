"""A release whose version scores the champion along: pairs out of the log, labels out of the bucket, one verdict."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lifecycle import spec
from lifecycle.control import Rollout
from lifecycle.predictions import Prediction, ShadowScores
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress, advance
from tasks import labels
from tests.evidence.conftest import Place
from tests.evidence.records import minutes, record
from tests.evidence.test_collecting import BEGAN, after, count, rollout

PLAN = ReleasePlan(steps=(50, 100), min_requests=50, bake_time=timedelta(0))
LOANS = spec.parse(
    """
name: loans
task: binary
grain: [id]
time: at
columns: [{name: id, type: long, input: false}, {name: at, type: datetime, input: false},
          {name: amount, type: double}, {name: late, type: long, input: false}]
target: {column: late}
features: {numbers: [amount]}
evaluation: {metric: auc, floors: {auc: 0.5}}
""",
    source="product.yaml",
)


def asked(place: Place, requests: int, own: float, theirs: float) -> list[Prediction]:
    """Answer requests as the challenger, each with the champion's score of the same row; some of them by neither."""
    version = str(place.challenger.function_version)
    place.measure("Invocations", version, [(BEGAN + minutes(1), float(requests))])
    shadow = ShadowScores(model_version="3", bundle=place.champion.bundle, scores=(theirs,))
    made = {"bundle": place.challenger.bundle, "scores": (own,), "shadow": shadow}
    records = [record(BEGAN + minutes(1), version, **made) for _ in range(requests)]
    place.deliver(*records)
    return records


def tell(place: Place, records: list[Prediction], truths: list[int], name: str) -> None:
    """Let labels land and be read, as a look at the product does."""
    rows = [f"{one.request_id}-0,{truth}" for one, truth in zip(records, truths, strict=True)]
    body = "\n".join(["prediction_id,label", *rows]).encode()
    place.aws.s3.put_object(Bucket=place.bucket, Key=f"labels/loans/{name}", Body=body)
    (taken,) = labels.take(place.bucket, LOANS, datetime.now(UTC), timedelta(days=1))
    assert taken.told == len(rows)


def codes(found: Rollout) -> tuple[str, set[str]]:
    verdict = advance(PLAN, found.progress, found.evidence, datetime.now(UTC))
    return verdict.action, {str(reason.code) for reason in verdict.reasons}


def begun(place: Place) -> Rollout:
    place.measure("Invocations", str(place.champion.function_version), [(BEGAN + minutes(1), 300.0)])
    theirs = [record(BEGAN + minutes(1), str(place.champion.function_version)) for _ in range(300)]
    place.deliver(*theirs)
    return rollout(plan=PLAN, progress=Progress(since=BEGAN))


def test_labels_that_come_during_a_release_take_a_worse_model_back(place: Place) -> None:
    first = begun(place)
    records = asked(place, 300, own=0.49, theirs=0.4)
    looked = after(first, count(place, first))
    apart = looked.evidence.disagreement
    assert apart is not None
    assert (apart.pairs, apart.mean_distance) == (300, pytest.approx(0.09))
    assert (looked.evidence.labels, codes(looked)) == (None, ("advance", {"STEP_PASSED"}))
    tell(place, records[:150], [0] * 150, "first.csv")
    leaning = after(looked, count(place, looked))
    assert leaning.evidence.labels is not None
    assert (leaning.evidence.labels.pairs, codes(leaning)) == (150, ("hold", {"LEANS_TO_HARM"}))
    tell(place, records[150:], [0] * 150, "second.csv")
    sure = after(leaning, count(place, leaning))
    assert sure.evidence.labels is not None
    assert (sure.evidence.labels.pairs, codes(sure)) == (300, ("roll_back", {"WORSE_LABELS"}))


def test_labels_that_speak_for_the_challenger_let_it_go_on_and_are_not_counted_twice(place: Place) -> None:
    first = begun(place)
    truths = (np.random.default_rng(3).random(300) < 0.3).astype(int).tolist()
    records = asked(place, 300, own=0.3, theirs=0.6)
    tell(place, records, truths, "labels.csv")
    looked = after(first, count(place, first))
    again = after(looked, count(place, looked))
    assert again.evidence.labels == looked.evidence.labels
    assert again.evidence.labels is not None
    assert (again.evidence.labels.pairs, again.evidence.labels.log_e < 0) == (300, True)
    assert codes(again) == ("advance", {"STEP_PASSED"})


def test_without_labels_since_the_last_look_nothing_is_read_again(place: Place) -> None:
    first = begun(place)
    records = asked(place, 60, own=0.3, theirs=0.6)
    tell(place, records, [0] * 60, "labels.csv")
    looked = after(first, count(place, first))
    later = datetime.now(UTC) + minutes(10)
    quiet = after(looked, count(place, looked, later))
    assert quiet.evidence.labels == looked.evidence.labels
    assert quiet.counted_until == later
