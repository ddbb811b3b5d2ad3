"""docs/watch.md says what the code does: every metric, every cause with its action, every key of the section."""

import re
from pathlib import Path

from lifecycle.causes import _CAUSES, Cause
from lifecycle.measurement import Metric
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy, ResponsePolicy

PAGE = (Path(__file__).parents[2] / "docs" / "watch.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]


def named(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_every_metric_is_explained_once() -> None:
    assert sorted(name for row in table("What is looked at") for name in named(row[0])) == sorted(Metric)


def test_every_cause_has_its_metrics_in_order_and_an_action() -> None:
    rows = {named(cause)[0]: named(metrics) for cause, metrics, action in table("What follows") if action.strip()}
    expected = {str(cause): [str(one) for one, of in _CAUSES.items() if of is cause] for cause in Cause}
    assert rows == {cause: metrics for cause, metrics in expected.items() if cause != "none"}


def test_every_key_of_the_section_is_explained_once() -> None:
    rows = table("The section in product.yaml")
    assert sorted(name for row in rows for name in named(row[0])) == sorted(MonitorPolicy.model_fields)
    told = {named(row[0])[0]: named(row[2]) for row in rows}
    assert set(OutcomePolicy.model_fields) <= set(told["outcomes"])
    assert set(ResponsePolicy.model_fields) <= set(told["respond"])
