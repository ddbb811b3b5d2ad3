"""Real departures to judge, and the suites as they are committed."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lifecycle import spec
from lifecycle.columns import Column
from lifecycle.features import FeatureSpec, fit
from lifecycle.labels import read_labels
from lifecycle.spec import Product
from tasks.cells import Rows
from tasks.features import fit_features, read_product, shown
from tasks.reading import read, to_frame
from tasks.snapshot import frame_of

ROOT = Path(__file__).parents[2]

with warnings.catch_warnings():
    # It imports a module that Python has deprecated, and the test run turns warnings into errors.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("great_expectations")


@pytest.fixture(scope="session")
def expectations() -> Path:
    return ROOT / "expectations"


@pytest.fixture(scope="session")
def flights() -> Product:
    return spec.load(ROOT / "products", "flights")


@pytest.fixture(scope="session")
def year() -> pd.DataFrame:
    found = importlib.util.spec_from_file_location("flights_drops", ROOT / "products/flights/drops.py")
    assert found is not None
    assert found.loader is not None
    script: ModuleType = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    return pd.DataFrame(script.joined(script.data_folder()))


def table_of(year: pd.DataFrame, month: int, product: Product) -> pa.Table:
    body = year[year["month"] == month].to_csv(index=False, lineterminator="\n").encode()
    rows = read(f"landing/flights/{month}.csv", body, product)
    assert isinstance(rows, Rows)
    assert rows.faults == ()
    return rows.table


@pytest.fixture(scope="session")
def raw(year: pd.DataFrame, flights: Product) -> Any:
    """Return a function from a month to its frame as the gate sees it."""
    return lambda month: to_frame(table_of(year, month, flights))


@pytest.fixture(scope="session")
def golden_raw(raw: Any) -> pd.DataFrame:
    return raw(7)


@pytest.fixture(scope="session")
def golden_features(year: pd.DataFrame, flights: Product) -> pd.DataFrame:
    """The features training would fit, made by the code that serves and shown as training shows them to the gate."""
    hook = (ROOT / "products/flights/features.py").read_text()
    inputs = tuple(Column(one.name, one.type, nullable=one.nullable) for one in flights.inputs)
    features = FeatureSpec(inputs, flights.features.numbers, dict.fromkeys(flights.features.categories, 255), hook)
    table = table_of(year, 1, flights)
    columns = {one.name: table.column(one.name).to_numpy() for one in inputs}
    fitted = fit(features, columns)
    matrix = fitted.transform(columns).astype(np.float64)
    frame = pd.DataFrame(matrix, columns=list(fitted.feature_names))
    for name, levels in fitted.levels.items():
        texts = [None if np.isnan(code) else levels[int(code)] for code in frame[name]]
        frame[name] = pd.Series(texts, dtype=object)
    return frame


@pytest.fixture(scope="session")
def sample_raw() -> Any:
    """Return a function from a product to its sample as the gate sees it."""
    return lambda product: to_frame(sample(product).table)


@pytest.fixture(scope="session")
def sample_features() -> Any:
    """Return a function from a product to its sample's features as training shows them to the gate."""

    def frame(product: str) -> pd.DataFrame:
        files = read_product(ROOT / "products", product)
        rows = frame_of([sample(product).table], files.read, files.product)
        labels = read_labels(files.product.task, files.product.target, rows.columns[files.product.target.column])
        prepared = fit_features(files, rows.columns, np.arange(rows.rows), labels)
        return shown(prepared)

    return frame


def sample(product: str) -> Rows:
    path = ROOT / "products" / product / "sample/rows.parquet"
    rows = read(f"landing/{product}/rows.parquet", path.read_bytes(), spec.load(ROOT / "products", product))
    assert isinstance(rows, Rows)
    return rows
