"""Looks at a product whose log and labels lie in a bucket: what is found, remembered, told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from lifecycle.control import Contender
from lifecycle.ledger import Decision
from lifecycle.maturity import newest_due
from lifecycle.measurement import Gap, Measurement, Metric
from lifecycle.metrics import value
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy
from lifecycle.predictions import Prediction
from lifecycle.profiles import read
from lifecycle.spec import Product
from tasks import labels, ledger, monitoring, retired, summaries
from tasks.monitoring import Looked, Place
from tasks.summaries import Model, Parts
from tests.monitor.conftest import HOUR, NOW, Drawn, Shop, draw

DAY = timedelta(days=1)
POLICY = MonitorPolicy(window=DAY, reach=10 * DAY, min_rows=300, outcomes=OutcomePolicy(due=2 * DAY, resamples=200))
PRODUCT = {
    "name": "loans",
    "task": "binary",
    "grain": ["amount"],
    "time": "at",
    "columns": [
        {"name": "amount", "type": "double"},
        {"name": "at", "type": "datetime"},
        {"name": "paid", "type": "double", "input": False},
    ],
    "target": {"column": "paid"},
    "features": {"numbers": ["amount"]},
    "evaluation": {"metric": "auc", "floors": {}},
}


class Watched:
    """A shop and a clock: answer, label, look."""

    def __init__(self, shop: Shop, policy: MonitorPolicy = POLICY) -> None:
        self.shop = shop
        self.product = Product.model_validate({**PRODUCT, "monitor": policy.model_dump()})
        bundle = shop.bundle
        self.champion = Contender(
            model_version="1",
            bundle=bundle.digest,
            function_version="1",
            mlflow_run="r",
            since=NOW - 9 * DAY,
            reason=".",
        )
        self.model = Model(bundle, read(bundle.reference))

    def place(self, now: datetime) -> Place:
        return Place(self.shop.settings, self.product, self.shop.models, now, Parts(self.shop.bucket, "loans"))

    def read(self, now: datetime) -> bool:
        """Bring the sums up to date and read label files; say whether there were any."""
        summaries.summarise(self.shop.bucket, "loans", self.shop.models, now - 9 * DAY, now)
        return bool(labels.take(self.shop.bucket, self.product, now, 10 * DAY))

    def look(self, now: datetime) -> Looked:
        fresh = self.read(now)
        return monitoring.look_at(self.place(now), self.champion, self.model, fresh=fresh)

    def asked(self, rows: Drawn, at: datetime, **changes: Any) -> list[Prediction]:
        records = self.shop.answered(rows, at, **changes)
        self.shop.deliver(records)
        return records

    def tell(self, records: list[Prediction], truths: np.ndarray[Any, Any], name: str, head: str = "label") -> None:
        lines = [
            f"prediction_id,{head}",
            *(f"{one.request_id}-0,{truth}" for one, truth in zip(records, truths, strict=True)),
        ]
        body = ("\n".join(lines) + "\n").encode()
        self.shop.aws.s3.put_object(Bucket=self.shop.bucket, Key=f"labels/loans/{name}", Body=body)


@pytest.fixture
def watch(shop: Shop) -> Watched:
    return Watched(shop)


def test_a_healthy_hour_is_ok_and_kept(watch: Watched) -> None:
    watch.asked(draw(3, 400), NOW - HOUR)
    found = watch.look(NOW)
    assert (found.look.state, found.look.blind, found.watch.episodes) == ("ok", (), ())
    assert found.look.recent is not None
    assert (found.look.recent.requests, set(found.look.recent.latency_ms)) == (400, {"p50", "p95", "p99"})
    assert next(monitoring.looks(watch.shop.bucket, "loans")) == found.look


def test_missing_values_raise_one_episode_and_looking_again_changes_nothing(watch: Watched) -> None:
    watch.asked(draw(3, 400, missing=0.3), NOW - HOUR)
    first, again = watch.look(NOW), watch.look(NOW)
    assert {(one.metric, one.column) for one in first.watch.pressing} == {(Metric.MISSING, "amount")}
    assert again == first
    assert first.look.named == ("amount",)
    assert monitoring.read_watch(watch.shop.bucket, "loans") == first.watch


def test_without_traffic_a_look_is_undecidable(watch: Watched) -> None:
    found = watch.look(NOW)
    assert (found.look.state, found.watch.blind_since) == ("undecidable", NOW)


# Label files bear the time at which they really came, so what follows happens now.
TODAY = datetime.now(UTC)
DUE = newest_due(POLICY, TODAY) or NOW


def told(watch: Watched, rows: Drawn, share: float = 1.0, seed: int = 1) -> list[Prediction]:
    """Ask in the stretch whose labels are due, and tell the labels of a share of it."""
    records = watch.asked(rows, DUE[0] + HOUR * seed)
    count = round(share * len(records))
    if count:
        watch.tell(records[:count], rows.labels[:count], f"{seed}.csv")
    watch.asked(draw(seed + 50, 400), TODAY - 2 * HOUR)
    return records


def measured(found: Looked, metric: Metric) -> Measurement:
    (one,) = [one for one in found.look.measurements if one.metric is metric]
    return one


def test_a_matured_window_equals_an_offline_computation_and_is_told_once(watch: Watched) -> None:
    rows = draw(3, 600)
    told(watch, rows)
    found = watch.look(TODAY)
    (final,) = found.finals
    assert final.realised.value == value("auc", rows.labels, np.array(watch.shop.scores(rows)))
    assert (final.realised.labels, final.realised.predictions, final.realised.state) == (600, 600, "final")
    assert final.estimated == pytest.approx(final.realised.value, abs=0.04)
    assert measured(found, Metric.PERFORMANCE).state == "ok"
    assert measured(found, Metric.DELAY).state == "breached"  # after more than the two days that were promised
    for _ in range(2):
        monitoring.append_final(watch.shop.bucket, "loans", final)
    (entry,) = ledger.entries(watch.shop.bucket, "loans")
    assert (entry.action, entry.evidence["value"]) == ("measure", final.realised.value)
    again = watch.look(TODAY + timedelta(minutes=1))
    assert (again.finals, again.look.realised, again.look.estimate and again.look.estimate.windows) == (
        (final,),
        None,
        1,
    )


def test_a_model_that_serves_no_more_is_judged_when_its_labels_are_due_and_told_until_the_ledger_knows(
    watch: Watched,
) -> None:
    bucket, rows, old = watch.shop.bucket, draw(3, 600), watch.champion
    evidence = {"bundle": old.bundle, "function_version": "1"}
    place = {"at": TODAY, "actor": "release", "cause": ".", "from_": None, "reason": "."}
    ledger.append(bucket, "loans", Decision(**place, action="promote", to="1", evidence=evidence, key="promote/1"))
    champion = old.model_copy(update={"model_version": "2", "bundle": "f" * 64, "function_version": "2"})
    told(watch, rows)
    assert watch.read(TODAY)
    for _ in range(2):  # kept, and not in the ledger yet
        (final,) = retired.judge_retired(watch.place(TODAY), champion)
    assert (final.model_version, final.realised.state, final.realised.labels) == ("1", "final", 600)
    assert final.realised.value == value("auc", rows.labels, np.array(watch.shop.scores(rows)))
    monitoring.append_final(bucket, "loans", final)
    assert retired.judge_retired(watch.place(TODAY), champion) == ()
    assert retired.judge_retired(watch.place(TODAY), old) == ()  # what serves is the look's own matter


def test_a_changed_concept_is_a_breach_of_performance(watch: Watched) -> None:
    told(watch, draw(3, 800, slope=-1.0))
    found = watch.look(TODAY)
    assert measured(found, Metric.PERFORMANCE).state == "breached"
    assert Metric.PERFORMANCE in {one.metric for one in found.watch.pressing}


def test_labels_that_did_not_come_are_a_breach_of_their_own(watch: Watched) -> None:
    told(watch, draw(3, 600), share=0.0)
    found = watch.look(TODAY)
    assert measured(found, Metric.UNLABELLED).state == "breached"
    assert measured(found, Metric.PERFORMANCE).gap is Gap.NOT_MATURED
    assert found.finals == ()


def test_labels_of_predictions_nobody_made_are_parked_until_the_log_brings_them(watch: Watched) -> None:
    rows = draw(3, 300)
    records = watch.shop.answered(rows, DUE[0] + HOUR)
    watch.tell(records, rows.labels, "early.csv")
    first = watch.look(TODAY)
    assert first.look.labels is not None
    assert (first.look.labels.parked, first.look.labels.current) == (300, 300)
    watch.shop.deliver(records)
    watch.tell(records, rows.labels, "again.csv")  # the same labels once more
    found = watch.look(TODAY + timedelta(minutes=1))
    assert found.look.labels is not None
    assert (found.look.labels.parked, found.look.labels.repeated, found.look.labels.corrected) == (0, 300, 0)
    assert len(found.finals) == 1


def test_a_label_file_that_is_none_is_said_so_once_and_holds_up_no_other(watch: Watched) -> None:
    records = watch.asked(draw(3, 20), DUE[0] + HOUR)
    put = watch.shop.aws.s3.put_object
    put(Bucket=watch.shop.bucket, Key="labels/loans/a.csv", Body=b"\x00\xff")
    put(Bucket=watch.shop.bucket, Key="labels/loans/b.csv", Body=b"id,label\n1,1\n")
    put(Bucket=watch.shop.bucket, Key="labels/loans/_SUCCESS", Body=b"")
    watch.tell(records, np.ones(20), "c.csv", head="paid")
    taken = labels.take(watch.shop.bucket, watch.product, TODAY + HOUR, DAY)
    assert [(one.key, one.told, bool(one.fault)) for one in taken] == [
        ("labels/loans/a.csv", 0, True),
        ("labels/loans/b.csv", 0, True),
        ("labels/loans/c.csv", 20, False),
    ]
    assert labels.take(watch.shop.bucket, watch.product, TODAY + HOUR, DAY) == ()
