"""What cannot be declared about the past is refused in one sentence that says what to write instead."""

from datetime import timedelta

import pytest

from lifecycle.errors import SpecError
from lifecycle.spec import Product, parse

PRODUCT = """
name: shop
task: binary
grain: [order]
time: at
columns:
  - { name: order, type: long, input: false }
  - { name: at, type: datetime }
  - { name: card, type: string }
  - { name: age, type: long, sensitive: true, input: false }
  - { name: amount, type: double, nullable: true }
  - { name: delay, type: double, input: false }
  - { name: returned, type: long, nullable: true, input: false }
target: { column: returned }
features:
  numbers: [amount]
  histories: {HISTORIES}
joins: {JOINS}
evaluation: { metric: auc, floors: { auc: 0.55 } }
"""
TABLE = "columns: [{ name: card, type: string }, { name: since, type: datetime }, { name: plan, type: string }]"
FINE = f"{{ by: card, time: since, {TABLE} }}"


def product(histories: str = "{}", joins: str = "{}", text: str = PRODUCT) -> Product:
    return parse(text.replace("{HISTORIES}", histories).replace("{JOINS}", joins), source="product.yaml")


def test_histories_and_joins_are_declared_in_a_line_each() -> None:
    found = product("{ spent: { by: card, of: amount, take: [mean, last], window: 30d } }", f"{{ plans: {FINE} }}")
    spent = found.features.histories["spent"].named("spent")
    assert (spent.feature_names, spent.window, spent.delay) == (
        ("spent.mean", "spent.last"),
        timedelta(days=30),
        timedelta(0),
    )
    plans = found.joins["plans"].named("plans")
    assert (plans.key, [one.name for one in plans.joined]) == (("card",), ["plans.plan"])
    assert found.features.refresh == timedelta(days=7)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ("{ by: crad }", "histories.x.by: no column is called 'crad'; did you mean 'card'?"),
        ("{ by: order }", "x.by: a request must bring 'order', so it cannot be `input: false`"),
        ("{ by: returned }", "x.by: a request must bring 'returned', so it cannot be the target"),
        ("{ by: at }", "x.by: 'at' is a datetime, and no instant comes back"),
        ("{ by: card, of: amuont, take: [mean] }", "x.of: no column is called 'amuont'; did you mean 'amount'?"),
        ("{ by: card, of: card, take: [last] }", "x.of: 'card' is a string, and statistics are made of numbers"),
        ("{ by: card, of: age, take: [mean], delay: 1d }", "x.of: 'age' is sensitive, and a bundle holds what it was"),
        ("{ by: card, of: returned, take: [mean] }", "x.of: 'returned' is not known when a row happens; say `delay:`"),
        ("{ by: card, of: delay, take: [mean] }", "x.of: 'delay' is not known when a row happens; say `delay:`"),
        ("{ by: card, take: [mean] }", "take: 'mean' needs a column; say `of: COLUMN`"),
        ("{ by: card, of: amount, take: [mean, mean] }", "take: a statistic is listed twice"),
        ("{ by: card, of: amount, take: [median] }", "'mean', 'count', 'sum', 'min', 'max' or 'last'"),
        ("{ by: card, window: 0s }", "greater than"),
        ("{ by: [] }", "at least 1"),
    ],
)
def test_a_history_that_cannot_be_is_refused(history: str, told: str) -> None:
    with pytest.raises(SpecError) as refused:
        product(f"{{ x: {history} }}")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("by: card", "by: crad", "joins.plans.by: no column is called 'crad'; did you mean 'card'?"),
        ("by: card", "by: [card, order]", "joins.plans.by: a request must bring 'order'"),
        ("by: card", "by: card, key: cart", "joins.plans.key: no column is called 'cart'; did you mean 'card'?"),
        ("by: card", "by: card, key: [card, plan]", "key: 2 columns, and `by` has 1"),
        ("name: card, type: string", "name: card, type: long", "'card' is a long, and 'card' a string"),
        ("time: since", "time: sinze", "joins.plans.time: no column is called 'sinze'; did you mean 'since'?"),
        ("time: since", "time: plan", "joins.plans.time: 'plan' is a string, and only a datetime says since when"),
        ("name: plan, type: string", "name: plan, type: string, sensitive: true", "'plan' is sensitive, and a bundle"),
        ("name: card, type: string", "name: card, type: string, nullable: true", "so it cannot be nullable"),
        ("name: plan, type: string", "name: card, type: string", "a name is listed twice"),
        ("{ by: card", "{ lag: -1d, by: card", "no duration"),
    ],
)
def test_a_join_that_cannot_be_is_refused(old: str, new: str, told: str) -> None:
    assert old in FINE
    with pytest.raises(SpecError) as refused:
        product(joins=f"{{ plans: {FINE.replace(old, new, 1)} }}")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("time: at", "time: null", "without a time column nothing is earlier"),
        ("{ name: at, type: datetime }", "{ name: at, type: datetime, input: false }", "so 'at' cannot be `input: fal"),
        ("{ name: card, type: string }", "{ name: card, type: string, sensitive: true }", "'card' is sensitive"),
        ("task: binary", "task: multiclass", "'returned' is one of many classes"),
    ],
)
def test_a_product_that_has_no_past_cannot_declare_one(old: str, new: str, told: str) -> None:
    assert old in PRODUCT
    with pytest.raises(SpecError) as refused:
        product("{ x: { by: card, of: returned, take: [mean], delay: 1d } }", text=PRODUCT.replace(old, new))
    assert told in str(refused.value)
