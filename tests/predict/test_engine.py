"""The C library gives the Python package's numbers, bit for bit: the package is the oracle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from functions.predict.engine import EngineError, LibraryEngine, find_library
from functions.predict.fallback import PackageEngine
from functions.predict.model import Served, Unready, open_bundle
from lifecycle import bundle
from lifecycle.bundle import load


def oracle(loans: Any, matrix: Any, *, contributions: bool = False) -> Any:
    data = xgboost.DMatrix(
        matrix,
        feature_names=list(loans.features.feature_names),
        feature_types=list(loans.features.feature_types),
        enable_categorical=True,
    )
    return loans.booster.predict(data, pred_contribs=contributions)


def matrices(loans: Any) -> list[Any]:
    """Training rows (with NaN and categories), one row, nothing but NaN, and values beyond anything seen."""
    matrix = loans.features.transform(loans.columns)
    strange = np.random.default_rng(3).normal(0, 1e6, matrix.shape).astype(np.float32)
    strange[:, -1] = np.nan
    return [matrix, matrix[:1], np.full_like(matrix[:3], np.nan), strange]


def test_predictions_are_bit_for_bit_those_of_the_package(any_task: Any) -> None:
    engine = LibraryEngine(find_library(None), load(any_task.root / "bundle").model)
    for matrix in matrices(any_task):
        expected = oracle(any_task, matrix)
        found = engine.predict(matrix)
        assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


def test_contributions_are_bit_for_bit_those_of_the_package(any_task: Any) -> None:
    engine = LibraryEngine(find_library(None), load(any_task.root / "bundle").model)
    for matrix in matrices(any_task):
        expected = oracle(any_task, matrix, contributions=True)
        found = engine.contributions(matrix)
        assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


def test_the_package_as_fallback_gives_the_same_bits(any_task: Any) -> None:
    model = load(any_task.root / "bundle").model
    library, package = LibraryEngine(find_library(None), model), PackageEngine(model)
    for matrix in matrices(any_task):
        assert package.predict(matrix).tobytes() == library.predict(matrix).tobytes()
        assert package.contributions(matrix).tobytes() == library.contributions(matrix).tobytes()
    assert package.features == library.features == len(any_task.features.feature_names)


def test_an_earlier_answer_is_not_overwritten_by_the_next_call(numeric: Any) -> None:
    engine = LibraryEngine(find_library(None), load(numeric.root / "bundle").model)
    matrix = numeric.features.transform(numeric.columns)
    first = engine.predict(matrix[:2])
    kept = first.copy()
    engine.predict(matrix[2:4])
    assert first.tolist() == kept.tolist()


def test_a_matrix_in_another_memory_order_gives_the_same_predictions(numeric: Any) -> None:
    engine = LibraryEngine(find_library(None), load(numeric.root / "bundle").model)
    matrix = numeric.features.transform(numeric.columns)
    assert engine.predict(np.asfortranarray(matrix)).tobytes() == engine.predict(matrix).tobytes()


@pytest.mark.parametrize(
    ("model", "sentence"),
    [(b"", "The model is empty"), (b"garbage", "FromBuffer failed"), (b"{}", "FromBuffer failed")],
)
def test_bytes_that_are_no_model_are_refused_with_a_sentence(model: bytes, sentence: str) -> None:
    with pytest.raises(EngineError, match=sentence):
        LibraryEngine(find_library(None), model)


def test_a_library_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="XGBOOST_LIBRARY names a file that does not exist"):
        find_library(str(tmp_path / "libxgboost.so"))


def test_a_library_that_cannot_be_opened_falls_back_to_the_package_and_says_so(numeric: Any, tmp_path: Path) -> None:
    broken = tmp_path / "libxgboost.so"
    broken.write_bytes(b"not a library")
    noted: list[tuple[str, dict[str, object]]] = []
    served = open_bundle(numeric.root / "bundle", str(broken), lambda event, fields: noted.append((event, fields)))
    assert isinstance(served, Served)
    assert served.engine.name.startswith("xgboost-python/")
    assert noted == [
        ("engine.fell_back", {"to": served.engine.name, "reason": "libxgboost.so cannot be opened: OSError."})
    ]


def test_a_model_with_another_number_of_features_is_refused(numeric: Any, loans: Any, tmp_path: Path) -> None:
    good = load(numeric.root / "bundle")
    other = load(loans.root / "bundle").model
    bundle.write(
        tmp_path / "bundle",
        bundle.Draft(other, good.features, good.contract, good.reference, good.manifest.lineage),
    )
    assert open_bundle(tmp_path / "bundle", None, lambda _event, _fields: None) == Unready(
        "bundle_refused", "The model takes 6 features, features.json makes 3."
    )
