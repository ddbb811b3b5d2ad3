"""The suites that init writes: silent on the same kind of data, loud on every mutation."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle import spec
from lifecycle.batch import Limits
from tasks.drafting import Wanted, draft
from tasks.judging import judge
from tasks.landing import Content
from tasks.quality import judge as judge_frame
from tasks.reading import read, to_frame
from tasks.suites import Suite, load_suite
from tests.expectations.test_suites import MUTATIONS
from tests.init.conftest import customers

with warnings.catch_warnings():
    # It imports a module that Python has deprecated, and the test run turns warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("great_expectations")

RESAMPLES = 20


@dataclass(frozen=True)
class Drawn:
    """A product drawn up from one half of the rows; the other half was never looked at."""

    root: Path
    held_out: pd.DataFrame
    golden: pd.DataFrame
    suite: Suite
    product: spec.Product


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    root = tmp_path_factory.mktemp("root")
    whole = customers(8000, 3).assign(amount=np.random.default_rng(1).lognormal(3, 1.5, 8000).round(2))
    path = root / "customers.csv"
    whole.iloc[::2].to_csv(path, index=False)
    for name, body in draft("churn", [path], "churned", Wanted(), Limits()).files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    product = spec.load(root / "products", "churn")
    golden = to_frame(read("customers.csv", path.read_bytes(), product).table)  # type: ignore[union-attr]
    return Drawn(root, whole.iloc[1::2], golden, load_suite(root / "expectations", "churn_raw"), product)


@pytest.mark.faults
def test_rows_nobody_looked_at_raise_no_alarm_in_twenty_deliveries(drawn: Drawn) -> None:
    """At most one alarm in a hundred rules judged, and no delivery refused: from stubs to the whole half."""
    random = np.random.default_rng(7)
    alarms, refused = 0, []
    for _ in range(RESAMPLES):
        rows = int(random.integers(200, len(drawn.held_out)))
        body = drawn.held_out.sample(rows, random_state=int(random.integers(1e9))).to_csv(index=False).encode()
        verdict = judge(
            "landing/churn/x.csv", Content("x", len(body), body), drawn.product, drawn.root / "expectations"
        )
        refused += [str(reason) for reason in verdict.reasons] if verdict.kept is None else []
        alarms += len(verdict.reasons) + len(verdict.notes)
    assert refused == []
    assert alarms <= 0.01 * RESAMPLES * len(drawn.suite.rules)


def test_every_rule_fails_on_its_own_mutation(drawn: Drawn) -> None:
    frame = drawn.golden.iloc[::4].reset_index(drop=True)
    assert judge_frame(frame, drawn.suite).findings == ()
    for at, rule in enumerate(drawn.suite.rules):
        alone = replace(drawn.suite, rules=(rule,))
        mutated = list(MUTATIONS[rule.type](frame, rule))
        assert mutated, at
        for how, broken in mutated:
            (finding,) = judge_frame(broken, alone).findings
            assert finding.reason.code != "NOT_JUDGED", (at, how)
            assert finding.severity == rule.severity


def test_every_rule_says_why_and_counts(drawn: Drawn) -> None:
    assert len(drawn.suite.rules) >= 12
    assert {rule.type for rule in drawn.suite.rules} <= set(MUTATIONS)
    assert all(len(rule.why) > 20 for rule in drawn.suite.rules)


def changed(frame: pd.DataFrame, **columns: Any) -> bytes:
    return frame.assign(**columns).to_csv(index=False).encode()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (lambda frame: changed(frame, use=frame["use"] * 1000), "RANGE"),
        (lambda frame: changed(frame, use=frame["use"] * 1.9), "DISTRIBUTION"),
        (lambda frame: changed(frame, use=12.5), "DISTRIBUTION"),
        (lambda frame: changed(frame, use=np.nan), "NOT_JUDGED"),
        (lambda frame: changed(frame, plan=frame["plan"].str.upper()), "CATEGORY"),
        (lambda frame: changed(frame, churned="maybe"), "CATEGORY"),
        (lambda frame: changed(frame, churned=np.where(frame["churned"] == "yes", "no", "yes")), "DISTRIBUTION"),
        (lambda frame: changed(frame, seen_at=frame["seen_at"].str.replace("202", "203")), "RANGE"),
        (lambda frame: changed(frame.head(40)), "ROW_COUNT"),
    ],
    ids=["seconds", "another unit", "constant", "lost", "upper case", "no label", "flipped", "future", "stub"],
)
def test_what_spoils_a_delivery_is_refused_with_its_code(how: Any, code: str, drawn: Drawn) -> None:
    body = how(drawn.held_out)
    verdict = judge("landing/churn/x.csv", Content("x", len(body), body), drawn.product, drawn.root / "expectations")
    assert verdict.kept is None
    assert code in {reason.code for reason in verdict.reasons}


def test_a_sentinel_costs_its_rows_and_no_more(drawn: Drawn) -> None:
    use = drawn.held_out["use"].copy()
    use.iloc[:40] = -999
    body = changed(drawn.held_out, use=use)
    verdict = judge("landing/churn/x.csv", Content("x", len(body), body), drawn.product, drawn.root / "expectations")
    assert verdict.counts.quarantined == 40
    assert verdict.kept is not None


def test_the_sample_is_a_delivery_that_passes(drawn: Drawn) -> None:
    body = (drawn.root / "products/churn/sample/rows.parquet").read_bytes()
    verdict = judge("rows.parquet", Content("s", len(body), body), drawn.product, drawn.root / "expectations")
    assert (verdict.reasons, verdict.counts.validated) == ((), 1200)
