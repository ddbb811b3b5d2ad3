"""What the panels of the page say of a product, from values alone."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.batch import RowCounts
from lifecycle.charts import Chart
from lifecycle.control import Contender, ControlRecord
from lifecycle.delivery import Delivery
from lifecycle.ledger import GENESIS, Decision, Entry, chain
from lifecycle.looks import Look, Seen
from lifecycle.page import Panel
from lifecycle.page_building import page
from lifecycle.page_source import Source
from lifecycle.spec import Product

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRODUCT = Product.model_validate(
    {
        "name": "loans",
        "task": "binary",
        "grain": [],
        "time": None,
        "columns": [{"name": "amount", "type": "double"}, {"name": "paid", "type": "double", "input": False}],
        "target": {"column": "paid"},
        "features": {"numbers": ["amount"]},
        "evaluation": {"metric": "auc", "floors": {}},
    }
)
MODEL = Contender(
    model_version="3", bundle="b" * 64, function_version="7", mlflow_run="r", since=NOW - HOUR, reason="It is better."
)


def source(**known: object) -> Source:
    record = known.pop("record", ControlRecord(product="loans", revision=0))
    return Source(product=PRODUCT, now=NOW, record=record, **known)  # type: ignore[arg-type]


def panel(found: Source, key: str) -> Panel:
    return next(one for one in page(found).panels if one.key == key)


def entries(*decisions: tuple[datetime, str, str, dict[str, object]]) -> tuple[Entry, ...]:
    made: list[Entry] = []
    for at, action, cause, evidence in decisions:
        told = Decision.model_validate(
            {
                "at": at,
                "actor": "test",
                "cause": cause,
                "action": action,
                "reason": ".",
                "evidence": evidence,
                "key": f"{action}/{len(made)}",
            }
        )
        made.append(chain(told, made[-1] if made else None))
    return tuple(made)


def refused_trainings(count: int) -> tuple[Entry, ...]:
    told: list[tuple[datetime, str, str, dict[str, object]]] = []
    for number in range(count):
        at, key = NOW - (count - number) * HOUR, f"retrain/performance/{number}/0"
        answer = {"action": "retrain", "cause": "performance", "grounds": "MODEL_SUFFERS", "decision": key}
        told += [
            (at, "respond", "metric.breached", answer),
            (at, "challenge", f"respond {key}", {"verdict": "refuse", "metric": "auc"}),
        ]
    return entries(*told)


def test_the_first_entry_follows_nothing() -> None:
    assert refused_trainings(1)[0].prev == GENESIS


def test_a_product_without_a_past_says_what_is_missing_in_every_panel() -> None:
    found = page(source())
    assert found.headline == "No model serves yet."
    assert [one.key for one in found.panels if one.empty is None] == []
    assert [one.empty.command for one in found.panels if one.empty and "loans" not in one.empty.command] == []


def test_a_champion_without_a_release_answers_every_request() -> None:
    found = page(source(record=ControlRecord(product="loans", revision=1, champion=MODEL)))
    assert found.headline == "Model 3 answers every request."
    assert ("Serves", "model 3") in [(one.name, one.value) for one in found.facts]


@pytest.mark.parametrize(("count", "open_"), [(2, False), (3, True)])
def test_the_breaker_is_told_from_the_third_refusal_on(count: int, open_: bool) -> None:  # noqa: FBT001
    found = source(entries=refused_trainings(count))
    assert any("breaker is open" in one.text for one in page(found).notices) is open_
    assert bool(panel(found, "trainings").notices) is open_


def test_a_training_asked_for_by_a_breach_names_the_breach() -> None:
    tables = panel(source(entries=refused_trainings(1)), "trainings").tables
    assert tables[0].rows[0][3] == "breach: performance"


def test_rows_of_deliveries_add_up_and_those_left_out_are_counted() -> None:
    found = [
        Delivery(
            product="loans",
            delivery_id=str(number),
            key=f"landing/loans/{number}.csv",
            object_version=None,
            etag="e",
            state="validated",
            owner="o",
            claimed_at=NOW - number * HOUR,
            rows=RowCounts(10, 7, 2, 1),
        )
        for number in range(3)
    ]
    told = panel(source(deliveries=tuple(found), delivered=8), "batches")
    account = "30 rows received = 21 validated + 6 quarantined + 3 duplicates."
    assert told.lead == f"{account} These are the newest 3 of 8."
    chart: Chart = told.charts[0]
    assert [sum(one.values[0] or 0 for one in chart.series)] == [10]


def test_a_look_that_is_long_over_is_said_so() -> None:
    seen = Seen(
        since=NOW - HOUR, until=NOW, requests=0, rows=0, failed=0, refused=0, cold=0, synthetic=0, latency_ms={}
    )
    look = Look(
        product="loans",
        at=NOW - 4 * HOUR,
        model_version="3",
        bundle="b" * 64,
        state="undecidable",
        blind=("inputs",),
        named=(),
        wide=seen,
        recent=seen,
        measurements=(),
    )
    told = [one.text for one in page(source(looks=(look,), looked=1)).notices]
    assert told[0] == "Nothing could be judged about inputs."
    assert told[1].startswith("The last look was at 2026-03-20 08:00 UTC and one is due every 1 h.")
