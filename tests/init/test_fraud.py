"""The fraud product as content: one row in five hundred, judged by what says something about them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.rehearsal import Rehearsal, rehearse
from lifecycle import spec
from lifecycle.grounds import Ground

ROOT = Path(__file__).parents[2]
FEW = 4  # frauds a day
HOME = ROOT / "products/fraud"

with warnings.catch_warnings():
    # It imports a module that Python has deprecated, and the test run turns warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("great_expectations")


def script(*arguments: object) -> None:
    command = [sys.executable, str(HOME / "drops.py"), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five days of payments."""
    folder = tmp_path_factory.mktemp("fraud")
    script(folder, "--days", *range(1, 6))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def five(days: list[Path]) -> Rehearsal:
    return rehearse(ROOT, "fraud", days)


def test_one_fraud_in_five_hundred_ends_in_a_model_that_would_serve(five: Rehearsal) -> None:
    assert [(one.state, one.reasons) for one in five.taken] == [("validated", ())] * 5
    assert five.would_serve
    assert five.metrics["average_precision"] > 0.2  # knowing nothing is .002
    assert five.metrics["log_loss"] < 0.0125  # always saying .002 is .0144


def test_two_days_with_too_few_frauds_cannot_judge_and_that_is_said(days: list[Path], tmp_path: Path) -> None:
    """Eight frauds are in the holdout: no number is given, whatever a model would have scored."""
    thin = []
    for path in days[:4]:
        frame = pd.read_csv(path)
        frauds = frame.index[frame["fraud"] == 1]
        kept = frauds[np.linspace(0, len(frauds) - 1, FEW).astype(int)]  # of the whole day: some choose the trees
        thin.append(tmp_path / path.name)
        frame.drop(frauds.difference(kept)).to_csv(thin[-1], index=False)
    seen = rehearse(ROOT, "fraud", thin)
    assert [one.state for one in seen.taken] == ["validated"] * 4
    assert (seen.verdict, seen.metrics) == ("undecidable", {})
    assert [(reason.code, reason.found) for reason in seen.reasons] == [
        (Ground.TOO_FEW_OF_A_CLASS, f"{2 * FEW} rows of the rarer class to judge")
    ]


def test_the_script_draws_the_same_bytes_again(tmp_path: Path) -> None:
    script(tmp_path, "--sample")
    for name in ("rows.parquet", "request.json"):
        assert (HOME / "sample" / name).read_bytes() == (tmp_path / name).read_bytes(), f"run drops.py --sample: {name}"


def test_the_sample_request_carries_the_input_columns() -> None:
    request = json.loads((HOME / "sample/request.json").read_text())
    inputs = [column.name for column in spec.load(ROOT / "products", "fraud").inputs]
    assert [list(row) for row in request["dataframe_records"]] == [inputs]
