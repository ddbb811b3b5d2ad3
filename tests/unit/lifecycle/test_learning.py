"""What a product must look like so that its predictions, once their labels came, are a delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from lifecycle.declaration import Column, Target
from lifecycle.errors import SpecError
from lifecycle.learning import delivered_value, labels_digest
from lifecycle.maturity import by_stretch, stretch_of
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy
from lifecycle.spec import parse

PRODUCT = """
name: loans
task: binary
grain: [id]
time: asked
columns:
  - {name: id, type: string}
  - {name: amount, type: double}
  - {name: note, type: string, nullable: true, input: false}
  - {name: asked, type: datetime, input: false}
  - {name: paid, type: long, input: false}
target: {column: paid}
features: {numbers: [amount]}
evaluation: {metric: auc, floors: {}}
monitor: {outcomes: {due: 7d, learn: true}}
"""


def test_inputs_the_label_the_time_and_what_may_be_missing_make_a_row() -> None:
    assert parse(PRODUCT, source="product.yaml").monitor.outcomes.learn


@pytest.mark.parametrize(
    ("said", "instead", "sentence"),
    [
        ("id, type: string", "id, type: string, input: false", "id is no input, so no request tells it"),
        ("note, type: string, nullable: true", "note, type: string", "note is no input"),
        (
            "{column: paid}",
            "{column: paid, at_least: 15}",
            "a label does not tell paid, only whether it is at least 15",
        ),
        ("time: asked", "time: asked\npredictions: {features: digest}", "keeps no values to learn from"),
        ("due: 7d, ", "", "nothing is learned before labels are due"),
        ("due: 7d", "due: 30d", "is over before the labels of 7 days, 0:00:00 are due"),
    ],
)
def test_a_product_that_cannot_learn_so_is_refused_with_the_reason(said: str, instead: str, sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(PRODUCT.replace(said, instead), source="product.yaml")
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "target", "label", "expected"),
    [
        ("long", Target(column="y"), 1.0, 1),
        ("boolean", Target(column="y"), 0.0, False),
        ("double", Target(column="y"), 2.5, 2.5),
        ("string", Target(column="y", classes=("no", "yes")), 1.0, "yes"),
        ("string", Target(column="y"), "late", "late"),
    ],
)
def test_a_label_is_delivered_as_the_column_holds_it(
    kind: Any, target: Target, label: object, expected: object
) -> None:
    found = delivered_value(Column(name="y", type=kind), target, label)
    assert (found, type(found)) == (expected, type(expected))


def test_the_digest_tells_labels_apart_and_no_orders() -> None:
    keys, labels = np.array([3, 1, 2], dtype=np.uint64), np.array([1.0, 0.0, 1.0])
    assert labels_digest(keys, labels) == labels_digest(keys[::-1], labels[::-1])
    assert labels_digest(keys, labels) != labels_digest(keys, np.array([1.0, 1.0, 1.0]))
    texts = np.array(["a", "b", "b"], dtype=object)
    assert labels_digest(keys, texts) != labels_digest(keys, texts[::-1])


def test_moments_lie_in_the_stretch_that_is_theirs() -> None:
    policy = MonitorPolicy(outcomes=OutcomePolicy(due=timedelta(days=1), window=timedelta(minutes=10)))
    begin = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    moments = [begin, begin + timedelta(minutes=9, seconds=59), begin + timedelta(minutes=10)]
    at = np.array([one.replace(tzinfo=None) for one in moments], dtype="datetime64[us]")
    found = {stretch: rows.tolist() for stretch, rows in by_stretch(policy, at)}
    assert found == {stretch_of(policy, begin): [0, 1], stretch_of(policy, moments[2]): [2]}
    assert stretch_of(policy, moments[1]) == (begin, begin + timedelta(minutes=10))
