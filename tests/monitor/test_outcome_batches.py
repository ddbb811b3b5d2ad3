"""What came true as training data: delivered once, again when corrected, never what was set aside."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lifecycle.causes import Cause
from lifecycle.episodes import Episode
from lifecycle.learning import Learned
from lifecycle.maturity import newest_due
from lifecycle.measurement import Measurement, Metric
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy
from lifecycle.predictions import Prediction
from lifecycle.response import Ground, Response
from lifecycle.spec import Product
from tasks import outcome_batches, set_aside
from tests.monitor.conftest import Drawn, Shop, draw
from tests.monitor.test_monitoring import Watched

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = MonitorPolicy(
    window=DAY, reach=10 * DAY, min_rows=300, outcomes=OutcomePolicy(due=2 * DAY, learn=True, resamples=200)
)
COLUMNS = [
    {"name": "amount", "type": "double", "nullable": True},
    {"name": "income", "type": "double"},
    {"name": "kind", "type": "string"},
    {"name": "unused", "type": "double"},
    {"name": "note", "type": "string", "nullable": True, "input": False},
    {"name": "asked", "type": "datetime", "input": False},
    {"name": "paid", "type": "boolean", "input": False},
]
PRODUCT = Product.model_validate(
    {
        "name": "loans",
        "task": "binary",
        "grain": [],
        "time": "asked",
        "columns": COLUMNS,
        "target": {"column": "paid"},
        "features": {"numbers": ["amount"]},
        "evaluation": {"metric": "auc", "floors": {}},
        "monitor": POLICY.model_dump(),
    }
)
TODAY = datetime.now(UTC)
DUE = newest_due(POLICY, TODAY) or pytest.fail("labels are due")
ROWS = draw(3, 300, missing=0.1)


@pytest.fixture
def watch(shop: Shop) -> Watched:
    return Watched(shop, POLICY)


def told(watch: Watched, count: int = 300, rows: Drawn = ROWS) -> list[Prediction]:
    records = watch.asked(rows, DUE[0] + HOUR)
    watch.tell(records[:count], rows.labels[:count], "first.csv")
    watch.look(TODAY)
    return records


def landed(watch: Watched, one: Learned) -> dict[str, list[Any]]:
    body = watch.shop.aws.s3.get_object(Bucket=watch.shop.bucket, Key=one.key)["Body"].read()
    found: dict[str, list[Any]] = pq.read_table(io.BytesIO(body)).to_pydict()
    return found


def test_a_stretch_lands_once_as_it_was_asked_and_came_true(watch: Watched) -> None:
    records = told(watch)
    (one,) = outcome_batches.deliver(watch.shop.bucket, PRODUCT, TODAY)
    assert one.key == f"landing/loans/outcomes/{DUE[0]:%Y-%m-%dT%H-%M-%SZ}--{DUE[1]:%Y-%m-%dT%H-%M-%SZ}.parquet"
    found = landed(watch, one)
    assert list(found) == [column["name"] for column in COLUMNS]
    assert found["paid"] == [bool(label) for label in ROWS.labels]
    assert found["kind"] == ROWS.columns["kind"].tolist()
    assert [np.nan if one is None else one for one in found["amount"]] == pytest.approx(
        ROWS.columns["amount"].tolist(), nan_ok=True
    )
    assert found["asked"] == [record.at.replace(tzinfo=None) for record in records]
    assert set(found["note"]) == {None}
    assert outcome_batches.deliver(watch.shop.bucket, PRODUCT, TODAY) == ()


def test_a_corrected_label_is_delivered_again_under_the_same_key(watch: Watched) -> None:
    records = told(watch)
    (first,) = outcome_batches.deliver(watch.shop.bucket, PRODUCT, TODAY)
    watch.tell(records[:1], 1 - ROWS.labels[:1], "corrected.csv")
    watch.look(TODAY + timedelta(minutes=5))
    (again,) = outcome_batches.deliver(watch.shop.bucket, PRODUCT, TODAY + timedelta(minutes=5))
    assert (again.key, again.labels != first.labels) == (first.key, True)
    assert landed(watch, again)["paid"][0] is not bool(ROWS.labels[0])


def test_labels_of_the_quick_ones_only_teach_nothing(watch: Watched) -> None:
    told(watch, count=220)  # 73 of 100: those labelled early are not like the others
    assert outcome_batches.deliver(watch.shop.bucket, PRODUCT, TODAY) == ()


def test_before_its_labels_are_due_a_stretch_teaches_nothing(watch: Watched) -> None:
    told(watch)
    assert outcome_batches.deliver(watch.shop.bucket, PRODUCT, DUE[1] + 2 * DAY - timedelta(seconds=1)) == ()


def wrong_since(moment: datetime) -> Response:
    measured = Measurement(metric=Metric.MISSING, column="amount", state="breached", n=300, statistic=0.9)
    episode = Episode(
        metric=Metric.MISSING, column="amount", since=moment, raised_at=moment, worst=measured, last=measured
    )
    return Response("quarantine_and_notify", Cause.DATA_FAULT, (Ground.DATA_IS_WRONG,), (episode,), "k")


def test_what_was_set_aside_is_left_out_and_what_came_after_is_not(watch: Watched) -> None:
    records = told(watch)
    bucket, since, until = watch.shop.bucket, records[50].at, records[200].at
    set_aside.begin(bucket, "loans", wrong_since(since), TODAY)
    assert set_aside.stretches(bucket, "loans") == ((since, None),)
    assert [set_aside.end(bucket, "loans", until), set_aside.end(bucket, "loans", TODAY)] == [1, 0]
    (one,) = outcome_batches.deliver(bucket, PRODUCT, TODAY)
    assert one.rows == 150
    assert landed(watch, one)["asked"] == [record.at.replace(tzinfo=None) for record in [*records[:50], *records[200:]]]
